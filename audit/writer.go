// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// run is the writer. It ends when there is nothing left to write.
func (l *Log) run() {
	l.rest(l.cfg.Linger, &l.lingering, func() bool { return len(l.flushes) > 0 || l.batchReady() })
	for l.take() {
		l.deliver()
	}
}

// rest waits for d at most, and ends early when over, called with mu held,
// returns true. The flag is set during the wait; rouse reads it.
func (l *Log) rest(d time.Duration, flag *bool, over func() bool) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		l.mu.Lock()
		*flag = !over()
		sleep := *flag
		l.mu.Unlock()
		if !sleep {
			return
		}
		select {
		case <-l.wake:
		case <-timer.C:
			l.mu.Lock()
			*flag = false
			l.mu.Unlock()
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// take moves the next batch from the queue into flight. It returns false when
// there is none; the writer then ends.
func (l *Log) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gaveUp || l.queue.n == 0 && !l.ending() {
		l.running = false
		l.settled()
		return false
	}
	l.flight = l.batch[:0]
	if l.beginning() {
		l.flight = append(l.flight, l.opening())
	}
	for n, own := 0, len(l.flight); l.queue.n > 0; {
		next := l.queue.at(0)
		n += next.size
		if len(l.flight) > own && (len(l.flight)-own >= l.cfg.MaxBatch || l.cfg.MaxBatchBytes > 0 && n > l.cfg.MaxBatchBytes) {
			break
		}
		if e := l.queue.pop(); e.gap != nil {
			l.flight = append(l.flight, e.marks(l.cfg.Name)...)
		} else {
			l.flight = append(l.flight, e)
		}
	}
	if l.queue.n == 0 && l.ending() {
		l.flight = append(l.flight, l.closingEvent())
	}
	l.batch = l.flight
	return true
}

// deliver writes what is in flight, in order, until every entry is settled:
// stored, or lost and marked. It returns early when Close gave up.
func (l *Log) deliver() {
	var h hunt
	for tries := 1; ; {
		l.mu.Lock()
		part := l.flight[:min(len(l.flight), l.cfg.MaxBatch)] // giveUp may empty flight, but does not change the entries that part shares
		l.mu.Unlock()
		if len(part) == 0 {
			clear(l.batch) // releases the texts
			return
		}
		part = apart(part)
		part = part[:h.part(len(part))]
		err := l.try(part, tries)
		partial, isPartial := errors.AsType[*BatchError](err)
		switch isPartial = isPartial && partial.concerns(part); {
		case err == nil:
			l.stored(len(part))
			h.settled(len(part))
			tries = 1
		case isPartial:
			h = hunt{}
			if l.storedBut(part, partial) {
				tries = l.failed(tries, err)
			}
		case !errors.Is(err, ErrPermanent):
			tries = l.failed(tries, err)
		case len(part) > 1:
			h.refused(len(part))
		case part[0].mark:
			l.unmark(err)
			h.settled(1)
		default:
			l.bury(part[0])
			l.poisoned(0, err)
		}
	}
}

// errExited is the error of a write whose sink ended its goroutine.
var errExited = fmt.Errorf("%w: the sink ended its goroutine", ErrUnavailable)

// errSilent is what the logger gets while the sink ignores its context.
var errSilent = fmt.Errorf("%w: the sink does not answer", ErrUnavailable)

// try writes part once and reports it.
func (l *Log) try(part []entry, attempt int) error {
	bytes := 0
	l.events = l.events[:0]
	for i := range part {
		l.events = append(l.events, part[i].Event)
		bytes += part[i].size
	}
	start := time.Now()
	l.mu.Lock()
	l.writing = start
	if attempt > 1 {
		l.retries++
	}
	l.mu.Unlock()

	err := l.call(l.sink, l.events)

	l.mu.Lock()
	l.writing = time.Time{}
	if !l.gaveUp { // otherwise the sink may still read them
		clear(l.events)
	}
	l.mu.Unlock()
	if err != nil || !part[0].own() {
		l.report(l.ctx, Activity{
			Op: OpWrite, Events: len(part), Bytes: bytes, Attempt: attempt,
			Took: time.Since(start), Lag: start.Sub(part[0].at), Err: err,
		})
	}
	return err
}

// call runs the sink on a goroutine of its own: a panic or exit there does not
// end the writer, and when Close gives up on a sink that ignores its context,
// only that goroutine is left.
func (l *Log) call(sink Sink, events []Event) error {
	ctx, cancel := l.ctx, context.CancelFunc(func() {})
	if l.cfg.WriteTimeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, l.cfg.WriteTimeout)
	}
	defer cancel()
	var late <-chan time.Time
	if l.cfg.WriteTimeout > 0 {
		timer := time.NewTimer(l.cfg.WriteTimeout + time.Second)
		defer timer.Stop()
		late = timer.C
	}
	answer := make(chan error, 1)
	go func() {
		err := errExited
		defer func() { answer <- err }()
		err = write(ctx, sink, events)
	}()
	for {
		select {
		case err := <-answer:
			return err
		case <-l.ctx.Done():
			return l.ctx.Err()
		case <-late:
			l.observers[len(l.observers)-1].put(ctx, Activity{Op: OpWrite, Source: l, Err: errSilent})
		}
	}
}

// failed counts a failed try and pauses. When the tries are spent, it drops what
// is in flight. It returns the number of the next try.
func (l *Log) failed(tries int, err error) int {
	next := tries + 1
	var pause time.Duration
	l.update(func() {
		l.failures++
		l.lastErr = err
		pause = l.cfg.Retry.pause(l.failures)
		if l.cfg.Retry.Tries > 0 && tries >= l.cfg.Retry.Tries {
			l.spend(err)
			next = 1
		}
	})
	l.rest(pause, &l.pausing, func() bool {
		hurry := l.urgent
		if hurry {
			l.urgent, l.failures = false, min(l.failures, 1)
		}
		return hurry
	})
	return next
}

func (b Backoff) pause(failures int) time.Duration {
	limit := b.Max
	if doublings := failures - 1; doublings < 62 && b.Base <= b.Max>>doublings {
		limit = b.Base << doublings
	}
	return rand.N(limit)
}
