// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// The names and labels that the original's rules and dashboards ask for.
func TestOriginalNamesAreExactlyTheOriginals(t *testing.T) {
	_, with := everything(t, WithOriginalNames())
	_, without := everything(t, WithKeyLabel("room_id", lock.Resource.Name, 200))
	got := scrape(t, with)
	maps.DeleteFunc(got, func(name string, _ float64) bool { _, own := scrape(t, without)[name]; return own })

	want := []string{
		`db_connections_active`, `db_statement_timeouts_total`,
		`lock_conflicts_total{room_id="_other"}`,
		`pms_circuit_breaker_state`, `session_active_total`,
		`session_cleanup_total{result="error"}`, `session_cleanup_total{result="success"}`,
	}
	for _, result := range []string{"conflict", "error", "max_reached", "success"} {
		want = append(want, `lock_extensions_total{result="`+result+`"}`)
		for _, op := range []string{"acquire", "extend", "release"} {
			want = append(want, `lock_operations_total{operation="`+op+`",result="`+result+`"}`)
		}
	}
	for _, reason := range []string{"absolute", "corrupted", "evicted", "idle", "invalid_format", "vanished"} {
		want = append(want, `session_expirations_total{reason="`+reason+`"}`)
	}
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Fatalf("got  %q\nwant %q", names, want)
	}
}

func TestTheOriginalBreakerStateIsANumber(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	other := named[circuitbreaker.Stats]("other")
	other.set(func(s *circuitbreaker.Stats) { s.State = circuitbreaker.Open })
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: other})
	if _, there := scrape(t, reg)["pms_circuit_breaker_state"]; there {
		t.Fatal("there is a state without a breaker named pms")
	}
	one, two := named[circuitbreaker.Stats]("pms"), named[circuitbreaker.Stats]("pms")
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: one})
	m.ObserveBreaker(background, circuitbreaker.Event{Op: circuitbreaker.OpNew, Source: two})
	for state, want := range map[circuitbreaker.State]float64{
		circuitbreaker.Closed: 0, circuitbreaker.HalfOpen: 1, circuitbreaker.Open: 2, circuitbreaker.ForcedOpen: 2, circuitbreaker.Disabled: 0,
	} {
		one.set(func(s *circuitbreaker.Stats) { s.State = state })
		expect(t, reg, map[string]float64{"pms_circuit_breaker_state": want})
	}
	one.set(func(s *circuitbreaker.Stats) { s.State = circuitbreaker.HalfOpen })
	two.set(func(s *circuitbreaker.Stats) { s.State = circuitbreaker.Open })
	expect(t, reg, map[string]float64{"pms_circuit_breaker_state": 2}) // the worst of the name
}

func TestOriginalLockResults(t *testing.T) {
	for _, c := range []struct {
		event  lock.Event
		result string
	}{
		{lock.Event{Result: lock.ResultOK}, "success"},
		{lock.Event{Result: lock.ResultOK, Blocked: true}, "success"},
		{lock.Event{Result: lock.ResultConflict, Blocked: true}, "conflict"},
		{lock.Event{Result: lock.ResultTimedOut, Blocked: true}, "conflict"},
		{lock.Event{Result: lock.ResultCanceled, Blocked: true}, "conflict"},
		{lock.Event{Result: lock.ResultCanceled}, "error"},
		{lock.Event{Result: lock.ResultMaxReached}, "max_reached"},
		{lock.Event{Result: lock.ResultNotHeld}, "error"},
		{lock.Event{Result: lock.ResultUnavailable}, "error"},
		{lock.Event{Result: lock.ResultFailed}, "error"},
	} {
		for _, op := range []lock.Op{lock.OpAcquire, lock.OpExtend, lock.OpRelease} {
			m, reg := newMetrics(t, WithOriginalNames())
			c.event.Op, c.event.Source = op, named[lock.Stats]("rooms")
			m.ObserveLock(background, c.event)
			want := map[string]float64{`lock_operations_total{operation="` + op.String() + `",result="` + c.result + `"}`: 1}
			if op == lock.OpExtend {
				want[`lock_extensions_total{result="`+c.result+`"}`] = 1
			}
			expect(t, reg, want)
		}
	}
}

func TestTheWatchdogIsNoExtensionOfTheOriginal(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	src := named[lock.Stats]("rooms")
	for _, op := range []lock.Op{lock.OpRenew, lock.OpResume, lock.OpForceRelease, lock.OpLost, lock.OpExpired} {
		m.ObserveLock(background, lock.Event{Op: op, Source: src})
	}
	for name, v := range scrape(t, reg) {
		if v != 0 && len(name) > 5 && name[:5] == "lock_" {
			t.Errorf("%s = %v", name, v)
		}
	}
}

// The sums of the original have no manager's name, so a manager that goes
// must not take its share along.
func TestOriginalCountersCoverAllManagersAndOutliveThem(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	var sessions []session.Source
	for _, name := range []string{"gone", "gone too"} {
		l, s, a := &fake[lock.Stats]{name: name}, &fake[session.Stats]{name: name}, &fake[audit.Stats]{name: name}
		s.set(func(s *session.Stats) { s.Active = 4 })
		sessions = append(sessions, s)
		m.ObserveLock(background, conflictOn(l, lock.Key("101")))
		m.ObserveSession(background, session.Event{Op: session.OpEnded, Reason: session.ReasonCorrupted, Source: s})
		m.ObserveSession(background, session.Event{Op: session.OpCleanup, Result: session.ResultFailed, Source: s})
		m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Err: context.DeadlineExceeded, Source: a})
		m.ObserveAudit(background, audit.Activity{Op: audit.OpWrite, Err: errors.New("else"), Source: a})
	}
	want := map[string]float64{
		`lock_operations_total{operation="acquire",result="conflict"}`: 2,
		`lock_conflicts_total{room_id="101"}`:                          2,
		`session_expirations_total{reason="corrupted"}`:                2,
		`session_cleanup_total{result="error"}`:                        2,
		`db_statement_timeouts_total`:                                  2,
	}
	expect(t, reg, want)
	expect(t, reg, map[string]float64{"session_active_total": 8})
	for _, s := range sessions {
		m.Retire(s)
	}
	expect(t, reg, want)
	expect(t, reg, map[string]float64{"session_active_total": 0})
}

func TestTheOriginalKeepsItsLabelWhateverTheKeyLabelIs(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames(), WithKeyLabel("stay", lock.Resource.String, 1))
	src := named[lock.Stats]("rooms")
	m.ObserveLock(background, conflictOn(src, lock.Span("101", 1, 3)))
	expect(t, reg, map[string]float64{
		`lock_conflicts_total{room_id="101 [1, 3)"}`:           1,
		`holdfast_lock_key_conflicts_total{stay="101 [1, 3)"}`: 1,
	})
}

func TestPoolsAreReadWhenScraped(t *testing.T) {
	m, reg := newMetrics(t, WithOriginalNames())
	one, two := sql.OpenDB(noDatabase{}), sql.OpenDB(noDatabase{})
	defer one.Close()
	defer two.Close()
	one.SetMaxOpenConns(5)
	two.SetMaxOpenConns(2)
	if err := errors.Join(m.DB("trail", one), m.DB("trail", two)); err != nil {
		t.Fatal(err)
	}
	expect(t, reg, map[string]float64{
		`holdfast_sql_connections_limit{db="trail"}`:          7,
		`holdfast_sql_connections{db="trail",state="in_use"}`: 0,
		`holdfast_sql_wait_seconds_total{db="trail"}`:         0,
		`db_connections_active`:                               0,
	})
	one.SetMaxOpenConns(0)
	expect(t, reg, map[string]float64{`holdfast_sql_connections_limit{db="trail"}`: 0})
}
