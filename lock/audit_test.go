// SPDX-License-Identifier: MIT

// Three of these tests were owed by the service that this package grew from.
// Each catches, among others, these changes of one line (all were tried):
//
//	TestAcquiringALockCreatesAnAuditEntry          attempt.recordAcquired returns nil at once
//	TestAConflictRecordsAnAuditEvent               attempt.blocked never records
//	TestAnAuditFailureDoesNotBreakLockOperations   attempt.granted takes every failure for a required one;
//	                                               trail.bounded does not recover, or does not leave at its
//	                                               timeout; trail.record does not count

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
)

func wantDetail(t *testing.T, e audit.Event, key string, want any) {
	t.Helper()
	if got, _ := e.Details.Get(key); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %s is %v, want %v", e.Type, key, got, want)
	}
}

func TestAcquiringALockCreatesAnAuditEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		l := d.take(t, nights("room/101", 12, 15), lock.Holder("ada"), lock.Reason("booking"), lock.Detail("channel", "web"))
		e := d.trail.only(t, "lock.acquired")
		if e.Outcome != audit.Success || e.Reason != "booking" || e.Actor != (audit.Entity{Type: "holder", ID: "ada"}) || !e.Time.Equal(time.Now()) ||
			e.Resource != (audit.Entity{Type: "lock", ID: "room/101", Name: "room/101 [2026-12-12, 2026-12-15)"}) {
			t.Errorf("recorded %+v", e)
		}
		wantDetail(t, e, "check_in", "2026-12-12")
		wantDetail(t, e, "check_out", "2026-12-15")
		wantDetail(t, e, "nights", 3)
		wantDetail(t, e, "lease", l.ID())
		wantDetail(t, e, "fence", l.Fence())
		wantDetail(t, e, "ttl", "30s")
		wantDetail(t, e, "details", map[string]any{"channel": "web"})
	})
}

func TestAConflictRecordsAnAuditEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, nights("room/101", 12, 15), lock.Holder("ada"))
		for _, acquire := range []func(context.Context, lock.Resource, ...lock.Option) (*lock.Lease, error){d.TryAcquire, d.Acquire} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := acquire(ctx, nights("room/101", 14, 16), lock.Holder("bob"), lock.Reason("booking"))
			cancel()
			wantErr(t, err, lock.ErrConflict)
			e := d.trail.only(t, "lock.conflict")
			if e.Outcome != audit.Denied || e.Actor.ID != "bob" || e.Resource.ID != "room/101" || e.Reason != "booking" {
				t.Errorf("recorded %+v", e)
			}
			wantDetail(t, e, "check_in", "2026-12-14")
			conflicts, _ := e.Details.Get("conflicts")
			first := conflicts.(map[string]any)["0"].(map[string]any)
			if first["holder"] != "ada" || first["resource"] != "room/101 [2026-12-12, 2026-12-15)" {
				t.Errorf("in the way is recorded as %v", first)
			}
			d.trail.mu.Lock()
			d.trail.events = nil
			d.trail.mu.Unlock()
		}
	})
}

func TestAnAuditFailureDoesNotBreakLockOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name  string
			fault func(context.Context, audit.Event) error
			slow  time.Duration // of each recorded operation
		}{
			{"error", func(context.Context, audit.Event) error { return errors.New("disk full") }, 0},
			{"hang", func(ctx context.Context, _ audit.Event) error { <-ctx.Done(); return ctx.Err() }, 100 * time.Millisecond},
			{"hang deaf to its context", func(context.Context, audit.Event) error { time.Sleep(time.Minute); return nil }, 100 * time.Millisecond},
			{"panic", func(context.Context, audit.Event) error { panic("recorder") }, 0},
			{"Goexit", func(context.Context, audit.Event) error { runtime.Goexit(); return nil }, 0},
		} {
			d := newDesk(t, lock.Config{Name: "rooms", MaxExtensions: 1})
			d.trail.breakWith(c.fault)
			var leases [2]*lock.Lease
			for step, op := range []struct {
				name string
				do   func() error
				want error
			}{
				{"acquire", func() (err error) { leases[0], err = d.TryAcquire(t.Context(), lock.Key("a")); return err }, nil},
				{"conflict", func() (err error) { _, err = d.TryAcquire(t.Context(), lock.Key("a")); return err }, lock.ErrConflict},
				{"extend", func() error { return leases[0].Extend(t.Context(), 0) }, nil},
				{"max_reached", func() error { return leases[0].Extend(t.Context(), 0) }, lock.ErrMaxReached},
				{"release", func() error { return leases[0].Release(t.Context()) }, nil},
				{"wait", func() (err error) { leases[1], err = d.Acquire(t.Context(), lock.Key("a")); return err }, nil},
				{"force", func() error {
					return d.ForceRelease(t.Context(), lock.Hold{ID: leases[1].ID(), Resource: leases[1].Resource()})
				}, nil},
			} {
				start := time.Now()
				if err := op.do(); !errors.Is(err, op.want) {
					t.Errorf("%s: %s answers %v, want %v", c.name, op.name, err, op.want)
				}
				if took := time.Since(start); took != c.slow {
					t.Errorf("%s: %s took %s, want %s", c.name, op.name, took, c.slow)
				}
				synctest.Wait()
				if n := d.Stats().AuditErrors; n < uint64(step+1) {
					t.Errorf("%s: %d failures counted after %s, want %d", c.name, n, op.name, step+1)
				}
			}
			wantErr(t, d.Close(t.Context()))
			time.Sleep(time.Minute) // until the deaf recorder has come back
		}
	})
}

func TestHungRecordersDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		var mu sync.Mutex
		running := 0
		hang := make(chan struct{})
		d.trail.breakWith(func(context.Context, audit.Event) error {
			mu.Lock()
			running++
			mu.Unlock()
			<-hang
			return errors.New("gave up")
		})
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				l, err := d.TryAcquire(t.Context(), lock.Key(fmt.Sprint("room", i)))
				wantErr(t, err)
				wantErr(t, l.Release(t.Context()))
			})
		}
		all.Wait()
		mu.Lock()
		if running > 64 {
			t.Errorf("%d recorders hang, want 64 at most", running)
		}
		mu.Unlock()
		if n := d.Stats().AuditErrors; n != 1000 {
			t.Errorf("%d failures counted, want all 1000", n)
		}
		close(hang)
	})
}

func TestARecorderThatHangsLongerThanAShortLeaseDoesNotCostIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: 50 * time.Millisecond})
		d.trail.breakWith(func(ctx context.Context, _ audit.Event) error { <-ctx.Done(); return ctx.Err() })
		l := d.take(t, lock.Key("room"))
		wantErr(t, l.Err())
		d.trail.breakWith(nil)
		wantErr(t, l.Release(t.Context()))
	})
}

func TestARequiredAuditEventUndoesTheAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{AuditRequired: true})
		kept := d.take(t, lock.Key("kept"))
		full := errors.New("disk full")
		d.trail.breakWith(func(context.Context, audit.Event) error { return full })
		l, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrAudit, full)
		if l != nil {
			t.Errorf("got %v", l)
		}
		synctest.Wait()
		wantList(t, "held", d.held(t), kept.ID())
		wantErr(t, kept.Extend(t.Context(), 0))
		wantErr(t, kept.Release(t.Context())) // never refused
		wantList(t, "observed", d.seen.seen(), "acquire success", "acquire audit_failed", "extend success", "release success")
	})
}

func TestEachAuditEventHasItsOccasion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{MaxExtensions: 1, MaxHold: time.Hour})
		l := d.take(t, lock.All(lock.Key("a"), lock.Span("b", 1, 3)), lock.Holder("ada"))
		wantErr(t, l.Extend(t.Context(), time.Minute))
		wantErr(t, l.Extend(t.Context(), time.Minute), lock.ErrMaxReached)
		wantErr(t, l.Release(t.Context()))
		forced := d.take(t, lock.Span("b", 1, 3).Units(1), lock.Holder("bob"))
		wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: forced.ID(), Resource: forced.Resource(), Holder: "bob"}, lock.Holder("admin"), lock.Reason("no show")))
		synctest.Wait()
		d.take(t, lock.Key("c"), lock.Holder("cy"))
		time.Sleep(time.Minute)
		n, err := d.Sweep(t.Context())
		wantErr(t, err)
		if n != 1 {
			t.Errorf("%d expired, want 1", n)
		}
		wantList(t, "recorded", slices.Sorted(slices.Values(d.trail.types())), "lock.acquired", "lock.acquired", "lock.acquired", "lock.expired",
			"lock.extended", "lock.force_released", "lock.lost", "lock.lost", "lock.max_reached", "lock.released")
		force := d.trail.only(t, "lock.force_released")
		if force.Actor.ID != "admin" || force.Reason != "no show" {
			t.Errorf("recorded %+v", force)
		}
		wantDetail(t, force, "held_by", "bob")
		wantDetail(t, d.trail.only(t, "lock.extended"), "parts", []any{"a", "b [1, 3)"})
		expired := d.trail.only(t, "lock.expired")
		if expired.Actor.ID != "cy" || expired.Resource.ID != "c" {
			t.Errorf("recorded %+v", expired)
		}
	})
}

// A slow recorder must not look like a slow store.
func TestTheTimeOfAnOperationIsWithoutTheRecorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{Audit: recorderFunc(func(audit.Event) { time.Sleep(time.Second) })})
		l := d.take(t, lock.Key("room"))
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrConflict)
		conflict, _ := errors.AsType[*lock.ConflictError](err)
		wantErr(t, l.Extend(t.Context(), 0))
		first, _ := conflict.First()
		wantErr(t, d.ForceRelease(t.Context(), first.Hold))
		for _, e := range d.seen.events {
			if e.Took != 0 {
				t.Errorf("%s, %s: took %s", e.Op, e.Result, e.Took)
			}
		}
		time.Sleep(time.Minute) // until the recorder has come back each time
	})
}
