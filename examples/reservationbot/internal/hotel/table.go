// SPDX-License-Identifier: MIT

package hotel

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
func (t *table) book(r *http.Request) (any, error) {
	var o Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		return nil, err
	}
	if o.Key == "" || !slices.Contains(t.rooms, o.Stay.Room) || !o.Stay.In.Before(o.Stay.Out) {
		return nil, errors.New("no key, no such room, or no nights")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.bookings, func(b Booking) bool { return b.Key == o.Key }); i >= 0 {
		return t.bookings[i], nil
	}
	if t.withdrawn[o.Key] || !t.pass(o.Stay, o.Fence) {
		return nil, ErrStaleFence
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

func (t *table) cancel(r *http.Request) (any, error) {
	if !t.forget(func(b Booking) bool { return b.Reference == r.PathValue("reference") }) {
		return nil, ErrNoBooking
	}
	return nil, nil
}

// withdraw cancels the order's booking, now or when the order arrives.
func (t *table) withdraw(r *http.Request) (any, error) {
	key := r.PathValue("key")
	t.mu.Lock()
	t.withdrawn[key] = true
	t.mu.Unlock()
	t.forget(func(b Booking) bool { return b.Key == key })
	return nil, nil
}

func (t *table) clear(r *http.Request) (any, error) {
	t.forget(func(b Booking) bool { return strings.HasPrefix(b.Guest, r.URL.Query().Get("guests")) })
	return nil, nil
}

// find lists the bookings that fit, the oldest first.
func (t *table) find(fits func(Booking) bool) []Booking {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := []Booking{}
	for _, b := range t.bookings {
		if fits(b) {
			found = append(found, b)
		}
	}
	return found
}

// list lists the bookings of a guest, or those that share nights with a stay, unless
// the fence is stale. What it lists to the holder of a fence stays true: an order with
// an earlier one that is still on its way comes too late.
func (t *table) list(r *http.Request) (any, error) {
	query := r.URL.Query()
	if guest := query.Get("guest"); guest != "" {
		return t.find(func(b Booking) bool { return b.Guest == guest }), nil
	}
	stay, wrong := stayOf(r)
	fence, err := strconv.ParseUint(query.Get("fence"), 10, 64)
	if err = errors.Join(wrong, err); err != nil {
		return nil, err
	}
	t.mu.Lock()
	fresh := t.pass(stay, fence)
	t.mu.Unlock()
	if !fresh {
		return nil, ErrStaleFence
	}
	return t.find(func(b Booking) bool { return stay.Overlaps(b.Stay) }), nil
}

// free lists the rooms without a booking between the dates.
func (t *table) free(r *http.Request) (any, error) {
	stay, err := stayOf(r)
	booked := t.find(func(b Booking) bool { return Stay{b.Stay.Room, stay.In, stay.Out}.Overlaps(b.Stay) })
	return slices.DeleteFunc(slices.Clone(t.rooms), func(room string) bool {
		return slices.ContainsFunc(booked, func(b Booking) bool { return b.Stay.Room == room })
	}), err
}

func stayOf(r *http.Request) (Stay, error) {
	query := r.URL.Query()
	in, wrong := ParseDate(query.Get("from"))
	out, err := ParseDate(query.Get("to"))
	return Stay{query.Get("room"), in, out}, errors.Join(wrong, err)
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
