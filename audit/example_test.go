// SPDX-License-Identifier: MIT

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer chdir(dir)()
	ctx := context.Background()

	trail, err := audit.New(audit.NewJSONLines("audit.jsonl"), audit.Config{}) // or gormsink.New(db)
	if err != nil {
		log.Fatal(err)
	}
	err = trail.Record(ctx, audit.Event{
		Type: "room.key.issued", Outcome: audit.Success,
		Actor: audit.Entity{Type: "guest", ID: "ana"}, Resource: audit.Entity{Type: "room", ID: "101"},
	})
	if err != nil {
		log.Print(err) // refused: invalid, or the queue is full
	}

	// When the service stops, after everything that records:
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := trail.Close(ctx); err != nil { // writes what is queued
		log.Print(err) // the named result; a *audit.LossError says what was not stored
	}

	lines, err := os.ReadFile("audit.jsonl")
	fmt.Println(strings.Count(string(lines), `"room.key.issued"`), err)
	// Output: 1 <nil>
}

// chdir enters a folder, and returns what leaves it.
func chdir(dir string) (leave func()) {
	before, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Chdir(dir); err != nil {
		log.Fatal(err)
	}
	return func() { _ = os.Chdir(before) }
}

// A log in memory is for tests.
func ExampleNewMemory() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stored := audit.NewMemory()
	trail, err := audit.New(stored, audit.Config{})
	if err != nil {
		panic(err)
	}
	err = trail.Record(ctx, audit.Event{
		Type: "room.key.issued", Outcome: audit.Success,
		Actor: audit.Entity{Type: "guest", ID: "ana"}, Resource: audit.Entity{Type: "room", ID: "101"},
		Details: audit.Fields(slog.Int("keys", 2)),
	})
	if err != nil {
		panic(err)
	}
	if err := trail.Close(ctx); err != nil { // writes what is queued
		panic(err)
	}
	for _, e := range stored.Events() {
		fmt.Println(e.Type, e.Outcome, e.Actor.ID, e.Resource.ID, e.Details)
	}
	// Output: room.key.issued success ana 101 {"keys":2}
}

func ExampleNew_contradictions() {
	_, err := audit.New(audit.NewMemory(), audit.Config{Queue: 10, MaxBatch: 100, MaxBytes: 1000})
	fmt.Println(err)
	// Output:
	// audit: Config.MaxBytes is 1000, want room for one event, 65536; negative = unlimited
	// audit: Config.MaxBatch is 100, want at most Queue (10)
}

func ExampleLog_Flush() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stored := audit.NewMemory()
	trail, _ := audit.New(stored, audit.Config{Linger: time.Hour})
	defer trail.Close(ctx)
	_ = trail.Record(ctx, audit.Event{Type: "night.audit.done"})
	err := trail.Flush(ctx) // does not wait for the hour
	fmt.Println(len(stored.Events()), err)
	// Output: 1 <nil>
}

func ExampleLog_Close_loss() {
	down := audit.Multi(broken{})
	trail, _ := audit.New(down, audit.Config{})
	_ = trail.Record(context.Background(), audit.Event{Type: "room.key.issued"})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	loss, ok := errors.AsType[*audit.LossError](trail.Close(ctx))
	fmt.Println(ok, len(loss.IDs), errors.Is(loss, audit.ErrUnavailable))
	// Output: true 1 true
}

type broken struct{}

func (broken) Write(context.Context, []audit.Event) error { return errors.New("no database") }

func ExampleDirect() {
	stored := audit.NewMemory()
	recorder := audit.Direct(stored)
	err := recorder.Record(context.Background(), audit.Event{Outcome: audit.Denied})
	fmt.Println(err)
	err = recorder.Record(context.Background(), audit.Event{Type: "login", Outcome: audit.Denied})
	fmt.Println(err, stored.Events()[0].Outcome)
	// Output:
	// audit: invalid: an event without a type
	// <nil> denied
}

func ExampleNewSlog() {
	noTimeNorID := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "id" {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: noTimeNorID}))
	recorder := audit.Direct(audit.NewSlog(logger))
	_ = recorder.Record(context.Background(), audit.Event{
		Type: "lock.conflict", Outcome: audit.Denied, Resource: audit.Entity{Type: "lock", ID: "room/101"},
	})
	// Output: level=INFO msg=lock.conflict outcome=denied resource_type=lock resource_id=room/101
}

func ExampleMulti() {
	ctx := context.Background()
	all, alarms := audit.NewMemory(), audit.NewMemory()
	sink := audit.Multi(all, audit.Filter(alarms, func(e audit.Event) bool { return e.Outcome == audit.Denied }))
	trail := audit.Direct(sink)
	_ = trail.Record(ctx, audit.Event{Type: "room.booked", Outcome: audit.Success})
	_ = trail.Record(ctx, audit.Event{Type: "room.opened", Outcome: audit.Denied})
	fmt.Println(len(all.Events()), len(alarms.Events()))
	// Output: 2 1
}

func ExampleFields() {
	d := audit.Fields(slog.String("guest", "ana"), slog.Duration("ttl", 90*time.Second), slog.Group("stay", "nights", 3))
	fmt.Println(d)
	// Output: {"guest":"ana","ttl":"1m30s","stay":{"nights":3}}
}

func ExampleJSON() {
	type stay struct {
		Room   string `json:"room"`
		Nights int    `json:"nights"`
	}
	fmt.Println(audit.JSON(stay{"101", 3}))
	fmt.Println(audit.JSON(map[string]any{"room": "101", "call": func() {}}))
	// Output:
	// {"room":"101","nights":3}
	// {"call":"!ERROR: a func() cannot be JSON","room":"101"}
}

func ExampleDerivedID() {
	expired := time.Date(2026, 12, 11, 12, 0, 0, 0, time.UTC)
	stored := audit.NewMemory()
	for range 3 { // reported until the report is recorded
		_ = audit.Direct(stored).Record(context.Background(), audit.Event{
			ID: audit.DerivedID(expired, "hold 4711"), Type: "lock.expired", Time: expired,
		})
	}
	fmt.Println(len(stored.Events()))
	// Output: 1
}

func ExampleParseID() {
	id, err := audit.ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	fmt.Println(id, err)
	_, err = audit.ParseID("room/101")
	fmt.Println(err)
	// Output:
	// 01890a5d-ac96-774b-bcce-b302099a8057 <nil>
	// audit: invalid: not the id of an event
}
