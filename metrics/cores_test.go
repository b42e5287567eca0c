// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// must unwraps what a constructor returns.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnOpenBreakerIsHalfOpenInAScrapeWithoutAnyCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		b := must(circuitbreaker.New(circuitbreaker.Config{
			Name: "pms", OpenFor: circuitbreaker.Backoff{Base: 10 * time.Second, Jitter: -1}, Observer: m,
		}))
		state := func(open, halfOpen float64) {
			t.Helper()
			expect(t, reg, map[string]float64{
				`holdfast_circuitbreaker_state{breaker="pms",state="open"}`:      open,
				`holdfast_circuitbreaker_state{breaker="pms",state="half_open"}`: halfOpen,
			})
		}
		b.Trip(errors.New("down"))
		state(1, 0)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		state(0, 1)
		expect(t, reg, map[string]float64{
			`holdfast_circuitbreaker_transitions_total{breaker="pms",to="open"}`:      1,
			`holdfast_circuitbreaker_state_seconds_total{breaker="pms",state="open"}`: 10,
		})
		b.Reset()
	})
}

func TestABreakerIsInOneStateAtAnyMoment(t *testing.T) {
	m, reg := newMetrics(t)
	b := must(circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m}))
	defer b.Reset()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				[]func(){func() { b.Trip(nil) }, b.Disable, b.Reset, func() { b.ForceOpen(nil) }}[i%4]()
			}
		})
	}
	for range 100 {
		var sum float64
		for name, v := range scrape(t, reg) {
			if strings.HasPrefix(name, "holdfast_circuitbreaker_state{") {
				sum += v
			}
		}
		if sum != 1 {
			t.Errorf("it is in %v states", sum)
			break
		}
	}
	close(stop)
	wg.Wait()
}

type panicking struct{}

func (panicking) ObserveLock(context.Context, lock.Event) { panic("mine") }

func TestAPanickingObserverHarmsNobodyAndIsCounted(t *testing.T) {
	m, reg := newMetrics(t)
	rooms := must(lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: lock.Observers(panicking{}, m)}))
	lease := must(rooms.TryAcquire(t.Context(), lock.Key("101")))
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, reg, map[string]float64{
		`holdfast_observer_panics_total{component="lock",name="rooms"}`:                        3, // created, acquire, release
		`holdfast_lock_operations_total{manager="rooms",operation="release",result="success"}`: 1,
	})
	if err := rooms.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestABreakerInShadowModeIsExportedAsClosed(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	b := must(circuitbreaker.New(circuitbreaker.Config{Name: "pms", Shadow: true, ConsecutiveFailures: 1, Observer: m}))
	for state, act := range map[string]func(){
		"open": func() { b.Trip(nil) }, "half_open": b.Probe, "forced_open": func() { b.ForceOpen(nil) }, "disabled": b.Disable,
	} {
		act()
		got, want := scrape(t, reg), state
		if state != "disabled" {
			want = "closed"
		}
		if got[`holdfast_circuitbreaker_state{breaker="pms",state="`+want+`"}`] != 1 || got[`holdfast_circuitbreaker_transitions_total{breaker="pms",to="`+state+`"}`] != 1 {
			t.Errorf("%s is not exported as %s", state, want)
		}
		if original := got["pms_circuit_breaker_state"]; original != 0 {
			t.Errorf("%s is %v by its original name", state, original)
		}
		b.Reset()
	}
}

// hosts makes a group of two members that have tripped, and one that was dropped
// for the second, after a call.
func hosts(t *testing.T, o circuitbreaker.Observer) {
	g := must(circuitbreaker.NewGroup(circuitbreaker.GroupConfig{
		Breaker: circuitbreaker.Config{Name: "hosts", Observer: o, ConsecutiveFailures: 1}, Max: 2, IdleAfter: time.Minute,
	}))
	call := func(key string, err error) {
		_ = g.Get(key).Do(t.Context(), func(context.Context) error { return err })
	}
	call("gone", nil)
	time.Sleep(time.Minute)
	call("first", errors.New("down"))
	call("second", errors.New("down"))
	t.Cleanup(func() {
		for _, b := range g.All() {
			b.Reset()
		}
	})
}

func TestAGroupIsOneSetOfSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		hosts(t, m)
		expect(t, reg, map[string]float64{
			`holdfast_circuitbreaker_state{breaker="hosts",state="open"}`:               2,
			`holdfast_circuitbreaker_state{breaker="hosts",state="closed"}`:             0,
			`holdfast_circuitbreaker_calls_total{breaker="hosts",result="failure"}`:     2,
			`holdfast_circuitbreaker_calls_total{breaker="hosts",result="success"}`:     1, // of the one that was dropped
			`holdfast_circuitbreaker_transitions_total{breaker="hosts",to="open"}`:      2,
			`holdfast_circuitbreaker_transitions_total{breaker="hosts",to="half_open"}`: 0,
		})
		if got := mentions(scrape(t, reg), "hosts/"); got != nil {
			t.Errorf("members have series: %v", got)
		}
	})
}

func TestMembersOfAGroupHaveSeriesOfTheirOwnWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t, WithGroupMembers(1))
		hosts(t, m)
		expect(t, reg, map[string]float64{
			`holdfast_circuitbreaker_state{breaker="hosts/second",state="open"}`:          1,
			`holdfast_circuitbreaker_transitions_total{breaker="hosts/second",to="open"}`: 1,
			`holdfast_circuitbreaker_state{breaker="hosts",state="open"}`:                 1, // beyond the limit
		})
		if got := mentions(scrape(t, reg), "hosts/gone"); got != nil {
			t.Errorf("dropped by the group, and still there: %v", got)
		}
	})
}

func TestNamesAreMappedOrLeftOut(t *testing.T) {
	var m *Metrics
	var reg *prometheus.Registry
	m, reg = newMetrics(t, WithName(func(name string) string {
		if !m.locks.mu.TryLock() {
			t.Error("called under a lock")
		} else {
			m.locks.mu.Unlock()
		}
		tenant, rest, _ := strings.Cut(name, ":")
		if rest == "" {
			return ""
		}
		return "tenant " + strings.TrimRight(tenant, "0123456789")
	}))
	for _, name := range []string{"a1:rooms", "a2:rooms", "secret"} {
		l, s, a := named[lock.Stats](name), named[session.Stats](name), named[audit.Stats](name)
		m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Source: l})
		m.ObserveSession(background, session.Event{Op: session.OpGet, Source: s})
		m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: a})
		m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: named[circuitbreaker.Stats](name)})
		if name == "a2:rooms" {
			m.Retire(l)
		}
	}
	expect(t, reg, map[string]float64{
		`holdfast_lock_operations_total{manager="tenant a",operation="acquire",result="success"}`: 2,
		`holdfast_session_operations_total{manager="tenant a",operation="get",result="success"}`:  2,
		`holdfast_audit_writes_total{log="tenant a",result="success"}`:                            2,
		`holdfast_circuitbreaker_state{breaker="tenant a",state="closed"}`:                        2,
	})
	for _, text := range []string{"secret", "rooms"} {
		if got := mentions(scrape(t, reg), text); got != nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A store that panics when asked stands for one that hangs.
func TestAScrapeAsksNoStore(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	must(lock.New(struct{ lock.Store }{}, lock.Config{Name: "rooms", Observer: m}))
	must(session.New(struct{ session.Store }{}, session.Config[int]{Name: "chats", Observer: m}))
	must(audit.New(struct{ audit.Sink }{}, audit.Config{Name: "trail", Observer: m}))
	expect(t, reg, map[string]float64{
		`holdfast_lock_held{manager="rooms"}`:      0,
		`holdfast_session_active{manager="chats"}`: 0,
		`holdfast_audit_queue_length{log="trail"}`: 0,
		`holdfast_session_limit{manager="chats"}`:  0,
		`session_active_total`:                     0,
	})
}

func TestALockTellsOfItsWholeLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t, WithOriginalNames())
		ctx := t.Context()
		rooms := must(lock.New(memlock.New(), lock.Config{Name: "rooms", TTL: time.Minute, MaxExtensions: 1, Observer: m}))
		lease := must(rooms.TryAcquire(ctx, lock.Key("101")))
		if _, err := rooms.TryAcquire(ctx, lock.Key("101")); !errors.Is(err, lock.ErrConflict) {
			t.Fatal(err)
		}
		if err := lease.Extend(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := lease.Extend(ctx, time.Minute); !errors.Is(err, lock.ErrMaxReached) {
			t.Fatal(err)
		}
		expect(t, reg, map[string]float64{`holdfast_lock_held{manager="rooms"}`: 1})
		time.Sleep(30 * time.Second)
		if err := lease.Release(ctx); err != nil {
			t.Fatal(err)
		}
		must(rooms.TryAcquire(ctx, lock.Key("102"), lock.TTL(time.Second)))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expect(t, reg, map[string]float64{`holdfast_lock_held{manager="rooms"}`: 0})
		if err := rooms.Close(ctx); err != nil {
			t.Fatal(err)
		}
		expect(t, reg, map[string]float64{
			`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="success"}`:    2,
			`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="conflict"}`:   1,
			`holdfast_lock_operations_total{manager="rooms",operation="extend",result="max_reached"}`: 1,
			`holdfast_lock_conflicts_total{manager="rooms"}`:                                          1,
			`holdfast_lock_lost_total{manager="rooms"}`:                                               1,
			`lock_conflicts_total{room_id="101"}`:                                                     1,
			`lock_extensions_total{result="max_reached"}`:                                             1,
			`lock_operations_total{operation="release",result="success"}`:                             1,
		})
	})
}

// The original's gauge had to move with every cycle of its cleanup task, and
// had to be the one that its dashboard watched.
func TestCleanupUpdatesTheActiveSessionsMetricEveryCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t, WithOriginalNames())
		chats := must(session.New(memsession.New(), session.Config[string]{
			Name: "chats", IdleTimeout: 25 * time.Minute, CleanupInterval: 10 * time.Minute, CleanupJitter: -1, Observer: m,
		}))
		ctx, stop := context.WithCancel(t.Context())
		cycle := func(n int, active, ended float64) {
			t.Helper()
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			expect(t, reg, map[string]float64{
				`holdfast_session_active{manager="chats"}`:                                 active,
				`session_active_total`:                                                     active,
				`holdfast_session_cleanup_total{manager="chats",result="success"}`:         float64(n),
				`session_cleanup_total{result="success"}`:                                  float64(n),
				`session_expirations_total{reason="idle"}`:                                 ended,
				`holdfast_session_ended_total{manager="chats",reason="idle"}`:              ended,
				`holdfast_session_cleanup_running{manager="chats"}`:                        1,
				`holdfast_session_cleanup_last_success_timestamp_seconds{manager="chats"}`: lastCycle(chats),
			})
		}
		done := make(chan error)
		go func() { done <- chats.Run(ctx) }()
		synctest.Wait()
		before := int(scrape(t, reg)[`session_cleanup_total{result="success"}`]) // Run may begin with a cycle

		must(chats.Create(ctx, "first"))
		cycle(before+1, 1, 0)
		must(chats.Create(ctx, "second"))
		must(chats.Create(ctx, "third"))
		cycle(before+2, 3, 0)
		cycle(before+3, 2, 1) // the first one is 30 minutes old
		cycle(before+4, 0, 3)

		stop()
		<-done
		expect(t, reg, map[string]float64{`holdfast_session_cleanup_running{manager="chats"}`: 0})
	})
}

func lastCycle(s session.Source) float64 { return float64(s.Stats().LastComplete.UnixNano()) / 1e9 }

// A loop that died leaves the gauge where it was; the timestamp shows it.
func TestADeadCleanupLoopIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		chats := must(session.New(memsession.New(), session.Config[string]{Name: "chats", CleanupInterval: time.Minute, CleanupJitter: -1, Observer: m}))
		overdue := func() float64 {
			t.Helper()
			expect(t, reg, map[string]float64{`holdfast_session_cleanup_interval_seconds{manager="chats"}`: 60})
			last := scrape(t, reg)[`holdfast_session_cleanup_last_success_timestamp_seconds{manager="chats"}`]
			return (float64(time.Now().UnixNano())/1e9 - last) / 60
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- chats.Run(ctx) }()
		time.Sleep(5*time.Minute + time.Second)
		if n := overdue(); n > 1.1 {
			t.Errorf("a running loop is %v intervals overdue", n)
		}
		stop()
		<-done
		time.Sleep(10 * time.Minute)
		if n := overdue(); n < 3 {
			t.Errorf("a dead loop is only %v intervals overdue", n)
		}
	})
}
