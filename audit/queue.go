// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// Everything in this file is called with mu held.

// admit waits until a lane has room for an event of n bytes, or makes some. It
// unlocks mu while it waits.
func (l *Log) admit(ctx context.Context, n int) (DropReason, error) {
	for waited := false; ; waited = true {
		if l.closing != nil {
			return AfterClose, ErrClosed
		}
		room, full := false, QueueFull
		if l.spool != nil {
			room, full = l.room(n), SpoolFull
		} else {
			for _, a := range l.lanes {
				room = room || a.fits(n) || l.cfg.WhenFull == DropOldest && a.squeeze(n)
			}
		}
		switch {
		case room:
			return NotDropped, nil
		case l.cfg.WhenFull != Block:
			return full, ErrFull
		case !waited && l.cfg.BlockFor > 0:
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, l.cfg.BlockFor, fmt.Errorf("no room for %v", l.cfg.BlockFor))
			defer cancel()
		}
		if err := l.awaitRoom(ctx); err != nil {
			return full, fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
}

func (l *Log) awaitRoom(ctx context.Context) error {
	if l.space == nil {
		l.space = make(chan struct{})
	}
	space := l.space
	for _, a := range l.lanes {
		a.rouse()
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	var look <-chan time.Time
	if l.spool != nil { // another program may have made space on the disk
		timer := time.NewTimer(lookEvery)
		defer timer.Stop()
		look = timer.C
	}
	select {
	case <-space:
		return nil
	case <-look:
		l.spool.folder.Probe()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// makeRoom wakes the calls of Record that wait for room. Each checks again.
func (l *Log) makeRoom() {
	if l.space != nil {
		close(l.space)
		l.space = nil
	}
}

// accept queues e for each sink. An id made here is made under mu, so that the
// order of ids is that of the queues.
func (l *Log) accept(e *Event, n int, now time.Time) {
	l.number(e, now)
	l.seq++
	for _, a := range l.lanes {
		a.recorded++
		if a.squeeze(n) {
			slot := a.queue.push()
			slot.Event, slot.seq, slot.at, slot.size = *e, l.seq, now, n
			a.pending++
			a.bytes += n
		} else {
			a.miss(context.Background(), e, QueueFull, ErrFull, now)
		}
		a.start()
		a.rouse()
	}
}

// refuse counts an event that was not accepted, and marks its place.
func (l *Log) refuse(ctx context.Context, e *Event, why DropReason, err error, now time.Time) {
	if l.seq++; e.ID.IsZero() {
		e.ID, e.Stream, e.Seq = newID(now), ID{}, 0
	}
	for _, a := range l.lanes {
		a.miss(ctx, e, why, err, now)
	}
}

// miss counts an event that is not queued, and marks its place while the log is
// open.
func (a *lane) miss(ctx context.Context, e *Event, why DropReason, err error, now time.Time) {
	a.dropped[why]++
	if a.log.closing == nil {
		a.queue.gapAtTail(a.log.seq, why, e, now)
		a.start()
	}
	a.report(ctx, Activity{Op: OpRecord, Type: e.Type, Drop: why, Events: 1, Err: err})
}

// fits reports whether the queue has room for an event of n bytes.
func (a *lane) fits(n int) bool {
	cfg := &a.log.cfg
	return a.pending-a.behind < cfg.Queue && (cfg.MaxBytes < 0 || a.bytes+n <= cfg.MaxBytes)
}

// squeeze drops the oldest queued events until n bytes fit. It returns false
// when that is not enough, because the rest is being written.
func (a *lane) squeeze(n int) bool {
	for !a.fits(n) {
		old, ok := a.queue.dropOldest()
		if !ok {
			return false
		}
		a.lost(&old, QueueFull, ErrFull)
	}
	return true
}

// lost settles an accepted event that will not be in the sink.
func (a *lane) lost(e *entry, why DropReason, err error) {
	a.dropped[why]++
	a.pending--
	a.bytes -= e.size
	for _, f := range a.flushes {
		if e.seq <= f.seq {
			f.lose(a, e.ID, a.named(err))
		}
	}
	a.report(context.Background(), Activity{Op: OpRecord, Type: e.Type, Drop: why, Events: 1, Bytes: e.size, Err: err})
}

// start starts the writer unless it is running.
func (a *lane) start() {
	if !a.running {
		a.running = true
		go a.run()
	}
}

// rouse wakes the writer when its reason to wait is gone.
func (a *lane) rouse() {
	if a.pausing && a.urgent || a.lingering && (len(a.flushes) > 0 || a.batchReady()) {
		select {
		case a.wake <- struct{}{}:
		default: // a wake-up is pending already
		}
	}
}

// batchReady reports whether a batch should be written without waiting for more
// events.
func (a *lane) batchReady() bool {
	cfg := &a.log.cfg
	return a.log.space != nil || a.pending >= cfg.MaxBatch || cfg.MaxBatchBytes > 0 && a.bytes >= cfg.MaxBatchBytes
}

// entry is an event on its way to the sink, or the gap that lost events left.
type entry struct {
	Event
	seq  uint64    // place in the order of acceptance
	at   time.Time // of acceptance
	size int       // of the event, in bytes
	gap  *gap      // of lost events; nil for an event
	pos  spool.Pos // in the spool, if any
	mark bool      // Event is the log's own, such as a mark of the gap; a gap without it has no Event yet
}

// queue is a ring of entries, oldest first. Two gaps are never neighbours, so the
// bound on events bounds the ring. It grows by doubling and keeps its memory.
type queue struct {
	ring    []entry // length zero or a power of two
	head, n int
}

func (q *queue) at(i int) *entry { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

// push adds an empty entry and returns it.
func (q *queue) push() *entry {
	q.grow()
	q.n++
	return q.at(q.n - 1)
}

func (q *queue) pushFront(e entry) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.n++
	*q.at(0) = e
}

func (q *queue) pop() entry {
	front := q.at(0)
	e := *front
	*front = entry{} // releases the texts
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return e
}

func (q *queue) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]entry, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

// gapAtTail notes an event that was lost after everything queued. An entry of its
// own has the number seq.
func (q *queue) gapAtTail(seq uint64, why DropReason, e *Event, at time.Time) {
	hole := entry{seq: seq, at: at, gap: new(gap)}
	hole.gap.add(why, e, at)
	q.addGap(hole)
}

// addGap adds a gap after everything queued.
func (q *queue) addGap(hole entry) {
	if q.n > 0 && q.at(q.n-1).gap != nil {
		q.at(q.n - 1).gap.join(hole.gap)
		return
	}
	*q.push() = hole
}

// gapAtHead notes lost events that were older than everything queued.
func (q *queue) gapAtHead(e entry) {
	if q.n > 0 && q.at(0).gap != nil {
		e.gap.join(q.pop().gap)
	}
	q.pushFront(e)
}

// dropOldest drops the oldest event, leaving a gap, and returns it; false
// when no event is queued.
func (q *queue) dropOldest() (entry, bool) {
	var left entry
	if q.n > 0 && q.at(0).gap != nil {
		if q.n == 1 {
			return entry{}, false
		}
		left = q.pop()
	}
	if q.n == 0 {
		return entry{}, false
	}
	e := q.pop()
	if left.gap == nil {
		left = entry{seq: e.seq, at: e.at, gap: new(gap)}
	}
	left.gap.add(QueueFull, &e.Event, e.at)
	q.gapAtHead(left)
	return e, true
}
