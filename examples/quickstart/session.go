// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

type Chat struct{ Messages []string }

func chat(ctx context.Context, client *redis.Client, text string) error {
	chats, err := session.New(redissession.New(client), session.Config[Chat]{Name: "chats", IdleTimeout: time.Hour})
	if err != nil {
		return err
	}
	chats.Start() // removes expired sessions in the background
	defer chats.Stop(ctx)

	guest := session.Conversation{Channel: "sms", Peer: "+34 600 000 000"}
	return chats.Converse(ctx, guest, Chat{}, func(_ context.Context, s *session.Session[Chat]) error {
		s.Data.Messages = append(s.Data.Messages, text) // one message at a time, in all processes
		fmt.Println(len(s.Data.Messages), "message")
		return nil
	})
}
