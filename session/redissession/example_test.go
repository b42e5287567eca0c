// SPDX-License-Identifier: MIT

//go:build !386 && !arm && !mips && !mipsle

package redissession_test

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

type Cart struct{ Items []string }

// connect stands for the client that a service has already.
func connect() (rdb *redis.Client, m *miniredis.Miniredis) {
	m, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	return redis.NewClient(&redis.Options{Addr: m.Addr(), ContextTimeoutEnabled: true}), m
}

func Example() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, addrs := context.Background(), []string{server.Addr()}

	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	defer client.Close()
	carts, err := session.New(redissession.New(client), session.Config[Cart]{Name: "carts"})
	if err != nil {
		log.Fatal(err)
	}
	carts.Start() // removes expired sessions in the background
	defer carts.Stop(ctx)

	s, err := carts.Create(ctx, Cart{Items: []string{"breakfast"}})
	if err != nil {
		log.Fatal(err)
	}
	s, err = carts.Get(ctx, s.ID)
	fmt.Println(s.Data.Items, err)
	// Output: [breakfast] <nil>
}

func ExampleNew() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	carts, err := session.New(redissession.New(rdb), session.Config[Cart]{Name: "carts", IdleTimeout: 30 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	s, err := carts.Create(ctx, Cart{}, session.ForSubject("guest 7"))
	if err != nil {
		log.Fatal(err)
	}
	s, err = carts.Update(ctx, s.ID, func(c *Cart) error {
		c.Items = append(c.Items, "breakfast")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	n, err := carts.Count(ctx)
	fmt.Println(s.Data.Items, n, err)
	// Output: [breakfast] 1 <nil>
}

// Two services that share a Redis keep apart by their prefixes.
func ExampleWithPrefix() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	for _, service := range []string{"shop", "admin"} {
		m, err := session.New(redissession.New(rdb, redissession.WithPrefix(service)), session.Config[Cart]{Name: "carts"})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := m.Create(ctx, Cart{}); err != nil {
			log.Fatal(err)
		}
		n, err := m.Count(ctx)
		fmt.Println(service, n, err)
	}
	// Output:
	// shop 1 <nil>
	// admin 1 <nil>
}

// With one partition all sessions of a manager are in one slot.
func ExampleWithPartitions() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	m, err := session.New(redissession.New(rdb, redissession.WithPartitions(1)), session.Config[Cart]{Name: "carts"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Create(ctx, Cart{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Exists("holdfast:carts:session:{0}:x"))
	// Output: true
}

// Damaged records wait two days in a quarantine of 1 MiB.
func ExampleWithQuarantine() {
	rdb, server := connect()
	defer server.Close()
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	store := redissession.New(rdb, redissession.WithQuarantine(1<<20, 48*time.Hour))
	m, err := session.New(store, session.Config[Cart]{Name: "carts", OnCorrupt: session.QuarantineCorrupt})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Create(ctx, Cart{})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range server.Keys() {
		if v, err := server.Get(key); err == nil {
			server.Set(key, v[:len(v)-1]) // a byte is lost
		}
	}
	_, err = m.Get(ctx, s.ID)
	if corrupt, ok := errors.AsType[*session.CorruptError](err); ok {
		fmt.Println(corrupt.Reason)
	}
	counted, err := store.Count(ctx, "carts")
	fmt.Println(counted.Quarantined, err)
	// Output:
	// corrupted
	// 1 <nil>
}
