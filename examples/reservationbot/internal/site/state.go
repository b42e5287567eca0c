// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"errors"
	"reflect"
	"sync"
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

// State is everything that the page shows. Missing are the parts that could not be
// read just now, and when they last were: they are as they were then, or empty when
// that is zero.
type State struct {
	Time     time.Time            `json:"time"`
	Today    hotel.Date           `json:"today"`
	PMS      string               `json:"pms"` // for further bots: their -pms
	Lines    []desk.Line          `json:"lines,omitempty"`
	Breaker  Breaker              `json:"breaker"`
	Holds    []Hold               `json:"holds,omitempty"`
	Bookings []hotel.Booking      `json:"bookings,omitempty"`
	Clashes  []hotel.Stay         `json:"clashes,omitempty"` // refused within the last seconds
	Sessions Sessions             `json:"sessions"`
	Audit    Audit                `json:"audit"`
	Switches fault.Positions      `json:"switches"`
	Storm    Storms               `json:"storm"`
	Missing  map[string]time.Time `json:"missing,omitempty"` // of conversation, holds, bookings, sessions, audit

	Unsaved []desk.Line    `json:"-"` // said here, and not in the conversation
	Removed map[string]int `json:"-"` // sessions that this process found ended, otherwise than by request
}

// Breaker is the PMS's circuit breaker.
type Breaker struct {
	State    string    `json:"state"`
	ProbeAt  time.Time `json:"probe_at,omitzero"` // when it is open
	Window   Window    `json:"window"`
	Rejected uint64    `json:"rejected"`
	OpenedBy *Window   `json:"opened_by,omitempty"` // unless it is closed
}

// Window is the calls that the breaker's rules count, or had counted when it opened.
type Window struct {
	Success     uint64 `json:"success"`
	Failure     uint64 `json:"failure"`
	Consecutive int    `json:"consecutive_failures"`
	Reason      string `json:"reason,omitempty"` // why it opened
}

func windowOf(c circuitbreaker.Counts, reason string) Window {
	return Window{c.Success, c.Failure, c.Consecutive, reason}
}

// Hold is a lock on a room's nights.
type Hold struct {
	Stay      hotel.Stay `json:"stay"`
	Guest     string     `json:"guest"`
	ExpiresAt time.Time  `json:"expires_at"`
}

// Sessions are the conversations.
type Sessions struct {
	Active int64     `json:"active"`
	Latest []Session `json:"latest,omitempty"` // that this bot took part in
}

// Session is one conversation.
type Session struct {
	Guest        string    `json:"guest"`
	LastActivity time.Time `json:"last_activity"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// Total and Left are the seconds that the conversation has after a message,
// and has now.
func (s Session) Total() int { return int(s.ExpiresAt.Sub(s.LastActivity).Seconds()) }

// Left is how many of them are left.
func (s Session) Left() int { return int(time.Until(s.ExpiresAt).Seconds()) }

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

// Audit is the trail.
type Audit struct {
	Recorded uint64        `json:"recorded"`
	Written  uint64        `json:"written"`
	Queued   int           `json:"queued"`
	Dropped  uint64        `json:"dropped"`
	Latest   []audit.Event `json:"latest,omitempty"`

	Verified *Verified `json:"verified,omitempty"`
}

const latestEvents = 8

// panels are the parts of the page that other servers have.
type panels struct {
	holds    panel[[]Hold]
	bookings panel[[]hotel.Booking]
	sessions panel[Sessions]
	audit    panel[[]audit.Event]
}

func (s *Site) openPanels() {
	s.panels.holds = panel[[]Hold]{name: "holds", site: s, read: s.readHolds}
	s.panels.bookings = panel[[]hotel.Booking]{name: "bookings", site: s, read: s.PMS.Ledger}
	s.panels.sessions = panel[Sessions]{name: "sessions", site: s, read: s.readSessions}
	s.panels.audit = panel[[]audit.Event]{name: "audit", site: s, read: s.readTrail}
}

// look returns the state as it was at most a few ticks ago, with the
// conversation of the guest if there is one. It takes waitFor at most.
func (s *Site) look(ctx context.Context, guest string) State {
	ctx, cancel := context.WithTimeout(ctx, waitFor)
	defer cancel()
	st := State{
		Missing: make(map[string]time.Time), Time: time.Now(), Today: s.Desk.Today(), PMS: s.PMS.URL(),
		Breaker: s.lookAtBreaker(), Clashes: s.Watch.recent(),
		Switches: s.Switches.Read(), Storm: *s.storm.Load(), Audit: s.countEvents(), Removed: s.history.Load().ended,
	}
	p := &s.panels
	_, _, _, _ = p.holds.start(), p.bookings.start(), p.sessions.start(), p.audit.start() // all at once
	if desk.IsName(guest) {
		s.visitors.of(s, guest).look(ctx, &st)
	}
	st.Holds = p.holds.wait(ctx, &st)
	st.Bookings = p.bookings.wait(ctx, &st)
	st.Sessions = p.sessions.wait(ctx, &st)
	st.Audit.Latest = p.audit.wait(ctx, &st)
	return st
}

func (s *Site) lookAtBreaker() Breaker {
	b := s.Desk.Breaker.Stats()
	shown := Breaker{State: b.State.String(), Window: windowOf(b.Window, ""), Rejected: b.Rejected}
	if b.State == circuitbreaker.Open {
		shown.ProbeAt = time.Now().Add(b.OpenLeft).Round(time.Second) // it is computed anew each time
	}
	if b.State == circuitbreaker.Open || b.State == circuitbreaker.HalfOpen {
		shown.OpenedBy = s.Watch.opened.Load()
	}
	return shown
}

func (s *Site) readHolds(ctx context.Context) (holds []Hold, err error) {
	for h, err := range s.Desk.Locks.Holds(ctx, lock.Resource{}) {
		if err != nil {
			return holds, err
		}
		holds = append(holds, Hold{hotel.StayOf(h.Resource), h.Holder, h.ExpiresAt})
	}
	return holds, nil
}

func (s *Site) readSessions(ctx context.Context) (found Sessions, err error) {
	found.Active, err = s.Desk.Chats.Count(ctx)
	if err != nil {
		return found, err
	}
	guests := s.visitors.latest()
	for _, guest := range guests[:min(len(guests), maxListed)] {
		one, err := s.Desk.Chats.Peek(ctx, desk.SessionOf(guest))
		switch {
		case err == nil:
			found.Latest = append(found.Latest, Session{guest, one.LastActivity, one.ExpiresAt})
		case !errors.Is(err, session.ErrNotFound):
			return found, err
		}
	}
	return found, nil
}

// countEvents asks the trail's queue, which is in this process.
func (s *Site) countEvents() Audit {
	stats := s.Trail.Stats()
	shown := Audit{Recorded: stats.Recorded, Written: stats.Written, Queued: stats.Queued, Verified: s.Watch.verified.Load()}
	for _, n := range stats.Dropped {
		shown.Dropped += n
	}
	return shown
}

func (s *Site) readTrail(ctx context.Context) (latest []audit.Event, err error) {
	if s.Switches.Read()["audit"] == fault.Down {
		return nil, fault.ErrSwitchedOff
	}
	for e, err := range s.Events.Query(ctx, gormsink.Criteria{Newest: true}) {
		if err != nil || len(latest) == latestEvents {
			return latest, err
		}
		latest = append(latest, e)
	}
	return latest, nil
}

const (
	readFor = 2 * time.Second        // of one read of a part
	waitFor = 700 * time.Millisecond // of a page for all parts together
	idle    = 8                      // ticks between two reads while nothing happens here
)

// panel is what one part of the page shows, as it was last read. At most one
// read is under way at a time, in the background: a part that does not answer
// takes one connection, and delays no other part.
type panel[T any] struct {
	name string
	site *Site
	read func(context.Context) (T, error)

	mu     sync.Mutex
	value  T
	asOf   time.Time     // when value was read; zero = never
	failed bool          // the latest read
	ended  time.Time     // the latest read
	seen   uint64        // the change that the latest read began after
	done   chan struct{} // closed at the end of the read that is under way; nil = none is
}

// start begins a read when the latest is too old, and returns the channel of the
// read to wait for, or nil.
func (p *panel[T]) start() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	change, every := p.site.pace()
	known := !p.ended.IsZero() && p.seen == change
	if p.done == nil && (!known || time.Since(p.ended) >= every) {
		done := make(chan struct{})
		if p.site.begin(func() { p.refresh(change, done) }) {
			p.done = done
		}
	}
	if known && (p.failed || p.done == nil) {
		return nil // a part that is out of order is not waited for again
	}
	return p.done
}

func (p *panel[T]) refresh(change uint64, done chan struct{}) {
	ctx, cancel := context.WithTimeout(p.site.ctx, readFor)
	defer cancel()
	value, err := p.read(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.seen, p.failed, p.done = time.Now(), change, err != nil, nil
	close(done)
	if err != nil {
		return
	}
	p.asOf = p.ended
	if !reflect.DeepEqual(p.value, value) { // equal states share their lists: comparing them is cheap
		p.value = value
	}
}

// wait returns the latest value, after the read that is under way or when ctx
// ends. It adds to old what is missing.
func (p *panel[T]) wait(ctx context.Context, old *State) T {
	for done := p.start(); done != nil; done = p.start() {
		select {
		case <-done:
			continue
		case <-ctx.Done():
		}
		break
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed || p.asOf.IsZero() || p.done != nil && time.Since(p.asOf) > 2*idle*p.site.Tick {
		old.Missing[p.name] = p.asOf
	}
	return p.value
}
