// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var errDown = errors.New("connection refused")

// faulty is a store whose answers can be held up, refused or lost.
type faulty struct {
	lock.Store
	down    atomic.Bool  // refuse everything
	hang    atomic.Bool  // answer nothing before ctx ends
	lose    atomic.Bool  // do it, and lose the answer
	delay   atomic.Int64 // before each answer
	calls   atomic.Int64
	extends atomic.Int64
	largest atomic.Int64                     // batch
	forged  atomic.Pointer[lock.StoreStatus] // answers Acquire with it, and the last of a batch of renewals not at all
}

func newFaulty() *faulty { return &faulty{Store: memlock.New()} }

func (f *faulty) before(ctx context.Context) error {
	f.calls.Add(1)
	if f.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.down.Load() {
		return errDown
	}
	return nil
}

func (f *faulty) after() error {
	time.Sleep(time.Duration(f.delay.Load())) // in a bubble
	if f.lose.Load() {
		return errDown
	}
	return nil
}

func (f *faulty) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	if err := f.before(ctx); err != nil {
		return lock.StoreGrant{}, err
	}
	g, err := f.Store.Acquire(ctx, c)
	if s := f.forged.Load(); s != nil {
		g.Status = *s
	}
	return g, errors.Join(err, f.after())
}

func (f *faulty) Extend(ctx context.Context, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	f.extends.Add(1)
	f.largest.Store(max(f.largest.Load(), int64(len(rs))))
	if err := f.before(ctx); err != nil {
		return nil, err
	}
	gs, err := f.Store.Extend(ctx, rs)
	if f.forged.Load() != nil {
		gs = gs[:len(gs)-1]
	}
	return gs, errors.Join(err, f.after())
}

func (f *faulty) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	if err := f.before(ctx); err != nil {
		return nil, err
	}
	gs, err := f.Store.Release(ctx, ts)
	return gs, errors.Join(err, f.after())
}

func (f *faulty) Holds(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	if err := f.before(ctx); err != nil {
		return func(yield func(lock.Hold, error) bool) { yield(lock.Hold{}, err) }
	}
	return f.Store.Holds(ctx, q)
}

func (f *faulty) Wait(ctx context.Context, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
	if err := f.before(ctx); err != nil {
		return lock.StoreGrant{}, err
	}
	return f.Store.Wait(ctx, c, g)
}

func (f *faulty) Sweep(ctx context.Context, q lock.StoreQuery, recorded []string) ([]lock.Hold, error) {
	if err := f.before(ctx); err != nil {
		return nil, err
	}
	return f.Store.Sweep(ctx, q, recorded)
}

// watcher keeps the events it observes.
type watcher struct {
	mu     sync.Mutex
	events []lock.Event
}

func (w *watcher) ObserveLock(_ context.Context, e lock.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// seen returns the events as "op result", without the first one.
func (w *watcher) seen() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events[1:] {
		list = append(list, e.Op.String()+" "+e.Result.String())
	}
	return list
}

// of returns the first event of a hold.
func (w *watcher) of(id string) (lock.Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.events, func(e lock.Event) bool { return e.ID == id })
	if i < 0 {
		return lock.Event{}, false
	}
	return w.events[i], true
}

func (w *watcher) last() lock.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}

// recorder keeps the audit events it gets.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	fault  func(context.Context, audit.Event) error
}

func (r *recorder) Record(ctx context.Context, e audit.Event) error {
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, e); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) breakWith(fault func(context.Context, audit.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault
}

func (r *recorder) types() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		list = append(list, e.Type)
	}
	return list
}

// only returns the one event of a type.
func (r *recorder) only(t *testing.T, kind string) audit.Event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []audit.Event
	for _, e := range r.events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d events %s, want 1", len(found), kind)
	}
	return found[0]
}

// desk is a manager with everything that watches it.
type desk struct {
	*lock.Manager
	store *faulty
	seen  *watcher
	trail *recorder
}

// newDesk makes a manager, on a store of its own unless there is one, and
// closes it with the test.
func newDesk(t *testing.T, cfg lock.Config, on ...*faulty) *desk {
	t.Helper()
	d := &desk{store: newFaulty(), seen: &watcher{}, trail: &recorder{}}
	if len(on) > 0 {
		d.store = on[0]
	}
	if cfg.Name == "" {
		cfg.Name = "rooms"
	}
	if cfg.Audit == nil {
		cfg.Audit = d.trail
	}
	cfg.Observer = lock.Observers(d.seen, cfg.Observer)
	m, err := lock.New(d.store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Manager = m
	t.Cleanup(func() {
		d.store.hang.Store(false)
		_ = m.Close(context.WithoutCancel(t.Context()))
	})
	return d
}

// take acquires r, which must be free.
func (d *desk) take(t *testing.T, r lock.Resource, opts ...lock.Option) *lock.Lease {
	t.Helper()
	l, err := d.TryAcquire(t.Context(), r, opts...)
	if err != nil {
		t.Fatalf("TryAcquire(%s): %v", r, err)
	}
	return l
}

// held returns the ids of what the store holds.
func (d *desk) held(t *testing.T) (ids []string) {
	t.Helper()
	for h, err := range d.Holds(t.Context(), lock.Resource{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, h.ID)
	}
	return ids
}

func date(day int) time.Time { return time.Date(2026, 12, day, 15, 0, 0, 0, time.UTC) }

func nights(room string, in, out int) lock.Resource { return lock.Nights(room, date(in), date(out)) }

func wantErr(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error is %v, want one that wraps %v", err, w)
		}
	}
	if len(want) == 0 && err != nil {
		t.Errorf("error is %v, want none", err)
	}
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
