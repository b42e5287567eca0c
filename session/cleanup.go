// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

const (
	claimFor    = 5 * callbackFor
	storeFactor = 10 // cleanup waits so many times Config.Timeout for the store
)

// Sweep runs one cleanup cycle now: it takes what has expired, oldest first,
// calls OnExpire for it, removes what cannot be read, and counts what is
// alive. It goes on while there is more, for Config.CleanupInterval at most; the
// Report says whether that was all. One session that cannot be handled does not keep
// it from the others. Any number of processes may sweep at once: each expired session
// goes to one of them.
//
// The Report and an [OpCleanup] event are complete also when an error is
// returned: then they say what was done until then. Errors: [ErrUnavailable].
func (m *Manager[T]) Sweep(ctx context.Context) (r Report, err error) {
	o, ctx := m.begin(ctx, OpCleanup)
	r = Report{Ended: map[EndReason]int{}, Active: m.Stats().Active}
	err = errAborted
	defer func() {
		r.Took = time.Since(o.start)
		m.swept(r)
		o.Report = r
		o.Report.Ended = maps.Clone(r.Ended) // the caller's is the caller's
		m.finish(o, err)
	}()
	drained, claimErr := m.claimAll(ctx, &r)
	err = errors.Join(claimErr, m.countAll(ctx, &r))
	r.Complete = drained && err == nil
	return r, err
}

// swept keeps what a scrape asks for.
func (m *Manager[T]) swept(r Report) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Active, m.stats.LastCycle = r.Active, now
	if r.Complete {
		m.stats.LastComplete = now
	}
}

// claimAll takes batches until one says that there is no more.
func (m *Manager[T]) claimAll(ctx context.Context, r *Report) (drained bool, err error) {
	c := StoreClaim{
		Space: m.cfg.Name, Max: m.cfg.CleanupBatch, For: claimFor,
		Payload: m.cfg.OnExpire != nil, Quarantine: m.cfg.OnCorrupt == QuarantineCorrupt,
	}
	if c.Payload {
		c.Max = min(c.Max, callbackRounds*m.cfg.CleanupWorkers)
	}
	for began := time.Now(); time.Since(began) < m.cfg.CleanupInterval; {
		if err := m.unstuck(); err != nil {
			return false, err
		}
		asked := time.Now()
		limited, cancel := m.bounded(ctx, storeFactor)
		got, err := m.store.Claim(limited, c)
		cancel()
		if err != nil {
			return false, unanswered(ctx, "claim", err)
		}
		r.Rescored += got.Rescored
		claimed, cancel := context.WithDeadline(ctx, asked.Add(claimFor-patience))
		err = m.endAll(claimed, r, got.Due)
		cancel()
		if err != nil {
			return false, err
		}
		if !got.More {
			return true, nil
		}
	}
	return false, nil
}

// endAll deals with one batch: with OnExpire, expired sessions go there; all
// others are removed already, and only have to be reported.
func (m *Manager[T]) endAll(ctx context.Context, r *Report, due []StoreDue) error {
	var callbacks []StoreDue
	for _, d := range due {
		if m.cfg.OnExpire != nil && (d.Reason == ReasonIdle || d.Reason == ReasonAbsolute) {
			callbacks = append(callbacks, d)
			continue
		}
		m.endOne(ctx, r, d)
	}
	return m.callBack(ctx, r, callbacks)
}

func (m *Manager[T]) endOne(ctx context.Context, r *Report, d StoreDue) {
	r.Ended[d.Reason]++
	var age time.Duration
	if !d.CreatedAt.IsZero() {
		age = d.ExpiresAt.Sub(d.CreatedAt)
	}
	m.ended(ctx, d.Reason, d.Hash, m.subjectIn(d.StoreRecord), age)
}

// countAll reads the numbers. Without them the report keeps the last known
// ones: a gauge that falls to 0 would lie.
func (m *Manager[T]) countAll(ctx context.Context, r *Report) error {
	limited, cancel := m.bounded(ctx, storeFactor)
	defer cancel()
	c, err := m.store.Count(limited, m.cfg.Name)
	if err != nil {
		return unanswered(ctx, "count", err)
	}
	r.Active, r.Backlog = c.Active, c.Backlog
	return nil
}

// cycle is Sweep for the loop: a panic, such as one of the store, is an error
// of this cycle and not the end of all of them.
func (m *Manager[T]) cycle(ctx context.Context) (r Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("session: cleanup: panic of type %T", p)
		}
	}()
	return m.Sweep(ctx)
}
