// SPDX-License-Identifier: MIT

//go:build !386 && !arm && !mips && !mipsle

package redissession_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

type Account struct {
	Name    string
	Seats   int
	Visited []string
}

// accounts has what a login needs in production. keys are 32 bytes each, the first
// one new.
func accounts(store session.Store, indexKey []byte, keys ...[]byte) (*session.Manager[Account], error) {
	return session.New(store, session.Config[Account]{
		Name:            "accounts",
		IdleTimeout:     30 * time.Minute,
		AbsoluteTimeout: 12 * time.Hour,
		MaxPerSubject:   10, // the idlest device makes room
		Codec:           session.Sealed(session.JSON{}, keys...),
		IndexKey:        indexKey,
		Version:         1, // version 0 had one seat
		Upgrade:         upgrade,
		OnCorrupt:       session.QuarantineCorrupt,
		OnExpire: func(ctx context.Context, e session.Expired[Account]) error {
			return giveBack(ctx, e.ID, e.Data.Seats) // again after an error, five times at most
		},
	})
}

func upgrade(_ int, data []byte) (a Account, err error) {
	err = session.JSON{}.Decode(data, &a)
	a.Seats = 1
	return a, err
}

// giveBack stands for the follow-up of a session that was abandoned. id is the same
// in each attempt.
func giveBack(_ context.Context, id string, seats int) error { return nil }

// logOut ends all sessions of a subject: after a change of the password, say.
func logOut(ctx context.Context, m *session.Manager[Account], subject string) error {
	_, err := m.DeleteSubject(ctx, subject)
	if !errors.Is(err, session.ErrIncomplete) {
		return err
	}
	for s, err := range m.All(ctx) { // Redis has evicted an index: look at all sessions
		if err == nil && s.Subject == subject {
			err = m.Delete(ctx, s.ID)
		}
		if _, corrupt := errors.AsType[*session.CorruptError](err); err != nil && !corrupt {
			return err
		}
	}
	return nil
}

func ExampleStore_Check() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, addrs := context.Background(), []string{server.Addr()}
	indexKey, key := []byte("0123456789abcdef"), []byte("0123456789abcdef0123456789abcdef")

	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	defer client.Close()
	store := redissession.New(client, redissession.WithPrefix("shop"))
	warnings, err := store.Check(ctx) // at the start: settings that lose sessions
	for _, w := range warnings {
		slog.Warn(w)
	}
	if err != nil {
		slog.Error("redis cannot be checked", "err", err)
	}
	m, err := accounts(store, indexKey, key)
	if err != nil {
		log.Fatal(err)
	}
	m.Start()
	defer m.Stop(ctx)

	s, err := m.Create(ctx, Account{Name: "Ann"}, session.ForSubject("ann"), session.Lifetime(30*24*time.Hour, -1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(logOut(ctx, m, "ann"))
	_, err = m.Get(ctx, s.ID)
	fmt.Println(errors.Is(err, session.ErrNotFound))
	// Output:
	// <nil>
	// true
}
