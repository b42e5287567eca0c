// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"net/http"
	"strconv"
)

// Tally is what came of a storm.
type Tally struct {
	Guests         int     `json:"guests"`
	Rooms          int     `json:"rooms"`
	Booked         int     `json:"booked"`
	Conflicts      int     `json:"conflicts"`
	Fallbacks      int     `json:"fallbacks"`
	DoubleBookings int     `json:"double_bookings"`
	Errors         int     `json:"errors"` // of the bot, and refusals that nothing explains
	AuditEvents    uint64  `json:"audit_events"`
	AuditLost      uint64  `json:"audit_lost"` // events that the trail does not have
	P50            float64 `json:"p50_ms"`     // from message to answer
	P99            float64 `json:"p99_ms"`
}

// Storms is the latest storm and, beside it, the same one without locks.
type Storms struct {
	Running bool   `json:"running"`
	Guests  int    `json:"guests,omitempty"`
	With    *Tally `json:"with_locks,omitempty"`
	Without *Tally `json:"without_locks,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Of returns what the page shows of both storms: "double", or one of tallied.
func (s Storms) Of(what string) []string {
	cells := []string{"–", "–"}
	for i, t := range []*Tally{s.With, s.Without} {
		switch {
		case t != nil:
			cells[i] = map[string]string{
				"double": strconv.Itoa(t.DoubleBookings), "booked": strconv.Itoa(t.Booked), "refused": strconv.Itoa(t.Conflicts),
				"fallback": strconv.Itoa(t.Fallbacks), "errors": strconv.Itoa(t.Errors), "p99": strconv.Itoa(int(t.P99)),
			}[what]
		case s.Running:
			cells[i] = "…"
		}
	}
	return cells
}

var tallied = []string{"booked", "refused", "fallback", "errors", "p99"}

const maxGuests = 5000

// startStorm begins a storm in the background, unless one is on. It ends with
// the site.
func (s *Site) startStorm(guests int) (any, error) {
	if guests < 1 || guests > maxGuests {
		return nil, failure{http.StatusBadRequest, fmt.Sprintf("Between 1 and %d guests are possible.", maxGuests)}
	}
	before, now := s.storm.Load(), Storms{Running: true, Guests: guests}
	if before.Running || !s.storm.CompareAndSwap(before, &now) {
		return nil, failure{http.StatusConflict, "A storm is on already."}
	}
	if !s.begin(func() { s.rage(now) }) {
		return nil, failure{http.StatusServiceUnavailable, "The page is being closed."}
	}
	return now, nil
}

// rage runs both storms, one after the other.
func (s *Site) rage(now Storms) {
	show := func() {
		shown := now
		s.storm.Store(&shown)
		s.streams.hurry()
	}
	err := s.Storms(s.ctx, now.Guests, func(t Tally) {
		if now.With == nil {
			now.With = &t
		} else {
			now.Without = &t
		}
		show()
	})
	now.Running = false
	if err != nil {
		now.Error = err.Error()
	}
	show()
}
