// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// firstBackoff comes after a failed cycle. It is doubled up to CleanupInterval.
const firstBackoff = time.Second

// loop makes sure that there is one run at most.
type loop struct {
	mu      sync.Mutex
	current *run
}

// run is one life of the cleanup loop.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

// begin registers a new run. When there is one, it returns that and false.
func (l *loop) begin(ctx context.Context) (*run, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		return l.current, false
	}
	r := &run{done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(ctx)
	l.current = r
	return r, true
}

// end lets go of r.
func (l *loop) end(r *run) {
	r.cancel()
	l.mu.Lock()
	l.current = nil
	l.mu.Unlock()
	close(r.done)
}

func (l *loop) now() *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Run cleans up until ctx ends or Stop is called, and returns nil then: a
// cycle at once, then one every CleanupInterval give or take the jitter. After
// an error it tries again in 1 s, and in twice the time after each further
// one, up to CleanupInterval. A panic of the store counts as an error. While
// there is more to do, the next cycle comes at once.
//
// Every replica may run it; they share the work. It is [ErrInvalid] to run it
// twice in one manager at a time.
func (m *Manager[T]) Run(ctx context.Context) error {
	r, fresh := m.loop.begin(ctx)
	if !fresh {
		return invalid("the cleanup is running already")
	}
	m.clean(r)
	return nil
}

// Start runs the cleanup in the background until Stop. It does nothing when it
// is running already; while it is being stopped, Start waits for that and
// starts it again.
func (m *Manager[T]) Start() {
	for {
		r, fresh := m.loop.begin(context.Background())
		if fresh {
			go m.clean(r)
			return
		}
		if r.ctx.Err() == nil {
			return
		}
		<-r.done
	}
}

// Stop ends the cleanup, be it by Start or by Run, and the giving back of leases
// whose outcome is unknown, and waits until both have ended or ctx has; then it
// returns ctx's error, and they end as soon as they can. It does nothing when
// neither is running. Do not call it from OnExpire.
func (m *Manager[T]) Stop(ctx context.Context) error {
	r := m.loop.now()
	if r != nil {
		r.cancel()
	}
	if err := m.leftovers.end(ctx); err != nil {
		return fmt.Errorf("session: stop: leases are still given back: %w", err)
	}
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("session: stop: the cleanup has not ended yet: %w", ctx.Err())
	}
}

// clean is the loop. It ends with r's context.
func (m *Manager[T]) clean(r *run) {
	defer m.loop.end(r)
	backoff := firstBackoff
	for r.ctx.Err() == nil {
		report, err := m.cycle(r.ctx)
		wait := m.cfg.CleanupInterval
		switch {
		case err != nil:
			wait = min(backoff, wait)
			backoff = min(2*backoff, m.cfg.CleanupInterval)
		case !report.Complete:
			wait, backoff = 0, firstBackoff
		default:
			backoff = firstBackoff
		}
		if sleep(r.ctx, jittered(wait, m.cfg.CleanupJitter)) != nil {
			return
		}
	}
}

// jittered returns d give or take a random part of its share.
func jittered(d time.Duration, share float64) time.Duration {
	return d + time.Duration((2*rand.Float64()-1)*share*float64(d))
}
