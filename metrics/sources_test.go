// SPDX-License-Identifier: MIT

package metrics

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// untilGone scrapes until no series has the text in it any more.
func untilGone(t *testing.T, reg prometheus.Gatherer, text string) {
	t.Helper()
	var left []string
	for range 50 {
		runtime.GC()
		if left = mentions(scrape(t, reg), text); left == nil {
			return
		}
	}
	t.Fatalf("still there: %v", left)
}

func TestADroppedSourceLeavesTheScrape(t *testing.T) {
	for kind, meet := range map[string]func(*Metrics){
		"breaker": func(m *Metrics) {
			m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: &fake[circuitbreaker.Stats]{name: "gone"}})
		},
		"lock": func(m *Metrics) {
			m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Source: &fake[lock.Stats]{name: "gone"}})
		},
		"session": func(m *Metrics) {
			m.ObserveSession(background, session.Event{Op: session.OpGet, Source: &fake[session.Stats]{name: "gone"}})
		},
		"audit": func(m *Metrics) {
			m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: &fake[audit.Stats]{name: "gone"}})
		},
		"db": func(m *Metrics) {
			db := sql.OpenDB(noDatabase{})
			if err := m.DB("gone", db); err != nil {
				panic(err)
			}
			db.Close() // ends the goroutine that holds it
		},
	} {
		t.Run(kind, func(t *testing.T) {
			m, reg := newMetrics(t)
			meet(m)
			untilGone(t, reg, "gone")
		})
	}
}

func TestASourceThatIsUsedStays(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats](t, "kept")
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
	for range 5 {
		runtime.GC()
		if mentions(scrape(t, reg), "kept") == nil {
			t.Fatal("collected while in use")
		}
	}
}

var global = fake[lock.Stats]{name: "global"}

// byValue is a source that is no pointer; it cannot be compared either.
type byValue struct{ names []string }

func (b byValue) Name() string      { return b.names[0] }
func (b byValue) Stats() lock.Stats { return lock.Stats{Held: 1} }

// empty takes no memory, so many of them may share an address.
type empty struct{}

func (*empty) Name() string      { return "empty" }
func (*empty) Stats() lock.Stats { return lock.Stats{Held: 1} }

func TestSourcesOfOddShapesAreKept(t *testing.T) {
	m, reg := newMetrics(t)
	for _, src := range []lock.Source{&global, byValue{[]string{"value"}}, byValue{[]string{"value"}}, new(empty)} {
		m.ObserveLock(background, lock.Event{Op: lock.OpCreated, Source: src})
	}
	runtime.GC()
	expect(t, reg, map[string]float64{
		`holdfast_lock_held{manager="global"}`: 0,
		`holdfast_lock_held{manager="value"}`:  2,
		`holdfast_lock_held{manager="empty"}`:  1,
	})
}

func TestARetiredBreakerLeavesAtOnceAndIsNotTakenBack(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats](t, "host")
	tell := func(k circuitbreaker.Op) {
		m.ObserveBreaker(background, circuitbreaker.Event{Op: k, Source: b, To: circuitbreaker.Open})
	}
	tell(circuitbreaker.OpCreated)
	tell(circuitbreaker.OpChanged)
	expect(t, reg, map[string]float64{`holdfast_circuitbreaker_transitions_total{breaker="host",to="open"}`: 1})
	tell(circuitbreaker.OpRetired)
	tell(circuitbreaker.OpRetired)
	tell(circuitbreaker.OpChanged)
	if got := mentions(scrape(t, reg), "host"); got != nil {
		t.Fatalf("still there: %v", got)
	}
	tell(circuitbreaker.OpCreated)
	expect(t, reg, map[string]float64{`holdfast_circuitbreaker_transitions_total{breaker="host",to="open"}`: 0})
}

func TestSourcesOfOneNameAddUp(t *testing.T) {
	m, reg := newMetrics(t)
	one, two := named[circuitbreaker.Stats](t, "pms"), named[circuitbreaker.Stats](t, "pms")
	one.set(func(s *circuitbreaker.Stats) {
		s.Total.Failure, s.Window = 3, circuitbreaker.Counts{Success: 1, Failure: 1}
	})
	two.set(func(s *circuitbreaker.Stats) {
		s.Total.Failure, s.State, s.Window = 4, circuitbreaker.Open, circuitbreaker.Counts{Failure: 2}
	})
	for _, b := range []*fake[circuitbreaker.Stats]{one, two, one} { // added twice, counted once
		m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
	}
	expect(t, reg, map[string]float64{
		`holdfast_circuitbreaker_calls_total{breaker="pms",result="failure"}`: 7,
		`holdfast_circuitbreaker_state{breaker="pms",state="closed"}`:         1,
		`holdfast_circuitbreaker_state{breaker="pms",state="open"}`:           1,
		`holdfast_circuitbreaker_failure_ratio{breaker="pms"}`:                0.75,
	})
}

// Managers of one name on one store all report the same sessions.
func TestFiguresOfTheStoreAreNotAddedUp(t *testing.T) {
	m, reg := newMetrics(t)
	one, two := named[session.Stats](t, "chats"), named[session.Stats](t, "chats")
	one.set(func(s *session.Stats) { s.Active, s.MaxSessions, s.Interval, s.Running = 9, 100, time.Minute, true })
	two.set(func(s *session.Stats) { s.Active, s.MaxSessions, s.Interval, s.Running = 8, 100, time.Minute, true })
	for _, s := range []*fake[session.Stats]{one, two} {
		m.ObserveSession(background, session.Event{Op: session.OpCreated, Source: s})
	}
	expect(t, reg, map[string]float64{
		`holdfast_session_active{manager="chats"}`:                   9,
		`holdfast_session_limit{manager="chats"}`:                    100,
		`holdfast_session_cleanup_interval_seconds{manager="chats"}`: 60,
		`holdfast_session_cleanup_running{manager="chats"}`:          2,
	})
}

// A random life of breakers of one name: they come, count, and go in both
// ways, between scrapes.
func TestTotalsNeverFallWhileTheNameLives(t *testing.T) {
	m, reg := newMetrics(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	anchor := named[circuitbreaker.Stats](t, "pms")
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: anchor})
	var live []*fake[circuitbreaker.Stats]
	var counted, seen float64
	for range 300 {
		switch what := rnd.IntN(10); {
		case what < 3 || len(live) == 0:
			b := &fake[circuitbreaker.Stats]{name: "pms"}
			m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
			live = append(live, b)
		case what < 4:
			m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpRetired, Source: live[0]})
			live = live[1:]
		case what < 5:
			scrape(t, reg) // what it counted has been seen
			live = live[1:]
			runtime.GC()
		default:
			n := rnd.Uint64N(9)
			live[rnd.IntN(len(live))].set(func(s *circuitbreaker.Stats) { s.Rejected += n })
			counted += float64(n)
		}
		now := scrape(t, reg)[`holdfast_circuitbreaker_calls_total{breaker="pms",result="rejected"}`]
		if now < seen {
			t.Fatalf("fell from %v to %v", seen, now)
		}
		if now != counted {
			t.Fatalf("%v of %v counted", now, counted)
		}
		seen = now
	}
}

// Stats may be read out of order by two scrapes; the older figure must not
// win.
func TestAnOlderSnapshotDoesNotLowerATotal(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats](t, "pms")
	b.set(func(s *circuitbreaker.Stats) { s.Rejected = 5 })
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
	scrape(t, reg)
	b.set(func(s *circuitbreaker.Stats) { s.Rejected = 4 })
	expect(t, reg, map[string]float64{`holdfast_circuitbreaker_calls_total{breaker="pms",result="rejected"}`: 5})
}

func TestSourcesThatComeAndGoAreForgottenWithoutAScrape(t *testing.T) {
	m, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		if i%100 == 0 {
			runtime.GC()
		}
		m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: &fake[circuitbreaker.Stats]{name: fmt.Sprint("host", i)}})
	}
	if n := len(m.breakers.named); n > 1000 {
		t.Fatalf("%d names of dropped breakers are kept", n)
	}
}

// The race detector is the judge here.
func TestEventsAndScrapesMayRunAtOnce(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				name := fmt.Sprint("n", (g+i)%3)
				b, l := &fake[circuitbreaker.Stats]{name: name}, &fake[lock.Stats]{name: name}
				s, a := &fake[session.Stats]{name: name}, &fake[audit.Stats]{name: name}
				m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
				m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, Source: b})
				m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Result: lock.Conflicted, Source: l, Resource: lock.Key(name)})
				m.ObserveSession(background, session.Event{Op: session.OpCleanup, Source: s})
				m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: a})
				if i%10 == 0 {
					if _, err := reg.Gather(); err != nil {
						t.Error(err)
					}
				}
				m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpRetired, Source: b})
			}
		})
	}
	wg.Wait()
	expect(t, reg, map[string]float64{
		`lock_operations_total{operation="acquire",result="conflict"}`: 400,
		`session_cleanup_total{result="success"}`:                      400,
	})
}

func TestANilDatabaseIsAnErrorAndAddsNothing(t *testing.T) {
	m, reg := newMetrics(t)
	db := sql.OpenDB(noDatabase{})
	defer db.Close()
	for why, err := range map[string]error{
		"a nil database": m.DB("none", nil),
		"a nil Metrics":  (*Metrics)(nil).DB("none", db),
		"a zero Metrics": new(Metrics).DB("none", db),
	} {
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `DB("none") needs a database`) {
			t.Errorf("%s: %v, want ErrInvalid", why, err)
		}
	}
	if got := mentions(scrape(t, reg), "none"); got != nil {
		t.Errorf("added: %v", got)
	}
}

func TestAnEventWithoutASourceIsIgnored(t *testing.T) {
	m, reg := newMetrics(t)
	before := len(scrape(t, reg))
	m.ObserveBreaker(background, circuitbreaker.Event{})
	m.ObserveLock(background, lock.Event{})
	m.ObserveSession(background, session.Event{})
	m.ObserveAudit(background, audit.Activity{})
	if after := len(scrape(t, reg)); after != before {
		t.Fatalf("%d series became %d", before, after)
	}
}

// What a later version of a core may send must not count as something else,
// nor panic.
func TestUnknownValuesDoNotPanic(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	b, l, s := named[circuitbreaker.Stats](t, "x"), named[lock.Stats](t, "x"), named[session.Stats](t, "x")
	b.set(func(s *circuitbreaker.Stats) { s.State = 200 })
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpCreated, Source: b})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, To: 200, Source: b})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: 200, Source: b})
	m.ObserveLock(background, lock.Event{Op: 200, Source: l})
	m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Result: 200, Source: l})
	m.ObserveLock(background, lock.Event{Op: lock.OpRenew, Result: lock.AuditFailed, Source: l}) // not expected of a renew
	m.ObserveSession(background, session.Event{Op: 200, Source: s})
	m.ObserveSession(background, session.Event{Op: session.OpEnded, Reason: 200, Source: s})
	expect(t, reg, map[string]float64{
		`holdfast_lock_operations_total{manager="x",operation="acquire",result="error"}`:      1,
		`holdfast_lock_operations_total{manager="x",operation="renew",result="audit_failed"}`: 1,
	})
	for name := range scrape(t, reg) {
		if strings.Contains(name, "unknown") && !strings.Contains(name, "build_info") {
			t.Errorf("%s is there", name)
		}
	}
}
