// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fakePMS is a PMS in memory that counts its calls.
type fakePMS struct {
	mu       sync.Mutex
	calls    int
	err      error                // of every call
	meddle   func(o *hotel.Order) // called before an order is booked or withdrawn
	stale    bool                 // orders are refused
	mute     bool                 // orders are booked, but the answer gets lost
	die      bool                 // the bot dies before the answer
	bookings []hotel.Booking
}

// call counts a call, and keeps others out until it is done.
func (p *fakePMS) call() (done func(), err error) {
	p.mu.Lock()
	p.calls++
	return p.mu.Unlock, p.err
}

// booked are the bookings, also while orders are settled.
func (p *fakePMS) booked() []hotel.Booking {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.bookings)
}

// fail sets the error of every call, also while orders are settled.
func (p *fakePMS) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// find returns the bookings that fit.
func (p *fakePMS) find(fits func(hotel.Booking) bool) (found []hotel.Booking, err error) {
	done, err := p.call()
	defer done()
	for _, b := range p.bookings {
		if fits(b) {
			found = append(found, b)
		}
	}
	return found, err
}

func (p *fakePMS) Free(context.Context, hotel.Date, hotel.Date) ([]string, error) {
	done, err := p.call()
	defer done()
	return []string{"101", "102"}, err
}

func (p *fakePMS) Bookings(_ context.Context, s hotel.Stay, _ uint64) ([]hotel.Booking, error) {
	return p.find(func(b hotel.Booking) bool { return s.Overlaps(b.Stay) })
}

func (p *fakePMS) BookingsOf(_ context.Context, guest string) ([]hotel.Booking, error) {
	return p.find(func(b hotel.Booking) bool { return b.Guest == guest })
}

func (p *fakePMS) Book(_ context.Context, o hotel.Order) (hotel.Booking, error) {
	done, err := p.call()
	defer done()
	if err != nil {
		return hotel.Booking{}, err
	}
	if p.meddle != nil {
		p.meddle(&o)
	}
	if p.stale {
		return hotel.Booking{}, hotel.ErrStaleFence
	}
	for _, b := range p.bookings {
		if b.Key == o.Key {
			return b, nil
		}
	}
	b := hotel.Booking{Reference: fmt.Sprintf("HF-FAKE%d", len(p.bookings)), Order: o}
	p.bookings = append(p.bookings, b)
	if p.die {
		runtime.Goexit()
	}
	if p.mute {
		return hotel.Booking{}, errors.New("no answer")
	}
	return b, nil
}

func (p *fakePMS) Withdraw(_ context.Context, key string) error {
	done, err := p.call()
	defer done()
	if p.meddle != nil {
		p.meddle(&hotel.Order{Key: key})
	}
	if err == nil {
		p.bookings = slices.DeleteFunc(p.bookings, func(b hotel.Booking) bool { return b.Key == key })
	}
	return err
}

func (p *fakePMS) Cancel(_ context.Context, reference string) error {
	done, err := p.call()
	defer done()
	if err == nil {
		p.bookings = slices.DeleteFunc(p.bookings, func(b hotel.Booking) bool { return b.Reference == reference })
	}
	return err
}

// fixture is a desk on memory stores and a fake PMS.
type fixture struct {
	*Desk
	pms      *fakePMS
	nights   *nightStore
	rooms    *lock.Manager
	registry *prometheus.Registry
	trail    *audit.Memory
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := fixture{pms: new(fakePMS), nights: &nightStore{Store: memlock.New()}, registry: prometheus.NewRegistry(), trail: audit.NewMemory()}
	today := func() hotel.Date { return hotel.Day(2026, time.December, 1) }
	rooms, err := lock.New(f.nights, lock.Config{Name: "rooms", TTL: 5 * time.Minute, MaxExtensions: 3, Audit: audit.Direct(f.trail)})
	must(err)
	t.Cleanup(func() { _ = rooms.Close(context.Background()) })
	chats, err := session.New(memsession.New(), session.Config[Chat]{Name: "chats", Timeout: time.Minute})
	must(err)
	orders, err := session.New(memsession.New(), session.Config[hotel.Order]{Name: "orders", Timeout: time.Minute})
	must(err)
	breaker, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 3})
	must(err)
	f.rooms = rooms
	f.Desk = &Desk{
		PMS: f.pms, Locks: rooms, Chats: chats, Orders: orders, Breaker: breaker,
		Audit: audit.Direct(f.trail), Metrics: NewMetrics(f.registry),
		Rooms: hotel.Rooms(2), Today: today, HoldFor: 5 * time.Minute, PMSTimeout: time.Second, Places: make(chan struct{}, 5),
	}
	return f
}

// say answers a message of ana and checks how.
func (f fixture) say(t *testing.T, text string, want Outcome) Reply {
	t.Helper()
	return f.as(t, "ana", text, want)
}

func (f fixture) as(t *testing.T, guest, text string, want Outcome) Reply {
	t.Helper()
	r := f.Answer(t.Context(), guest, text)
	if r.Outcome != want || r.Text == "" || (r.Err != nil) != (want == Failed) {
		t.Fatalf("%s: %q is answered %s, %q, %v; want %s", guest, text, r.Outcome, r.Text, r.Err, want)
	}
	return r
}

// held counts the live holds.
func (f fixture) held(t *testing.T) (n int) {
	t.Helper()
	for _, err := range f.rooms.Holds(t.Context(), lock.Resource{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// count reads a counter of the registry, whose labels end with those values.
func (f fixture) count(t *testing.T, name string, values ...string) float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if family.GetName() == name && strings.Join(have, " ") == strings.Join(values, " ") {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no %s%v", name, values)
	return 0
}

const stay = "room 101 from 2026-12-12 to 2026-12-15"

// The next three tests were owed since the service that this bot follows. The
// change that each catches was tried: noAnswerButHeld releasing the hold
// instead of keeping it; ask calling the PMS without the breaker; fellBack
// counting nothing.

func TestOrchestratorUsesTheFallbackWhenTheBreakerIsOpen(t *testing.T) {
	f := newFixture(t)
	f.Breaker.ForceOpen(errors.New("out of order"))
	r := f.say(t, "book "+stay, Fallback)
	if want := "I keep room 101 for you for the nights of 12, 13 and 14 December 2026"; !strings.Contains(r.Text, want) {
		t.Errorf("the answer is %q, want %q in it", r.Text, want)
	}
	if f.held(t) != 1 {
		t.Error("the guest lost the hold")
	}
	f.Breaker.Reset()
	if r := f.say(t, "book", OK); r.Booking == nil || r.Booking.Stay.Room != "101" {
		t.Errorf("afterwards the hold cannot be booked: %q", r.Text)
	}
	if f.held(t) != 0 {
		t.Error("the booked hold was not released")
	}
}

func TestNoPMSCallWhileTheBreakerIsOpen(t *testing.T) {
	f := newFixture(t)
	f.say(t, "book room 102 from 2026-12-12 to 2026-12-15", OK)
	f.Breaker.ForceOpen(errors.New("out of order"))
	before := f.pms.calls
	for _, text := range []string{
		"cancel", "book " + stay, "book", "hold room 101 from 2026-12-20 to 2026-12-22",
		"book from 2026-12-25 to 2026-12-26", "is " + stay + " free",
	} {
		f.say(t, text, Fallback)
	}
	if calls := f.pms.calls - before; calls != 0 {
		t.Errorf("the PMS was called %d times", calls)
	}
}

func TestFallbackMetricIsIncremented(t *testing.T) {
	f := newFixture(t)
	f.Breaker.ForceOpen(errors.New("out of order"))
	f.say(t, "book "+stay, Fallback)
	f.Breaker.Reset()
	f.pms.err = errors.New("no answer")
	f.say(t, "book", Fallback)
	f.say(t, "mumble", Fallback)
	for _, reason := range []string{"breaker_open", "pms_error", "unknown_intent"} {
		if n := f.count(t, "nlp_fallbacks_total", reason); n != 1 {
			t.Errorf("nlp_fallbacks_total{reason=%q} is %v, want 1", reason, n)
		}
	}
	if n := f.count(t, "orchestrator_requests_total", "book", "fallback"); n != 2 {
		t.Errorf("orchestrator_requests_total{book, fallback} is %v, want 2", n)
	}
	if n := f.count(t, "intents_detected", "book"); n != 2 {
		t.Errorf("intents_detected{book} is %v, want 2", n)
	}
	if n := f.count(t, "pms_operations_total", "list", "error"); n != 1 {
		t.Errorf("pms_operations_total{list, error} is %v, want 1: rejected calls are not made", n)
	}
}

func TestABookingCarriesTheFenceAndReleasesTheHold(t *testing.T) {
	f := newFixture(t)
	f.pms.meddle = func(o *hotel.Order) {
		if o.Fence == 0 || o.Key == "" {
			t.Errorf("the order has fence %d and key %q", o.Fence, o.Key)
		}
		if f.held(t) != 1 {
			t.Error("the nights are not held while they are booked")
		}
	}
	r := f.say(t, "book "+stay, OK)
	if r.Booking == nil || r.Booking.Guest != "ana" || f.held(t) != 0 {
		t.Errorf("booking %v, %d holds left", r.Booking, f.held(t))
	}
	var types []string
	for _, e := range f.trail.Events() {
		types = append(types, e.Type)
	}
	if got := strings.Join(types, " "); got != "lock.acquired lock.released booking.confirmed" {
		t.Errorf("the trail has %s", got)
	}
}

func TestALostAnswerOfThePMSBooksOnce(t *testing.T) {
	f := newFixture(t)
	f.pms.mute = true
	f.say(t, "book "+stay, Fallback)
	f.pms.mute = false
	r := f.say(t, "book", OK)
	if len(f.pms.bookings) != 1 || *r.Booking != f.pms.bookings[0] {
		t.Errorf("%d bookings, the guest knows of %v", len(f.pms.bookings), r.Booking)
	}
}

func TestARefusalNamesTheNightsAndWho(t *testing.T) {
	f := newFixture(t)
	f.as(t, "ben", "hold room 101 from 2026-12-10 to 2026-12-14", OK)
	r := f.say(t, "book "+stay, Refused)
	if r.Hold == nil || r.Hold.Holder != "ben" || !strings.Contains(r.Text, "12 and 13 December 2026, for another 5 minutes") {
		t.Errorf("held: %q, %v", r.Text, r.Hold)
	}
	if strings.Contains(r.Text, "ben") {
		t.Error("a guest reads another guest's name")
	}
	f.as(t, "ben", "book", OK)
	r = f.say(t, "book "+stay, Refused)
	if r.Booking == nil || r.Booking.Guest != "ben" || !strings.Contains(r.Text, "already booked for the nights of 12 and 13 December 2026") {
		t.Errorf("booked: %q, %v", r.Text, r.Booking)
	}
	if f.held(t) != 0 {
		t.Error("the refused guest keeps a hold")
	}
	f.say(t, "book room 101 from 2026-12-14 to 2026-12-15", OK) // the day ben leaves
}

func TestAStaleFenceIsNotBooked(t *testing.T) {
	f := newFixture(t)
	f.pms.stale = true
	r := f.say(t, "book "+stay, Refused)
	if r.Booking != nil || !strings.Contains(r.Text, "has ended") {
		t.Errorf("answered %q", r.Text)
	}
	if n := f.count(t, "pms_operations_total", "book", "refused"); n != 1 {
		t.Errorf("pms_operations_total{book, refused} is %v, want 1", n)
	}
	if s := f.Breaker.Stats(); s.Total.Failure != 0 {
		t.Error("a refusal counts as a failure of the PMS")
	}
}

func TestAHoldIsExtendedUpToTheLimitAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.say(t, "hold "+stay, OK)
		for range 3 {
			time.Sleep(4 * time.Minute) // virtual
			f.say(t, "extend", OK)
		}
		if r := f.say(t, "extend", Refused); !strings.Contains(r.Text, "any further") {
			t.Errorf("at the limit: %q", r.Text)
		}
		time.Sleep(6 * time.Minute)
		f.say(t, "extend", Refused)
		f.say(t, "extend", Refused)
		if f.held(t) != 0 {
			t.Error("the hold outlived its limit")
		}
		if err := f.rooms.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
