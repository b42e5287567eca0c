// SPDX-License-Identifier: MIT

// A conversation is found by its channel and peer, changed by two programs at
// once without losing either change, and ends when no one uses it.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

type chat struct{ Messages []string }

func main() {
	ctx := context.Background()
	// redissession.New(client) instead of memsession.New() shares them.
	chats, err := session.New(memsession.New(), session.Config[chat]{Name: "chats", IdleTimeout: time.Second})
	check(err)
	chats.Start() // removes expired sessions in the background
	defer chats.Stop(ctx)

	key := session.Conversation{Channel: "web", Peer: "ana"}
	mine, created, err := chats.Open(ctx, key, chat{})
	check(err)
	fmt.Println("created:", created)
	theirs, created, err := chats.Open(ctx, key, chat{})
	check(err)
	fmt.Println("created again:", created)

	mine.Data.Messages = append(mine.Data.Messages, "hello")
	check(chats.Save(ctx, mine))
	theirs.Data.Messages = append(theirs.Data.Messages, "hi")
	fmt.Println("the second save is refused:", errors.Is(chats.Save(ctx, theirs), session.ErrConflict))

	// Update loads, changes and saves until no other caller saved in between.
	now, err := chats.Update(ctx, mine.ID, func(c *chat) error {
		c.Messages = append(c.Messages, "hi")
		return nil
	})
	check(err)
	fmt.Println(now.Data.Messages)

	time.Sleep(1100 * time.Millisecond) // longer than IdleTimeout
	_, err = chats.Get(ctx, mine.ID)
	fmt.Println("expired:", errors.Is(err, session.ErrNotFound))
	report, err := chats.Sweep(ctx) // as Start does every CleanupInterval
	check(err)
	fmt.Println("active:", report.Active)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
