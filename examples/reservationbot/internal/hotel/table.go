// SPDX-License-Identifier: MIT

package hotel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// table is the PMS's own memory. It never checks whether a room is free.
type table struct {
	rooms []string

	mu        sync.Mutex
	random    *rand.Rand
	bookings  []Booking // in the order in which they were accepted
	fences    map[night]uint64
	withdrawn map[string]bool // keys of orders that must not be booked any more
}

type night struct {
	room string
	date Date
}

func newTable(rooms []string, seed uint64) *table {
	return &table{
		rooms:     rooms,
		random:    rand.New(rand.NewPCG(seed, 0)),
		fences:    make(map[night]uint64),
		withdrawn: make(map[string]bool),
	}
}

// pass reports whether no later lease has shown its fence on one of the
// nights, and remembers this one. t.mu is held.
func (t *table) pass(s Stay, fence uint64) bool {
	if fence == 0 {
		return true
	}
	nights := s.Nights()
	for _, d := range nights {
		if t.fences[night{s.Room, d}] > fence {
			return false
		}
	}
	for _, d := range nights {
		t.fences[night{s.Room, d}] = fence
	}
	return true
}

// book accepts an order, whatever else is booked. It answers a repeated key
// with the booking it made the first time, and refuses one whose fence is stale or
// that was withdrawn.
func (t *table) book(o Order) (Booking, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.bookings, func(b Booking) bool { return b.Key == o.Key }); i >= 0 {
		return t.bookings[i], nil
	}
	if t.withdrawn[o.Key] || !t.pass(o.Stay, o.Fence) {
		return Booking{}, ErrStaleFence
	}
	b := Booking{t.newReference(), o}
	t.bookings = append(t.bookings, b)
	return b, nil
}

const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // none that look alike

func (t *table) newReference() string {
	for {
		code := make([]byte, 5)
		for i := range code {
			code[i] = letters[t.random.IntN(len(letters))]
		}
		ref := fmt.Sprintf("HF-%s", code)
		if !slices.ContainsFunc(t.bookings, func(b Booking) bool { return b.Reference == ref }) {
			return ref
		}
	}
}

// forget forgets the bookings that fit, and reports whether there was one. The
// fences stay: leases are not undone.
func (t *table) forget(fits func(Booking) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.bookings)
	t.bookings = slices.DeleteFunc(t.bookings, fits)
	return len(t.bookings) < before
}

// withdraw cancels the order's booking, now or when the order arrives.
func (t *table) withdraw(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.withdrawn[key] = true
	t.bookings = slices.DeleteFunc(t.bookings, func(b Booking) bool { return b.Key == key })
}

// overlapping lists the bookings that share nights with the stay, unless the fence
// is stale. What it lists to the holder of a fence stays
// true: an order with an earlier one that is still on its way comes too late.
func (t *table) overlapping(s Stay, fence uint64) ([]Booking, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := []Booking{}
	if !t.pass(s, fence) {
		return nil, ErrStaleFence
	}
	for _, b := range t.bookings {
		if s.Overlaps(b.Stay) {
			found = append(found, b)
		}
	}
	return found, nil
}

// free lists the rooms without a booking between the dates.
func (t *table) free(in, out Date) []string {
	found := []string{}
	for _, room := range t.rooms {
		if booked, _ := t.overlapping(Stay{room, in, out}, 0); len(booked) == 0 {
			found = append(found, room)
		}
	}
	return found
}

// doubleBookings counts the bookings that share a night with an earlier one.
func (t *table) doubleBookings() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	sold := make(map[night]bool)
	count := 0
	for _, b := range t.bookings {
		again := false
		for _, d := range b.Stay.Nights() {
			again = again || sold[night{b.Stay.Room, d}]
			sold[night{b.Stay.Room, d}] = true
		}
		if again {
			count++
		}
	}
	return count
}

// all lists the bookings, the oldest first.
func (t *table) all() []Booking {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Booking{}, t.bookings...)
}
