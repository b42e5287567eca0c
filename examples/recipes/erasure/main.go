// SPDX-License-Identifier: MIT

// A person asks what is stored about them, and to be forgotten.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/session"
)

type User struct{ Cart []string }

// forget ends the sessions of a person, and takes the person out of the trail. The
// events stay, and so does one that says who erased what and why.
func forget(ctx context.Context, users *session.Manager[User], trail *audit.Log, sink *gormsink.Sink, guest, clerk, reason string) error {
	if _, err := users.DeleteSubject(ctx, guest); err != nil {
		return err
	}
	if err := trail.Flush(ctx); err != nil { // what is queued would come after the erasure
		return err
	}
	_, err := sink.Erase(ctx, gormsink.Person{Type: "guest", ID: guest},
		gormsink.Erasure{By: audit.Entity{Type: "clerk", ID: clerk}, Reason: reason})
	return err
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	users, trail, sink, end := service(ctx)
	defer end()
	_, err := users.Create(ctx, User{Cart: []string{"breakfast"}}, session.ForSubject("ana"))
	check(err)
	check(trail.Record(ctx, audit.Event{Type: "room.booked", Outcome: audit.Success, Actor: audit.Entity{Type: "guest", ID: "ana"}}))

	stored, err := users.Export(ctx, "ana") // JSON: what is stored in sessions
	check(err)
	fmt.Println("stored in sessions:", len(stored) > 0)
	check(forget(ctx, users, trail, sink, "ana", "cleo", "request 7"))
	for e, err := range sink.Query(ctx, gormsink.Criteria{Types: []string{"room.booked", "audit.erased"}}) {
		check(err)
		fmt.Printf("%s by %q\n", e.Type, e.Actor.ID)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
