// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// window is what the rates look at: the recent results of one stay in a state.
// All methods may be called from any number of goroutines. Times count from the
// breaker's start. The cost of none depends on the size of the window.
//
// A call that was ignored is in it only if it was slow.
type window interface {
	success(now time.Duration)
	record(now time.Duration, o Outcome, slow bool) Counts // counts the call, and returns what the window then holds
	counts(now time.Duration) Counts                       // Consecutive is left to the caller
}

// newWindow returns an empty window, or nil when no rule looks at one.
func (cfg *Config) newWindow() window {
	switch {
	case !cfg.windowed():
		return nil
	case cfg.Window.Calls > 0:
		return &callWindow{calls: make([]pastCall, cfg.Window.Calls)}
	default:
		return &timeWindow{width: cfg.Window.Duration / time.Duration(cfg.Window.Buckets), buckets: int64(cfg.Window.Buckets)}
	}
}

// windowed reports whether a rule looks at the window.
func (cfg *Config) windowed() bool {
	return cfg.FailureRate > 0 || cfg.SlowRate > 0 || cfg.TripWhen != nil
}

// add counts n calls of an outcome.
func (c *Counts) add(o Outcome, slow bool, n uint64) {
	switch o {
	case Success:
		c.Success += n
	case Failure:
		c.Failure += n
	case Ignored:
		c.Ignored += n
	}
	if slow {
		c.Slow += n
	}
}

// timeWindow is a sliding window of time, in buckets. It counts calls since its
// beginning, and marks what it had counted when a bucket began: the window holds
// what was counted since the oldest mark in it. A bucket without calls has no
// mark. A success, which is what healthy traffic consists of, takes no lock.
type timeWindow struct {
	width   time.Duration
	buckets int64
	end     atomic.Int64 // when the newest bucket ends
	good    counter      // successes that were not slow

	mu    sync.Mutex
	rest  Counts // all other calls
	marks []mark // the oldest first
}

// mark is what a window had counted when a bucket began.
type mark struct {
	bucket int64
	before Counts
}

func (w *timeWindow) success(now time.Duration) {
	if int64(now) >= w.end.Load() {
		w.mu.Lock()
		w.begin(now)
		w.mu.Unlock()
	}
	w.good.add()
}

func (w *timeWindow) record(now time.Duration, o Outcome, slow bool) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(now)
	w.rest.add(o, slow, 1)
	return w.held(now)
}

func (w *timeWindow) counts(now time.Duration) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held(now)
}

// begin makes the bucket of now the newest one, unless it is or a newer one is.
func (w *timeWindow) begin(now time.Duration) {
	if int64(now) < w.end.Load() {
		return
	}
	bucket := int64(now / w.width)
	w.forget(bucket)
	w.marks = append(w.marks, mark{bucket, w.total()})
	w.end.Store((bucket + 1) * int64(w.width))
}

// forget drops the marks of buckets that have left the window which ends with
// the given one.
func (w *timeWindow) forget(newest int64) {
	for len(w.marks) > 0 && w.marks[0].bucket <= newest-w.buckets {
		w.marks = w.marks[1:]
	}
}

func (w *timeWindow) held(now time.Duration) Counts {
	w.forget(int64(now / w.width))
	if len(w.marks) == 0 {
		return Counts{}
	}
	c, before := w.total(), w.marks[0].before
	return Counts{
		Success: c.Success - before.Success, Failure: c.Failure - before.Failure,
		Ignored: c.Ignored - before.Ignored, Slow: c.Slow - before.Slow,
	}
}

func (w *timeWindow) total() Counts {
	c := w.rest
	c.Success += w.good.sum()
	return c
}

// callWindow is a window of the last len(calls) calls, in the order in which
// they ended.
type callWindow struct {
	mu    sync.Mutex
	calls []pastCall // used in turn
	next  int
	sum   Counts // of calls
}

type pastCall struct {
	made, slow bool
	outcome    Outcome
}

func (w *callWindow) success(now time.Duration) { w.record(now, Success, false) }

func (w *callWindow) record(_ time.Duration, o Outcome, slow bool) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	call := &w.calls[w.next]
	w.next = (w.next + 1) % len(w.calls)
	if call.made {
		w.sum.add(call.outcome, call.slow, ^uint64(0)) // minus one
	}
	*call = pastCall{made: true, slow: slow, outcome: o}
	w.sum.add(o, slow, 1)
	return w.sum
}

func (w *callWindow) counts(time.Duration) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sum
}
