// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Watch remembers for a moment what the library reports while it happens. It
// observes the locks and the breaker; the zero value is ready.
type Watch struct {
	opened   atomic.Pointer[Window] // what opened the breaker last
	verified atomic.Pointer[Verified]

	mu      sync.Mutex
	clashes []clash // the oldest first
}

// clash is a refused stay.
type clash struct {
	stay hotel.Stay
	at   time.Time
}

const (
	flash    = 3 * time.Second // how long a clash shows on the calendar
	maxClash = 200
)

// ObserveLock implements [lock.Observer].
func (w *Watch) ObserveLock(_ context.Context, e lock.Event) {
	if e.Op == lock.OpAcquire && e.Result == lock.ResultConflict {
		w.clashed(hotel.StayOf(e.Resource))
	}
}

func (w *Watch) clashed(s hotel.Stay) {
	w.mu.Lock()
	defer w.mu.Unlock()
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

// ObserveBreaker implements [circuitbreaker.Observer].
func (w *Watch) ObserveBreaker(_ context.Context, e circuitbreaker.Event) {
	if e.Op != circuitbreaker.OpChanged || e.From != circuitbreaker.Closed {
		return // a failed probe opens it again: what opened it first stays
	}
	window := windowOf(e.Before.Window, e.Reason.String())
	w.opened.Store(&window)
}

// Verified is what the latest Verify of the audit trail has found.
type Verified struct {
	At       time.Time  `json:"at"`
	Intact   int64      `json:"intact"`
	Changed  []audit.ID `json:"changed,omitempty"` // rows
	Findings int64      `json:"findings"`          // of any kind, these included
}

// Verified notes what a Verify has found.
func (w *Watch) Verified(r seal.Report, err error) {
	if err != nil {
		return // the age of the latest one says so
	}
	w.verified.Store(&Verified{At: time.Now(), Intact: r.Intact, Changed: r.Changed.IDs, Findings: r.Findings()})
}
