// SPDX-License-Identifier: MIT

//go:build !386 && !arm && !mips && !mipsle

package redislock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// server stands for your Redis.
func server() (client *redis.Client, stop func()) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		panic(err)
	}
	client = redis.NewClient(&redis.Options{Addr: m.Addr(), ContextTimeoutEnabled: true})
	return client, func() { _ = client.Close(); m.Close() }
}

func Example() {
	server, err := miniredis.Run() // stands for your Redis
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx, addrs := context.Background(), []string{server.Addr()}

	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	defer client.Close()
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
	if err != nil {
		log.Fatal(err)
	}
	defer rooms.Close(ctx) // releases what is held

	lease, err := rooms.TryAcquire(ctx, lock.Key("room/101"), lock.Holder("ana"))
	fmt.Println(lease.Resource(), err)
	// Output: room/101 <nil>
}

func ExampleNew() {
	client, stop := server()
	defer stop()
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	defer rooms.Close(ctx)

	checkIn := time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)
	lease, err := rooms.TryAcquire(ctx, lock.Nights("room/101", checkIn, checkIn.AddDate(0, 0, 3)), lock.Holder("ana"))
	if err != nil {
		panic(err)
	}
	defer lease.Release(ctx)
	fmt.Println("ana has", lease.Resource())

	_, err = rooms.TryAcquire(ctx, lock.Nights("room/101", checkIn.AddDate(0, 0, 2), checkIn.AddDate(0, 0, 4)), lock.Holder("ben"))
	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
		if first, ok := conflict.First(); ok {
			fmt.Println("in ben's way:", first.Hold.Holder)
		}
	}
	// Output:
	// ana has room/101 [2026-12-12, 2026-12-15)
	// in ben's way: ana
}

func ExampleWithPrefix() {
	client, stop := server()
	defer stop()
	ctx := context.Background()
	store := redislock.New(client, redislock.WithPrefix("booking"))
	_, err := store.Acquire(ctx, lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: "rooms", Group: "hotel 1", Name: "room/101", ID: "id", Token: "secret"},
		Resource:    lock.Key("room/101"), TTL: time.Minute,
	})
	if err != nil {
		panic(err)
	}
	keys := client.Keys(ctx, "*").Val()
	fmt.Println(strings.Join(keys, "\n"))
	// Unordered output:
	// booking:rooms:lock:{hotel 1}:l
	// booking:rooms:lock:{hotel 1}:x
}

func ExampleStore_Holds() {
	client, stop := server()
	defer stop()
	ctx := context.Background()
	store := redislock.New(client)
	for i, r := range []lock.Resource{lock.Span("hall", 10, 12), lock.Span("hall", 2, 5), lock.Key("pool")} {
		_, err := store.Acquire(ctx, lock.StoreClaim{
			StoreTicket: lock.StoreTicket{Space: "rooms", Group: "hotel", Name: r.Name(), ID: fmt.Sprint("id", i), Token: "secret"},
			Resource:    r, TTL: time.Minute, Holder: fmt.Sprint("guest ", i),
		})
		if err != nil {
			panic(err)
		}
	}
	for h, err := range store.Holds(ctx, lock.StoreQuery{Space: "rooms", Group: "hotel"}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(h.Resource, "by", h.Holder)
	}
	// Output:
	// hall [2, 5) by guest 1
	// hall [10, 12) by guest 0
	// pool by guest 2
}
