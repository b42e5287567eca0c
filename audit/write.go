// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// run is the writer. It ends when there is nothing left to write.
func (a *lane) run() {
	a.rest(a.log.cfg.Linger, &a.lingering, func() bool { return len(a.flushes) > 0 || a.batchReady() })
	for a.take() {
		a.deliver()
	}
}

// rest waits for d at most, and ends early when over, called with mu held,
// returns true. The flag is set during the wait; rouse reads it.
func (a *lane) rest(d time.Duration, flag *bool, over func() bool) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		a.log.mu.Lock()
		*flag = !over()
		sleep := *flag
		a.log.mu.Unlock()
		if !sleep {
			return
		}
		select {
		case <-a.wake:
		case <-timer.C:
			a.log.mu.Lock()
			*flag = false
			a.log.mu.Unlock()
			return
		case <-a.log.ctx.Done():
			return
		}
	}
}

// take moves the next batch from the queue into flight. It returns false when
// there is none; the writer then ends.
func (a *lane) take() bool {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	a.load()
	if a.gaveUp || a.queue.n == 0 && !a.ending() {
		a.running = false
		a.settled()
		return false
	}
	a.flight = a.batch[:0]
	if a.beginning() && a.queue.at(0).seq > 0 { // after what earlier processes have left
		a.flight = append(a.flight, a.opening())
	}
	for n, own := 0, len(a.flight); a.queue.n > 0; {
		next := a.queue.at(0)
		n += next.size
		if next.seq > 0 && a.beginning() {
			break
		}
		if len(a.flight) > own && (len(a.flight)-own >= a.log.cfg.MaxBatch || a.log.cfg.MaxBatchBytes > 0 && n > a.log.cfg.MaxBatchBytes) {
			break
		}
		if e := a.queue.pop(); e.gap != nil {
			a.flight = append(a.flight, e.marks(a.log.cfg.Name)...)
		} else {
			a.flight = append(a.flight, e)
		}
	}
	if a.queue.n == 0 && a.behind == 0 && a.ending() {
		a.flight = append(a.flight, a.closing())
	}
	a.batch = a.flight
	return true
}

// deliver writes what is in flight, in order, until every entry is settled:
// stored, or lost and marked. It returns early when Close gave up.
func (a *lane) deliver() {
	var h hunt
	for tries := 1; ; {
		a.log.mu.Lock()
		part := a.flight[:min(len(a.flight), a.log.cfg.MaxBatch)] // giveUp may empty flight, but does not change the entries that part shares
		a.log.mu.Unlock()
		if len(part) == 0 {
			clear(a.batch) // releases the texts
			return
		}
		part = apart(part)
		part = part[:h.part(len(part))]
		err := a.try(part, tries)
		partial, isPartial := errors.AsType[*BatchError](err)
		switch isPartial = isPartial && partial.concerns(part); {
		case err == nil:
			a.stored(len(part))
			h.settled(len(part))
			tries = 1
		case isPartial:
			h = hunt{}
			if a.storedBut(part, partial) {
				tries = a.failed(tries, err)
			}
		case !errors.Is(err, ErrPermanent):
			tries = a.failed(tries, err)
		case len(part) > 1:
			h.refused(len(part))
		case part[0].mark:
			a.unmark(err)
			h.settled(1)
		default:
			a.bury(part[0])
			a.poisoned(0, err)
		}
		a.acknowledge()
	}
}

// errExited is the error of a write whose sink ended its goroutine.
var errExited = fmt.Errorf("%w: the sink ended its goroutine", ErrUnavailable)

// errSilent is what the logger gets while the sink ignores its context.
var errSilent = fmt.Errorf("%w: the sink does not answer", ErrUnavailable)

// try writes part once and reports it.
func (a *lane) try(part []entry, attempt int) error {
	bytes := 0
	a.events = a.events[:0]
	for i := range part {
		a.events = append(a.events, part[i].Event)
		bytes += part[i].size
	}
	start := time.Now()
	a.log.mu.Lock()
	a.writing = start
	if attempt > 1 {
		a.retries++
	}
	a.log.mu.Unlock()

	ctx, end := observe.Span(a.log.ctx, &a.log.panics, a.log.cfg.Trace, "audit", "write", a.name)
	err := a.call(ctx, a.sink, a.events)
	end(err)

	a.log.mu.Lock()
	a.writing = time.Time{}
	if !a.gaveUp { // otherwise the sink may still read them
		clear(a.events)
	}
	a.log.mu.Unlock()
	if err != nil || !part[0].own() {
		a.report(ctx, Activity{
			Op: OpWrite, Events: len(part), Bytes: bytes, Attempt: attempt,
			Took: time.Since(start), Lag: max(0, start.Sub(part[0].at)), Err: err,
		})
	}
	return err
}

// span begins a span of Config.Trace.
func (l *Log) span(ctx context.Context, op string) (context.Context, func(error)) {
	return observe.Span(ctx, &l.panics, l.cfg.Trace, "audit", op, l.cfg.Name)
}

// call runs the sink on a goroutine of its own: a panic or exit there does not
// end the writer, and when Close gives up on a sink that ignores its context,
// only that goroutine is left.
func (a *lane) call(ctx context.Context, sink Sink, events []Event) error {
	var late <-chan time.Time
	if limit := a.log.cfg.WriteTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
		timer := time.NewTimer(max(limit, limit+time.Second)) // no overflow
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
		case <-a.log.ctx.Done():
			return a.log.ctx.Err()
		case <-late:
			a.complain(Activity{Op: OpWrite, Source: a, Err: errSilent})
		}
	}
}

// failed counts a failed try and pauses. When the tries are spent, it drops what
// is in flight. It returns the number of the next try.
func (a *lane) failed(tries int, err error) int {
	next := tries + 1
	var pause time.Duration
	a.update(func() {
		a.failures++
		a.lastErr = err
		pause = a.log.cfg.Retry.pause(a.failures)
		if a.log.cfg.Retry.Tries > 0 && tries >= a.log.cfg.Retry.Tries {
			a.spend(err)
			next = 1
		}
	})
	a.rest(pause, &a.pausing, func() bool {
		hurry := a.urgent
		if hurry {
			a.urgent, a.failures = false, min(a.failures, 1)
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

// hunt finds the events that make a sink refuse a batch. It walks the binary
// tree over the batch from the left: after done entries the next part is the
// largest block that may begin there, the lowest set bit of done. So p bad
// events among n cost at most 2·p·log2(n) tries.
type hunt struct {
	left, done int // of the refused batch, unsettled and settled entries; left 0: no hunt
	limit      int // of the next part
}

func (h *hunt) part(n int) int {
	if h.left == 0 {
		return n
	}
	return min(n, h.left, h.limit)
}

func (h *hunt) refused(n int) {
	if h.left == 0 {
		h.left, h.done = n, 0
	}
	h.limit = 1 << (bits.Len(uint(n-1)) - 1) // the left child: the largest power of two below n
}

func (h *hunt) settled(n int) {
	h.left = max(0, h.left-n)
	h.done += n
	h.limit = h.done & -h.done
}
