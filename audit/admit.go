// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Everything in this file is called with mu held.

// admit waits for room for an event of n bytes, or makes some. It unlocks mu
// while it waits.
func (l *Log) admit(ctx context.Context, n int) (DropReason, error) {
	for waited := false; ; waited = true {
		switch {
		case l.closing != nil:
			return AfterClose, ErrClosed
		case l.pending < l.cfg.Queue && (l.cfg.MaxBytes < 0 || l.bytes+n <= l.cfg.MaxBytes):
			return NotDropped, nil
		}
		switch l.cfg.WhenFull {
		case DropNewest:
			return QueueFull, ErrFull
		case DropOldest:
			old, ok := l.queue.dropOldest()
			if !ok {
				return QueueFull, ErrFull
			}
			l.lost(&old, QueueFull, ErrFull)
		default:
			if !waited && l.cfg.BlockFor > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, l.cfg.BlockFor, fmt.Errorf("no room for %v", l.cfg.BlockFor))
				defer cancel()
			}
			if err := l.awaitRoom(ctx); err != nil {
				return QueueFull, fmt.Errorf("%w: %w", ErrFull, err)
			}
		}
	}
}

func (l *Log) awaitRoom(ctx context.Context) error {
	if l.space == nil {
		l.space = make(chan struct{})
	}
	space := l.space
	l.rouse()
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// accept queues e. An id made here is made under mu, so that the order of ids
// is that of the queue.
func (l *Log) accept(e *Event, n int, now time.Time) {
	l.number(e, now)
	l.seq++
	l.queue.push(&entry{Event: *e, seq: l.seq, at: now, size: n})
	l.pending++
	l.bytes += n
	l.recorded++
	l.start()
	l.rouse()
}

// refuse counts an event that was not accepted, and marks its place.
func (l *Log) refuse(ctx context.Context, e *Event, why DropReason, err error, now time.Time) {
	l.dropped[why]++
	for _, f := range l.flushes {
		if f.seq == everything && !e.ID.IsZero() {
			f.lost = append(f.lost, e.ID)
			f.cause = err
		}
	}
	if l.closing == nil {
		if e.ID.IsZero() {
			e.ID, e.Stream, e.Seq = newID(now), ID{}, 0
		}
		if l.queue.gapAtTail(l.seq+1, why, e, now) {
			l.seq++
		}
		l.start()
	}
	l.report(ctx, Activity{Op: OpRecord, Type: e.Type, Drop: why, Events: 1, Err: err})
}

// lost settles an accepted event that will not be in the sink.
func (l *Log) lost(e *entry, why DropReason, err error) {
	l.dropped[why]++
	l.pending--
	l.bytes -= e.size
	for _, f := range l.flushes {
		if e.seq <= f.seq {
			f.lost = append(f.lost, e.ID)
			f.cause = err
		}
	}
	l.report(context.Background(), Activity{Op: OpRecord, Type: e.Type, Drop: why, Events: 1, Bytes: e.size, Err: err})
}

// start starts the writer unless it is running.
func (l *Log) start() {
	if !l.running {
		l.running = true
		go l.run()
	}
}

// rouse wakes the writer when its reason to wait is gone.
func (l *Log) rouse() {
	if l.pausing && l.urgent || l.lingering && (len(l.flushes) > 0 || l.batchReady()) {
		select {
		case l.wake <- struct{}{}:
		default: // a wake-up is pending already
		}
	}
}

// batchReady reports whether a batch should be written without waiting for more
// events.
func (l *Log) batchReady() bool {
	return l.space != nil || l.pending >= l.cfg.MaxBatch || l.cfg.MaxBatchBytes > 0 && l.bytes >= l.cfg.MaxBatchBytes
}

// makeRoom wakes the calls of Record that wait for room. Each checks again.
func (l *Log) makeRoom() {
	if l.space != nil {
		close(l.space)
		l.space = nil
	}
}

// watch begins a flush, which may end at once.
func (l *Log) watch(f *flush) {
	l.flushes = append(l.flushes, f)
	l.settled()
	l.urgent = l.urgent || slices.Contains(l.flushes, f)
	l.rouse()
}

// settled ends the flushes whose entries have left queue and flight. Close's
// flush also waits for the writer to end.
func (l *Log) settled() {
	oldest := l.seq + 1
	switch {
	case len(l.flight) > 0:
		oldest = l.flight[0].seq
	case l.queue.n > 0:
		oldest = l.queue.at(0).seq
	}
	l.flushes = slices.DeleteFunc(l.flushes, func(f *flush) bool {
		over := f.seq < oldest && (f != l.closing || !l.running)
		if over {
			close(f.done)
		}
		return over
	})
}

func (l *Log) forget(f *flush) {
	l.flushes = slices.DeleteFunc(l.flushes, func(other *flush) bool { return other == f })
}

// waitedInVain returns the error of a wait that ctx has ended.
func (l *Log) waitedInVain(ctx context.Context) error {
	if l.lastErr != nil {
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, ctx.Err(), l.lastErr)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
}

func (f *flush) err() error {
	if len(f.lost) == 0 {
		return nil
	}
	return &LossError{IDs: f.lost, Cause: f.cause}
}
