// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
	"github.com/holdfast-go/holdfast/internal/observe"
)

// Manager acquires leases in one space of a store. It is safe for concurrent
// use. Make it with [New], end it with [Manager.Close].
type Manager struct {
	store    Store
	cfg      Config
	trail    *trail
	sweeper  *sweeper
	watchdog *watchdog
	returns  *returns
	gate     gate

	stopping context.Context // ends when Close begins
	stop     context.CancelFunc

	waiting atomic.Int64
	panics  atomic.Uint64

	closing atomic.Bool

	mu     sync.Mutex
	leases map[*Lease]struct{} // held here
}

const (
	releaseTimeout = 5 * time.Second // of a release, whatever its caller's ctx says
	maxReleasing   = 16              // releases that Close has under way at once
)

// New makes a manager, or reports every problem of cfg in one error that wraps
// a [*ConfigError] for each. It does no I/O and starts no goroutine.
func New(store Store, cfg Config) (*Manager, error) {
	cfg, err := cfg.withDefaults()
	if configerr.IsNil(store) {
		err = errors.Join(invalid("New needs a store"), err)
	}
	if err != nil {
		return nil, err
	}
	m := &Manager{store: store, cfg: cfg, leases: make(map[*Lease]struct{})}
	m.stopping, m.stop = context.WithCancel(context.Background())
	m.trail = newTrail(cfg)
	m.sweeper = newSweeper(m)
	m.watchdog = newWatchdog(m)
	m.returns = newReturns(m)
	m.observe(context.Background(), Event{Op: OpNew})
	return m, nil
}

// Name returns Config.Name.
func (m *Manager) Name() string { return m.cfg.Name }

// Stats returns a snapshot. It does no I/O.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	held := len(m.leases)
	m.mu.Unlock()
	return Stats{
		Held:           held,
		Renewing:       m.watchdog.size(),
		Waiting:        int(m.waiting.Load()),
		AuditErrors:    m.trail.failed.Load(),
		ObserverPanics: m.panics.Load(),
	}
}

// errReleasedByClose is why a lease ended that Close released.
var errReleasedByClose = fmt.Errorf("%w: %w", ErrReleased, ErrClosed)

// Close ends the manager: calls that wait end with [ErrClosed], as do all
// later ones, and every lease that is held here and not detached is released,
// each on its own, also while a function of [Manager.Do] works under it. It waits for all of that, and for the background work that
// earlier calls caused, until ctx ends; what is then still under way ends
// within seconds. It returns what could not be released. Later calls only
// wait.
func (m *Manager) Close(ctx context.Context) error {
	m.gate.join() // later calls of Close wait for the first, too
	if !m.closing.CompareAndSwap(false, true) {
		m.gate.leave()
		return m.quiet(ctx)
	}
	start := time.Now()
	m.stop()
	err := m.releaseAll(ctx)
	m.gate.leave()
	err = errors.Join(err, m.quiet(ctx))
	m.observe(ctx, Event{Op: OpClosed, Result: result(err), Took: time.Since(start), Err: err})
	return err
}

func (m *Manager) quiet(ctx context.Context) error {
	if err := m.gate.wait(ctx); err != nil {
		return fmt.Errorf("lock: closing %s: %w", m.cfg.Name, err)
	}
	return nil
}

// releaseAll releases what is held here. Since Close has begun, add adds nothing
// more. All that the store has not answered ends releaseTimeout after ctx.
func (m *Manager) releaseAll(ctx context.Context) error {
	m.mu.Lock()
	held := slices.Collect(maps.Keys(m.leases))
	m.mu.Unlock()

	limited, cut := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(releaseTimeout, cut) })
	var (
		next atomic.Int64
		mu   sync.Mutex
		errs []error
		done sync.WaitGroup
	)
	ended := make(chan struct{})
	for range min(maxReleasing, len(held)) {
		done.Add(1)
		m.spawn(func() {
			defer done.Done()
			for i := next.Add(1) - 1; int(i) < len(held); i = next.Add(1) - 1 {
				if err := held[i].release(limited, errReleasedByClose); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	m.spawn(func() { done.Wait(); stop(); cut(); close(ended) })
	select {
	case <-ended:
	case <-ctx.Done(): // quiet reports it
	}
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(errs...)
}

// spawn runs f on a goroutine that Close waits for.
func (m *Manager) spawn(f func()) {
	m.gate.join()
	go func() {
		defer m.gate.leave()
		f()
	}()
}

// enter counts a call that Close is to wait for, until gate.leave, unless Close
// has begun.
func (m *Manager) enter() bool {
	m.gate.join()
	if m.stopping.Err() != nil {
		m.gate.leave()
		return false
	}
	return true
}

// add makes the manager responsible for l, unless Close has begun.
func (m *Manager) add(l *Lease) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping.Err() != nil {
		return false
	}
	m.leases[l] = struct{}{}
	return true
}

// forget drops an ended lease.
func (m *Manager) forget(l *Lease) {
	m.watchdog.remove(l)
	m.mu.Lock()
	delete(m.leases, l)
	m.mu.Unlock()
}

// span begins a span of Config.Trace.
func (m *Manager) span(ctx context.Context, op Op) (context.Context, func(error)) {
	return observe.Span(ctx, &m.panics, m.cfg.Trace, "lock", op.String(), m.cfg.Name)
}

// observe calls the observer. It must be called without any lock held.
func (m *Manager) observe(ctx context.Context, e Event) {
	if m.cfg.Observer == nil {
		return
	}
	e.Source = m
	observe.Contain(&m.panics, func() { m.cfg.Observer.ObserveLock(ctx, e) })
}
