// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// onMemory puts a bot's locks and conversations into memory stores.
func onMemory(t testing.TB, b *bot) *bot {
	t.Helper()
	var err error
	b.Desk.Locks, err = lock.New(memlock.New(), lock.Config{Name: "memory", TTL: holdFor, MaxExtensions: 3, Audit: b.Trail})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Desk.Locks.Close(context.Background()) })
	b.Desk.Chats, err = session.New(memsession.New(), session.Config[desk.Chat]{Name: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	b.Desk.Orders, err = session.New(memsession.New(), session.Config[hotel.Order]{Name: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	b.oracle = nil // it watches the others
	return b
}

// The ratio is printed, not judged: a test has no bar of time. The storms
// take turns, each on a hotel of its own, and the medians are compared.
func TestAStormOnTheEmbeddedRedisBesideOneInMemory(t *testing.T) {
	guests := "250"
	if os.Getenv("HOLDFAST_LONG") != "" {
		guests = "1000"
	}
	run := func(b *bot) time.Duration {
		began := time.Now()
		s := b.storm()
		r, err := s.Run(t.Context(), s.Plan(b.options.storm), io.Discard)
		if err != nil || r.DoubleBookings != 0 || r.Errors != 0 || r.Booked == 0 {
			t.Errorf("%+v, %v", r, err)
		}
		return time.Since(began)
	}
	var embedded, memory []time.Duration
	for range 3 {
		embedded = append(embedded, run(start(t, "-storm", guests)))
		memory = append(memory, run(onMemory(t, start(t, "-storm", guests))))
	}
	slices.Sort(embedded)
	slices.Sort(memory)
	t.Logf("%s guests: %v on the embedded Redis, %v in memory, ratio %.2f", guests, embedded[1].Round(time.Millisecond), memory[1].Round(time.Millisecond),
		embedded[1].Seconds()/memory[1].Seconds())
}
