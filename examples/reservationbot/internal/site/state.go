// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// State is everything that the page shows. What could not be read is missing,
// and Errors says why. Its lists are never null.
type State struct {
	Time     time.Time       `json:"time"`
	Today    hotel.Date      `json:"today"`
	PMS      string          `json:"pms"` // for further bots: their -pms
	Lines    []desk.Line     `json:"lines,omitempty"`
	Breaker  Breaker         `json:"breaker"`
	Holds    []Hold          `json:"holds"`
	Bookings []hotel.Booking `json:"bookings"`
	Clashes  []hotel.Stay    `json:"clashes"` // refused within the last seconds
	Sessions Sessions        `json:"sessions"`
	Audit    Audit           `json:"audit"`
	Switches fault.Switches  `json:"switches"`
	Storm    Storms          `json:"storm"`
	Errors   []string        `json:"errors,omitempty"`
}

// Breaker is the PMS's circuit breaker.
type Breaker struct {
	State       string    `json:"state"`
	Since       time.Time `json:"since"`
	ProbeAt     time.Time `json:"probe_at,omitzero"` // when it is open
	Success     uint64    `json:"window_success"`
	Failure     uint64    `json:"window_failure"`
	Consecutive int       `json:"consecutive_failures"`
	Rejected    uint64    `json:"rejected"`
	Calls       uint64    `json:"calls"`
}

// Hold is a lock on a room's nights.
type Hold struct {
	Stay       hotel.Stay `json:"stay"`
	Guest      string     `json:"guest"`
	ExpiresAt  time.Time  `json:"expires_at"`
	Extensions int        `json:"extensions"`
	Fence      uint64     `json:"fence"`
}

// Sessions are the conversations.
type Sessions struct {
	Active int64     `json:"active"`
	Latest []Session `json:"latest"` // that this bot took part in
}

// Session is one conversation.
type Session struct {
	Guest        string    `json:"guest"`
	LastActivity time.Time `json:"last_activity"`
	ExpiresAt    time.Time `json:"expires_at"`
	Lines        int       `json:"lines"`
}

// Total and Left are the seconds that the conversation has after a message,
// and has now.
func (s Session) Total() int { return int(s.ExpiresAt.Sub(s.LastActivity).Seconds()) }

// Left is how many of them are left.
func (s Session) Left() int { return int(time.Until(s.ExpiresAt).Seconds()) }

// Audit is the trail.
type Audit struct {
	Recorded uint64  `json:"recorded"`
	Written  uint64  `json:"written"`
	Queued   int     `json:"queued"`
	Dropped  uint64  `json:"dropped"`
	Latest   []Entry `json:"latest"`
}

// Entry is one event of the trail.
type Entry struct {
	Time        time.Time `json:"time"`
	Type        string    `json:"type"`
	Outcome     string    `json:"outcome"`
	Actor       string    `json:"actor"`
	What        string    `json:"what"`
	Reason      string    `json:"reason,omitempty"`
	Correlation string    `json:"correlation,omitempty"`
}

const latestEvents = 8

// look reads everything, and the conversation of the guest if there is one.
func (s *Site) look(ctx context.Context, guest string) State {
	st := State{
		Time: time.Now(), Today: s.Desk.Today(), PMS: s.PMS.URL(),
		Breaker: s.lookAtBreaker(), Clashes: s.recent(),
		Switches: s.Switches.Read(), Storm: s.storm.read(),
	}
	note := func(what string, err error) {
		if err != nil {
			st.Errors = append(st.Errors, what)
		}
	}
	var err error
	if desk.IsName(guest) {
		st.Lines, err = s.Desk.History(ctx, guest)
		note("conversation", err)
	}
	st.Holds, err = s.lookAtHolds(ctx)
	note("holds", err)
	st.Bookings, err = s.PMS.Ledger(ctx)
	note("bookings", err)
	st.Sessions, err = s.lookAtSessions(ctx)
	note("sessions", err)
	st.Audit, err = s.lookAtTrail(ctx)
	note("audit", err)
	st.Holds, st.Bookings, st.Clashes = listed(st.Holds), listed(st.Bookings), listed(st.Clashes)
	st.Sessions.Latest, st.Audit.Latest = listed(st.Sessions.Latest), listed(st.Audit.Latest)
	return st
}

// listed makes a list of none an empty one, which JSON writes as [], not null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Site) lookAtBreaker() Breaker {
	b := s.Desk.Breaker.Stats()
	shown := Breaker{
		State: b.State.String(), Since: b.Since,
		Success: b.Window.Success, Failure: b.Window.Failure, Consecutive: b.Window.Consecutive,
		Rejected: b.Rejected, Calls: b.Total.Success + b.Total.Failure + b.Total.Ignored,
	}
	if b.State == circuitbreaker.Open {
		shown.ProbeAt = time.Now().Add(b.OpenLeft)
	}
	return shown
}

func (s *Site) lookAtHolds(ctx context.Context) (holds []Hold, err error) {
	for h, err := range s.Rooms.Holds(ctx, lock.Resource{}) {
		if err != nil {
			return holds, err
		}
		holds = append(holds, Hold{stayOf(h.Resource), h.Holder, h.ExpiresAt, h.Extensions, h.Fence})
	}
	return holds, nil
}

func (s *Site) lookAtSessions(ctx context.Context) (found Sessions, err error) {
	found.Active, err = s.Desk.Chats.Count(ctx)
	if err != nil {
		return found, err
	}
	guests := s.latestGuests()
	for _, guest := range guests[:min(len(guests), maxListed)] {
		one, err := s.Desk.Chats.Peek(ctx, desk.SessionOf(guest))
		switch {
		case err == nil:
			found.Latest = append(found.Latest, Session{guest, one.LastActivity, one.ExpiresAt, len(one.Data.Lines)})
		case !errors.Is(err, session.ErrNotFound):
			return found, err
		}
	}
	return found, nil
}

func (s *Site) lookAtTrail(ctx context.Context) (Audit, error) {
	stats := s.Trail.Stats()
	shown := Audit{Recorded: stats.Recorded, Written: stats.Written, Queued: stats.Queued}
	for _, n := range stats.Dropped {
		shown.Dropped += n
	}
	if s.Switches.Read().Audit == fault.Down {
		return shown, fault.ErrSwitchedOff
	}
	for e, err := range s.Events.Query(ctx, gormsink.Criteria{Newest: true}) {
		if err != nil || len(shown.Latest) == latestEvents {
			return shown, err
		}
		shown.Latest = append(shown.Latest, entryOf(e))
	}
	return shown, nil
}

func entryOf(e audit.Event) Entry {
	what := e.Resource.Name
	if what == "" {
		what = e.Resource.ID
	}
	return Entry{e.Time, e.Type, e.Outcome.String(), e.Actor.ID, what, e.Reason, e.Correlation}
}
