// SPDX-License-Identifier: MIT

package hotel

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func start(t *testing.T) *Client {
	t.Helper()
	s, err := StartSimulator(Rooms(3), 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(s.URL, 4)
	t.Cleanup(func() {
		c.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func nights(room string, from, n int) Stay {
	in := Day(2026, time.December, from)
	return Stay{room, in, in.Plus(n)}
}

func book(t *testing.T, c *Client, key string, s Stay, fence uint64) Booking {
	t.Helper()
	b, err := c.Book(t.Context(), Order{Key: key, Guest: "ana", Stay: s, Fence: fence})
	if err != nil {
		t.Fatalf("book %s: %v", key, err)
	}
	return b
}

func doubles(t *testing.T, c *Client) int {
	t.Helper()
	n, err := c.DoubleBookings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestThePMSAcceptsOverlapsAndCountsThem(t *testing.T) {
	c := start(t)
	book(t, c, "a", nights("101", 12, 3), 0)
	book(t, c, "b", nights("101", 15, 1), 0) // arrives when the first one leaves
	book(t, c, "c", nights("102", 12, 3), 0)
	if n := doubles(t, c); n != 0 {
		t.Fatalf("%d double bookings before any", n)
	}
	book(t, c, "d", nights("101", 14, 2), 0) // shares a night with each of the first two
	if n := doubles(t, c); n != 1 {
		t.Fatalf("%d double bookings, want 1", n)
	}
}

func TestThePMSBooksAKeyOnce(t *testing.T) {
	c := start(t)
	first := book(t, c, "a", nights("101", 12, 3), 7)
	if again := book(t, c, "a", nights("101", 12, 3), 7); again != first {
		t.Errorf("the same order made %v and %v", first, again)
	}
}

// A lease on other nights of the room may be younger or older: that says
// nothing about this one.
func TestThePMSRefusesAStaleFenceOnTheSameNightsOnly(t *testing.T) {
	c := start(t)
	book(t, c, "late", nights("101", 12, 3), 9)
	_, err := c.Book(t.Context(), Order{Key: "early", Stay: nights("101", 14, 2), Fence: 8})
	if !errors.Is(err, ErrStaleFence) {
		t.Errorf("a stale fence got %v", err)
	}
	book(t, c, "beside", nights("101", 15, 2), 8)
	book(t, c, "elsewhere", nights("102", 12, 3), 8)
}

// Otherwise an order that is late could make the list untrue after the holder
// of the later lease has read it.
func TestAskingWithAFenceKeepsEarlierLeasesOut(t *testing.T) {
	c := start(t)
	if list, err := c.Bookings(t.Context(), nights("101", 12, 3), 9); err != nil || len(list) != 0 {
		t.Fatalf("bookings: %v, %v", list, err)
	}
	if _, err := c.Book(t.Context(), Order{Key: "late", Stay: nights("101", 14, 2), Fence: 8}); !errors.Is(err, ErrStaleFence) {
		t.Errorf("a late order got %v", err)
	}
	if _, err := c.Bookings(t.Context(), nights("101", 14, 2), 8); !errors.Is(err, ErrStaleFence) {
		t.Errorf("a late question got %v", err)
	}
}

func TestACanceledBookingFreesItsNights(t *testing.T) {
	c := start(t)
	b := book(t, c, "a", nights("101", 12, 3), 0)
	free, err := c.Free(t.Context(), b.Stay.In, b.Stay.Out)
	if err != nil || fmt.Sprint(free) != "[102 103]" {
		t.Errorf("free: %v, %v", free, err)
	}
	list, err := c.Bookings(t.Context(), nights("101", 14, 5), 0)
	if err != nil || len(list) != 1 || list[0] != b {
		t.Errorf("bookings: %v, %v", list, err)
	}
	if err := c.Cancel(t.Context(), b.Reference); err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context(), b.Reference); !errors.Is(err, ErrNoBooking) {
		t.Errorf("the second cancel got %v", err)
	}
	if free, _ := c.Free(t.Context(), b.Stay.In, b.Stay.Out); len(free) != 3 {
		t.Errorf("free after the cancel: %v", free)
	}
}

func TestFaultsCanBeSwitched(t *testing.T) {
	c := start(t)
	set := func(m string) {
		t.Helper()
		if err := c.SetMode(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := c.Book(ctx, Order{Key: "k", Stay: nights("101", 12, 1)})
		return err
	}
	set(Failing)
	if err := ask(10 * time.Second); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("failing: %v, want an answer that is an error", err)
	}
	set(Hanging)
	if err := ask(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v, want the deadline", err)
	}
	set(Slow)
	if err := ask(10 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v, want the deadline", err)
	}
	if list, err := c.Bookings(t.Context(), nights("101", 12, 1), 0); err != nil || len(list) != 0 {
		t.Errorf("an order whose client had gone was booked: %v, %v", list, err)
	}
	if err := ask(10 * time.Second); err != nil {
		t.Errorf("slow, with patience: %v", err)
	}
	set(Healthy)
	if err := ask(10 * time.Second); err != nil {
		t.Errorf("healthy: %v", err)
	}
	if err := c.SetMode(t.Context(), "sleepy"); err == nil {
		t.Error("an unknown mode is accepted")
	}
}

func TestThePMSRefusesOrdersThatMakeNoSense(t *testing.T) {
	c := start(t)
	for name, o := range map[string]Order{
		"no key":       {Stay: nights("101", 12, 1)},
		"no such room": {Key: "k", Stay: nights("999", 12, 1)},
		"no nights":    {Key: "k", Stay: nights("101", 12, 0)},
	} {
		if _, err := c.Book(t.Context(), o); err == nil {
			t.Errorf("%s: booked", name)
		}
	}
}

func TestRoomsAreNumberedByFloor(t *testing.T) {
	if got := Rooms(12); got[0] != "101" || got[9] != "110" || got[10] != "201" || got[11] != "202" {
		t.Errorf("rooms are %v", got)
	}
}
