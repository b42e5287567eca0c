// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/spantest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestEachOperationIsASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen spantest.Recorder
		d := newDesk(t, lock.Config{Trace: seen.Trace})
		key := lock.Key("room/101")
		var l *lock.Lease
		var ref lock.Ref
		var conflict *lock.ConflictError
		for _, step := range []struct {
			op  string
			do  func() error
			err error // as by errors.Is
		}{
			{"acquire", func() (err error) { l, err = d.TryAcquire(t.Context(), key); return err }, nil},
			{"acquire", func() error { _, err := d.TryAcquire(t.Context(), key); errors.As(err, &conflict); return err }, lock.ErrConflict},
			{"extend", func() error { return l.Extend(t.Context(), 0) }, nil},
			{"resume", func() (err error) { ref = l.Detach(); l, err = d.Resume(t.Context(), ref); return err }, nil},
			{"release", func() error { return l.Release(t.Context()) }, nil},
			{"", func() error { return l.Release(t.Context()) }, nil},
			{"extend", func() error { return l.Extend(t.Context(), 0) }, lock.ErrNotHeld},
			{"resume", func() error { _, err := d.Resume(t.Context(), ref); return err }, lock.ErrNotHeld},
			{"force_release", func() error { return d.ForceRelease(t.Context(), conflict.Conflicts[0].Hold) }, lock.ErrNotHeld},
		} {
			returned := step.do()
			var want []spantest.Span
			if step.op != "" {
				want = []spantest.Span{{Op: "lock." + step.op, Name: "rooms", Ends: 1, Err: returned}}
			}
			if got := seen.Take(); !errors.Is(returned, step.err) || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, spans %+v, want %+v", step.op, returned, got, want)
			}
		}
	})
}

// within records in which spans the recorder and the observer were called.
type within struct {
	mu     sync.Mutex
	trail  map[string]string
	events map[lock.Op]string
}

func (w *within) Record(ctx context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trail[e.Type] = spantest.Within(ctx)
	return nil
}

func (w *within) ObserveLock(ctx context.Context, e lock.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[e.Op] = spantest.Within(ctx)
}

// A lease is lost without a call of its holder: its reports belong to the call
// that took it.
func TestReportsAreMadeWithinTheSpanOfTheirOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &within{trail: make(map[string]string), events: make(map[lock.Op]string)}
		var seen spantest.Recorder
		m, err := lock.New(memlock.New(), lock.Config{Name: "rooms", TTL: time.Second, Trace: seen.Trace, Audit: w, Observer: w})
		wantErr(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		_, err = m.TryAcquire(ctx, lock.Key("lost"))
		wantErr(t, err)
		cancel()
		l, err := m.TryAcquire(t.Context(), lock.Key("released"))
		wantErr(t, err)
		wantErr(t, l.Release(t.Context()))
		time.Sleep(2 * time.Second)
		wantErr(t, m.Close(t.Context()))
		delete(w.trail, "lock.expired")
		delete(w.events, lock.OpExpired)
		if want := map[string]string{"lock.acquired": "lock.acquire", "lock.released": "lock.release", "lock.lost": "lock.acquire"}; !reflect.DeepEqual(w.trail, want) {
			t.Errorf("recorded within %v, want %v", w.trail, want)
		}
		if want := map[lock.Op]string{lock.OpNew: "", lock.OpClosed: "", lock.OpAcquire: "lock.acquire", lock.OpRelease: "lock.release", lock.OpLost: "lock.acquire"}; !reflect.DeepEqual(w.events, want) {
			t.Errorf("observed within %v, want %v", w.events, want)
		}
	})
}

func TestASpanEndsThoughAFunctionOfTheConfigPanics(t *testing.T) {
	var seen spantest.Recorder
	d := newDesk(t, lock.Config{Trace: seen.Trace, GroupBy: func(string) string { panic("boom") }})
	func() {
		defer func() { _ = recover() }()
		_, _ = d.TryAcquire(t.Context(), lock.Key("a"))
	}()
	if got := seen.Take(); len(got) != 1 || got[0].Ends != 1 || got[0].Err == nil {
		t.Errorf("%+v", got)
	}
}

func TestATraceThatPanicsDecidesNothing(t *testing.T) {
	d := newDesk(t, lock.Config{Trace: func(context.Context, string, string) (context.Context, func(error)) { panic("boom") }})
	wantErr(t, d.take(t, lock.Key("a")).Release(t.Context()))
	if got := d.Stats().ObserverPanics; got != 2 {
		t.Errorf("%d panics counted, want 2", got)
	}
}
