// SPDX-License-Identifier: MIT

package metrics

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// meetOne makes a Metrics meet a source of each kind, and returns how to end it
// there, as far as sources of the kind end, and the source.
var meetOne = map[string]func(m *Metrics) (source any, end func()){
	"breaker": func(m *Metrics) (any, func()) {
		src := &fake[circuitbreaker.Stats]{name: "gone", stats: circuitbreaker.Stats{Rejected: 5}}
		m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: src})
		return src, func() { m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpRetired, Source: src}) }
	},
	"lock": func(m *Metrics) (any, func()) {
		src := &fake[lock.Stats]{name: "gone", stats: lock.Stats{AuditErrors: 5}}
		m.ObserveLock(background, lock.Event{Op: lock.OpNew, Source: src})
		m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Source: src})
		return src, func() { m.ObserveLock(background, lock.Event{Op: lock.OpClosed, Source: src}) }
	},
	"session": func(m *Metrics) (any, func()) {
		src := &fake[session.Stats]{name: "gone"}
		m.ObserveSession(background, session.Event{Op: session.OpNew, Source: src})
		return src, nil
	},
	"audit": func(m *Metrics) (any, func()) {
		src := &fake[audit.Stats]{name: "gone", stats: audit.Stats{Recorded: 5}}
		m.ObserveAudit(background, audit.Activity{Op: audit.OpNew, Source: src})
		m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Source: src})
		return src, func() { m.ObserveAudit(background, audit.Activity{Op: audit.OpClosed, Source: src}) }
	},
	"db": func(m *Metrics) (any, func()) {
		db := sql.OpenDB(noDatabase{})
		if err := m.DB("gone", db); err != nil {
			panic(err)
		}
		db.Close()
		return db, nil
	},
	"redis": func(m *Metrics) (any, func()) {
		client := new(fakeRedis)
		if err := Redis(m, "gone", client); err != nil {
			panic(err)
		}
		return client, nil
	},
}

func TestARetiredSourceLeavesTheScrapeWithItsName(t *testing.T) {
	for kind, meet := range meetOne {
		t.Run(kind, func(t *testing.T) {
			m, reg := newMetrics(t)
			source, _ := meet(m)
			_, _ = meet(m) // another one of the name
			if m.Retire(source); mentions(scrape(t, reg), "gone") == nil {
				t.Error("the name went with one of its two sources")
			}
			m, reg = newMetrics(t)
			for _, ended := range []bool{false, true} {
				var end func()
				source, end = meet(m)
				if ended && end != nil {
					end()
				}
				if m.Retire(source); mentions(scrape(t, reg), "gone") != nil {
					t.Errorf("still there, ended before: %v: %v", ended, mentions(scrape(t, reg), "gone"))
				}
			}
			m.Retire(source) // once more changes nothing
		})
	}
}

func TestWhatIsNoSourceIsNotRetired(t *testing.T) {
	m, reg := everything(t)
	before := len(scrape(t, reg))
	for _, source := range []any{nil, 5, (*lock.Manager)(nil), byValue{[]string{"other"}}, named[lock.Stats]("other")} {
		m.Retire(source)
	}
	(*Metrics)(nil).Retire(5)
	if after := len(scrape(t, reg)); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

// A job counts, closes, and pushes its counts at the end.
func TestTheCountsOfASourceThatClosedStayAndItsGaugesGo(t *testing.T) {
	m, reg := newMetrics(t)
	for _, kind := range []string{"lock", "audit"} {
		_, end := meetOne[kind](m)
		end()
		end() // twice is once
	}
	expect(t, reg, map[string]float64{
		`holdfast_lock_audit_errors_total{manager="gone"}`:                                    5,
		`holdfast_lock_operations_total{manager="gone",operation="acquire",result="success"}`: 1,
		`holdfast_lock_operation_duration_seconds_count{manager="gone",operation="acquire"}`:  1,
		`holdfast_audit_recorded_total{log="gone"}`:                                           5,
		`holdfast_audit_writes_total{log="gone",result="success"}`:                            1,
	})
	for _, s := range Catalog() {
		if s.Type == Gauge && s.Name != "holdfast_build_info" && mentions(scrape(t, reg), s.Name+"{") != nil {
			t.Errorf("%s is still there", s.Name)
		}
	}
}

// A log that closed is let go of, but what it then refuses is still a loss.
func TestEventsRecordedAfterTheCloseAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		trail := must(audit.New(audit.NewMemory(), audit.Config{Name: "trail", Observer: m, Logger: slog.New(slog.DiscardHandler)}))
		if err := trail.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_ = trail.Record(t.Context(), audit.Event{Type: "late"})
		}
		synctest.Wait() // observers run apart
		expect(t, reg, map[string]float64{`holdfast_audit_dropped_total{log="trail",reason="after_close"}`: 2})
	})
}

func TestASourceThatIsDroppedByTheProgramStays(t *testing.T) {
	m, reg := newMetrics(t)
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: &fake[circuitbreaker.Stats]{name: "kept"}})
	for range 3 {
		runtime.GC()
	}
	if mentions(scrape(t, reg), "kept") == nil {
		t.Error("it went with the garbage")
	}
}

// byValue is a source that cannot be compared.
type byValue struct{ names []string }

func (b byValue) Name() string      { return b.names[0] }
func (b byValue) Stats() lock.Stats { return lock.Stats{Held: 1} }

func TestSourcesThatCannotBeComparedAddUp(t *testing.T) {
	m, reg := newMetrics(t)
	for range 2 {
		m.ObserveLock(background, lock.Event{Op: lock.OpNew, Source: byValue{[]string{"value"}}})
	}
	expect(t, reg, map[string]float64{`holdfast_lock_held{manager="value"}`: 2})
}

// A breaker that its group dropped may still be in use.
func TestABreakerThatWasDroppedByItsGroupIsNotTakenBack(t *testing.T) {
	m, reg := newMetrics(t)
	b := named[circuitbreaker.Stats]("host")
	send := func(op circuitbreaker.Op) {
		m.ObserveBreaker(background, circuitbreaker.Event{Op: op, Source: b, To: circuitbreaker.Open})
	}
	send(circuitbreaker.OpNew)
	send(circuitbreaker.OpRetired)
	send(circuitbreaker.OpChanged)
	if mentions(scrape(t, reg), "holdfast_circuitbreaker_state{") != nil {
		t.Error("it is alive again")
	}
}

func TestSourcesOfOneNameAddUp(t *testing.T) {
	m, reg := newMetrics(t)
	one, two := named[circuitbreaker.Stats]("pms"), named[circuitbreaker.Stats]("pms")
	one.set(func(s *circuitbreaker.Stats) {
		s.Total.Failure, s.Window = 3, circuitbreaker.Counts{Success: 1, Failure: 1}
	})
	two.set(func(s *circuitbreaker.Stats) {
		s.Total.Failure, s.State, s.Window = 4, circuitbreaker.Open, circuitbreaker.Counts{Failure: 2}
	})
	for _, b := range []*fake[circuitbreaker.Stats]{one, two, one} { // added twice, counted once
		m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
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
	one, two := named[session.Stats]("chats"), named[session.Stats]("chats")
	one.set(func(s *session.Stats) { s.Active, s.MaxSessions, s.Interval, s.Running = 9, 100, time.Minute, true })
	two.set(func(s *session.Stats) { s.Active, s.MaxSessions, s.Interval, s.Running = 8, 100, time.Minute, true })
	for _, s := range []*fake[session.Stats]{one, two} {
		m.ObserveSession(background, session.Event{Op: session.OpNew, Source: s})
	}
	expect(t, reg, map[string]float64{
		`holdfast_session_active{manager="chats"}`:                   9,
		`holdfast_session_limit{manager="chats"}`:                    100,
		`holdfast_session_cleanup_interval_seconds{manager="chats"}`: 60,
		`holdfast_session_cleanup_running{manager="chats"}`:          2,
	})
}

// A random life of breakers of one name: they come, count and go between
// scrapes.
func TestTotalsNeverFall(t *testing.T) {
	m, reg := newMetrics(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var live []*fake[circuitbreaker.Stats]
	var counted, seen float64
	for range 300 {
		switch what := rnd.IntN(10); {
		case what < 3 || len(live) == 0:
			b := &fake[circuitbreaker.Stats]{name: "pms"}
			m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
			live = append(live, b)
		case what < 4:
			m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpRetired, Source: live[0]})
			live = live[1:]
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
	b := named[circuitbreaker.Stats]("pms")
	b.set(func(s *circuitbreaker.Stats) { s.Rejected = 5 })
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
	scrape(t, reg)
	b.set(func(s *circuitbreaker.Stats) { s.Rejected = 4 })
	expect(t, reg, map[string]float64{`holdfast_circuitbreaker_calls_total{breaker="pms",result="rejected"}`: 5})
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
				m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
				m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, Source: b})
				m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Result: lock.ResultConflict, Source: l, Resource: lock.Key(name)})
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
	b, l, s := named[circuitbreaker.Stats]("x"), named[lock.Stats]("x"), named[session.Stats]("x")
	b.set(func(s *circuitbreaker.Stats) { s.State = 200 })
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: b})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpChanged, To: 200, Source: b})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: 200, Source: b})
	m.ObserveLock(background, lock.Event{Op: 200, Source: l})
	m.ObserveLock(background, lock.Event{Op: lock.OpAcquire, Result: 200, Source: l})
	m.ObserveLock(background, lock.Event{Op: lock.OpRenew, Result: lock.ResultAuditFailed, Source: l}) // not expected of a renew
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
