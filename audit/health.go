// SPDX-License-Identifier: MIT

package audit

import (
	"errors"
	"fmt"
	"time"
)

// Stats returns a snapshot. Over a [Multi] the numbers are the sums over its
// sinks, OldestPending is the longest and LastSuccess the earliest of them. It is
// cheap.
func (l *Log) Stats() Stats {
	sum := l.lanes[0].Stats()
	for _, a := range l.lanes[1:] {
		s := a.Stats()
		sum.Queued += s.Queued
		sum.Capacity += s.Capacity
		sum.QueuedBytes += s.QueuedBytes
		sum.Recorded += s.Recorded
		sum.Written += s.Written
		sum.Retries += s.Retries
		for why, n := range s.Dropped {
			sum.Dropped[why] += n
		}
		sum.OldestPending = max(sum.OldestPending, s.OldestPending)
		if s.LastSuccess.Before(sum.LastSuccess) {
			sum.LastSuccess = s.LastSuccess
		}
	}
	return sum
}

// Stats returns a snapshot of the lane. The panics of the log are the first
// lane's.
func (a *lane) Stats() Stats {
	l := a.log
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Queued: a.pending, Capacity: l.cfg.Queue, QueuedBytes: int64(a.bytes),
		Recorded: a.recorded, Written: a.written, Retries: a.retries,
		Dropped: make(map[DropReason]uint64), LastSuccess: a.lastSuccess,
	}
	if a.place == 0 {
		s.ObserverPanics, s.ObserverMissed = l.panics.Load(), l.missed.Load()
	}
	for why, n := range a.dropped {
		if n > 0 {
			s.Dropped[DropReason(why)] = n
		}
	}
	if l.spool != nil {
		s.Capacity, s.SpoolLimit = 0, l.cfg.Spool.MaxBytes
		s.SpoolBytes, s.SpoolFailures, _ = l.spool.folder.State()
	}
	var oldest time.Time
	switch {
	case a.pending == 0:
	case len(a.flight) > 0:
		oldest = a.flight[0].at
	case a.queue.n == 0:
		oldest = a.left[a.next.Segment].at
	default:
		oldest = a.queue.at(0).at
	}
	if !oldest.IsZero() {
		s.OldestPending = max(0, time.Since(oldest)) // the clock of an earlier process may have been ahead
	}
	return s
}

// Healthy returns nil while each sink stores what it gets. Otherwise the error
// wraps [ErrUnavailable] and the cause: the last write failed, the current one
// takes longer than [Config.WriteTimeout], or the queue is full. After Close it
// is [ErrClosed]. It does no I/O.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing != nil {
		return ErrClosed
	}
	var errs []error
	for _, a := range l.lanes {
		errs = append(errs, a.healthy())
	}
	if l.spool != nil {
		errs = append(errs, l.spool.healthy(l.cfg.Name))
	}
	return errors.Join(errs...)
}

func (a *lane) healthy() error {
	limit := a.log.cfg.WriteTimeout
	switch {
	case a.failures > 0:
		return fmt.Errorf("%w: %s: %d failures in a row: %w", ErrUnavailable, a.name, a.failures, a.lastErr)
	case !a.writing.IsZero() && limit > 0 && time.Since(a.writing) > limit:
		return fmt.Errorf("%w: %s: no answer for %s", ErrUnavailable, a.name, time.Since(a.writing).Round(time.Millisecond))
	case a.log.spool == nil && a.pending >= a.log.cfg.Queue:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, a.name, ErrFull)
	}
	return nil
}
