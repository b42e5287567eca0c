// SPDX-License-Identifier: MIT

// Two replicas of a chat service get the messages of one guest at the same time.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

type Chat struct{ Messages []string }

// handle answers one message. All replicas together handle the messages of a guest
// one at a time, in the order of their arrival at Redis, each with what the one
// before has stored.
func handle(ctx context.Context, chats *session.Manager[Chat], from, text string) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // waiting included
	defer cancel()
	guest := session.Conversation{Channel: "sms", Peer: from}
	err = chats.Converse(ctx, guest, Chat{}, func(_ context.Context, s *session.Session[Chat]) error {
		s.Data.Messages = append(s.Data.Messages, text)
		answer = fmt.Sprintf("%d: %s", len(s.Data.Messages), text)
		return nil // stored before the next message is handled; an error stores nothing
	})
	if errors.Is(err, session.ErrBusy) {
		return "One moment, please.", nil // the messages before this one took too long
	}
	return answer, err
}

func main() {
	ctx := context.Background()
	server, err := miniredis.Run() // stands for your Redis
	check(err)
	defer server.Close()
	arrived := make(chan string)
	for replica := range 2 {
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
		defer client.Close()
		chats, err := session.New(redissession.New(client), session.Config[Chat]{Name: "chats"})
		check(err)
		chats.Start()
		defer chats.Stop(ctx)
		go func() {
			answer, err := handle(ctx, chats, "+34 600 000 000", fmt.Sprint("message for replica ", replica))
			check(err)
			arrived <- answer[:2] // which message came first is not known
		}()
	}
	first, second := <-arrived, <-arrived
	fmt.Println(min(first, second), max(first, second))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
