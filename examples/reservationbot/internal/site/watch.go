// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Watch remembers for a moment what the library tells while it happens. It
// observes the locks; the zero value is ready.
type Watch struct {
	mu        sync.Mutex
	clashes   []clash  // the oldest first
	guests    []string // the latest last
	conflicts uint64
}

// clash is a refused stay.
type clash struct {
	stay hotel.Stay
	at   time.Time
}

const (
	flash     = 3 * time.Second // how long a clash shows on the calendar
	maxClash  = 200
	maxGuest  = 64 // that are remembered
	maxListed = 8  // whose conversations are listed
	roomsName = "room/"
)

// ObserveLock implements [lock.Observer].
func (w *Watch) ObserveLock(_ context.Context, e lock.Event) {
	if e.Op == lock.OpAcquire && e.Result == lock.Conflicted {
		w.clashed(stayOf(e.Resource))
	}
}

// stayOf is the reverse of [hotel.Stay.Resource].
func stayOf(r lock.Resource) hotel.Stay {
	in, out := r.Times()
	room := r.Name()
	if len(room) > len(roomsName) {
		room = room[len(roomsName):]
	}
	return hotel.Stay{Room: room, In: hotel.DateOf(in), Out: hotel.DateOf(out)}
}

func (w *Watch) clashed(s hotel.Stay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conflicts++
	w.clashes = append(w.clashes, clash{s, time.Now()})
	w.clashes = w.clashes[max(len(w.clashes)-maxClash, 0):]
}

// recent returns the stays that were refused within the last seconds.
func (w *Watch) recent() (stays []hotel.Stay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clashes {
		if time.Since(c.at) < flash {
			stays = append(stays, c.stay)
		}
	}
	return stays
}

// met remembers whose conversations to list.
func (w *Watch) met(guest string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guests = slices.DeleteFunc(w.guests, func(g string) bool { return g == guest })
	w.guests = append(w.guests, guest)
	w.guests = w.guests[max(len(w.guests)-maxGuest, 0):]
}

// latestGuests returns them, the latest first.
func (w *Watch) latestGuests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	guests := slices.Clone(w.guests)
	slices.Reverse(guests)
	return guests
}
