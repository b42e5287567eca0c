// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Log is a [Recorder] with a queue: Record only queues, and one goroutine writes
// batches to the sink and tries failed ones again. That goroutine exists while
// there is work. Safe for concurrent use. Make one with [New].
type Log struct {
	cfg            Config
	sink           Sink
	lanes          *lanes     // also the sink, of a Multi; else nil
	lane           bool       // this is the log of one of a Multi's sinks
	observers      []*mailbox // the last one is the logger's
	panics, missed atomic.Uint64
	wake           chan struct{}      // capacity 1: wakes the writer
	ctx            context.Context    // of every write
	cancel         context.CancelFunc // called when Close has ended or given up
	ended          chan struct{}      // closed when closeErr is set

	// The writer's own, kept to be used again.
	batch  []entry
	events []Event

	mu                 sync.Mutex // guards all below; never held while user code runs
	queue              queue
	flight             []entry // taken from the queue and not settled; only the writer and giveUp change it
	pending            int     // events in queue and flight, and their bytes
	bytes              int
	seq                uint64 // of the newest entry
	stream             stream
	running            bool          // the writer goroutine exists
	lingering, pausing bool          // the writer waits for more events, or pauses after a failure
	urgent             bool          // a Flush or Close waits for the sink: end a pause early
	space              chan struct{} // closed when there is room or the log closes; nil when no Record waits
	flushes            []*flush
	closing            *flush // Close's own; not nil once closed
	gaveUp             bool   // Close gave up: the log has no entries any more
	closeErr           error

	recorded, written, retries uint64
	dropped                    [RetriesSpent + 1]uint64
	failures                   int       // tries in a row that failed
	lastErr                    error     // of the last of them
	writing                    time.Time // start of the try under way
	lastSuccess                time.Time
}

var (
	_ Recorder = (*Log)(nil)
	_ Source   = (*Log)(nil)
)

// flush waits until everything up to seq has left queue and flight.
type flush struct {
	seq   uint64
	lost  []ID  // of those, in order
	cause error // of the last loss
	done  chan struct{}
}

// New returns a log that writes to sink. It does no I/O and starts no goroutine.
// One error reports all that is wrong with sink and cfg: it wraps [ErrInvalid]
// and joins a [*ConfigError] for each contradiction in cfg. Close the log with a
// context that has a deadline of its own.
func New(sink Sink, cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if bad, ok := usable(sink, "New").(invalid); ok {
		err = errors.Join(bad.err, err)
	}
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, sink: sink, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, o := range append(separate(cfg.Observer), &troubles{logger: cfg.Logger}) {
		l.observers = append(l.observers, &mailbox{to: o, panics: &l.panics, missed: &l.missed})
	}
	l.report(context.Background(), Activity{Op: OpCreated})
	l.settleObservers()
	if all, ok := sink.(multi); ok {
		if l.lanes, err = newLanes(all, cfg); err != nil {
			return nil, err
		}
		l.sink = l.lanes
	}
	return l, nil
}

// Record redacts e, freezes it and queues it, in O(1) without rules. It allocates
// only when a text of e has to be changed or the queue grows. A nil error means accepted: the event will
// be in the sink, or be marked in the trail as dropped, or be named in the
// [*LossError] of Close.
//
// Errors: [ErrInvalid] and [ErrTooLarge] for an event that no sink could store,
// [ErrFull] for one that found no room (see [Config.WhenFull]), [ErrClosed]
// after Close. Refused events are counted, and marked in the trail except after
// Close. An event that has an id keeps it: recorded again, it is written again,
// and the sink stores it once.
func (l *Log) Record(ctx context.Context, e Event) error {
	now := time.Now()
	why, err := l.prepare(ctx, &e, now)

	l.mu.Lock()
	if n := size(&e); err == nil {
		if why, err = l.admit(ctx, n); err == nil {
			l.accept(&e, n, now)
		}
	}
	if err != nil {
		l.refuse(ctx, &e, why, err, now)
	}
	l.mu.Unlock()
	return err
}

// Flush waits until everything accepted before the call is in the sink, and ends
// a pause of the writer early. When such an event is lost, the error is a
// [*LossError]. When ctx ends first, the error wraps ctx's error,
// [ErrUnavailable] and the sink's last error; the events stay queued.
func (l *Log) Flush(ctx context.Context) error {
	start := time.Now()
	l.mu.Lock()
	if l.closing != nil {
		l.mu.Unlock()
		return ErrClosed
	}
	ending := l.lanes.ending()
	f := &flush{seq: l.seq, done: make(chan struct{})}
	l.watch(f)
	l.mu.Unlock()

	var err error
	select {
	case <-f.done:
		err = f.err()
	case <-ctx.Done():
		l.mu.Lock()
		l.forget(f)
		err = fmt.Errorf("audit: flush: %w", l.waitedInVain(ctx))
		l.mu.Unlock()
	}
	err = ending.with(ctx, err, (*Log).Flush)
	l.report(ctx, Activity{Op: OpFlush, Took: time.Since(start), Err: err})
	l.settleObservers()
	return err
}

// Close refuses new events, writes what is queued and ends the writer. When
// ctx ends first, Close gives up: the error is a [*LossError] that names every
// accepted event that the sink has not confirmed. An event lost while Close
// writes is reported the same way. Another call waits for the first one and
// returns the same error.
//
// Give ctx a deadline: without one, Close waits for as long as the sink fails.
func (l *Log) Close(ctx context.Context) error {
	start := time.Now()
	l.mu.Lock()
	if l.closing != nil {
		l.mu.Unlock()
		select {
		case <-l.ended:
			return l.closeErr
		case <-ctx.Done():
			return fmt.Errorf("audit: close: another call has not ended: %w", ctx.Err())
		}
	}
	ending := l.lanes.ending()
	f := &flush{seq: l.seq, done: make(chan struct{})}
	l.closing = f
	if l.stream.begun {
		l.start() // writes the end of the stream
	}
	l.watch(f)
	l.makeRoom() // a Record that waits for room returns ErrClosed
	l.mu.Unlock()

	left := 0
	select {
	case <-f.done:
	case <-ctx.Done():
		left = l.giveUp(ctx, f)
	}
	l.cancel() // after giveUp, so that the writer sees why its context ends
	l.closeErr = f.err()
	if loss, ok := errors.AsType[*LossError](l.closeErr); ok {
		loss.InDoubt = left
	}
	l.closeErr = ending.with(ctx, l.closeErr, (*Log).Close)
	close(l.ended)
	l.report(ctx, Activity{Op: OpClosed, Events: lossOf(l.closeErr), Took: time.Since(start), Err: l.closeErr})
	l.settleObservers()
	return l.closeErr
}

func lossOf(err error) int {
	if loss, ok := errors.AsType[*LossError](err); ok {
		return len(loss.IDs)
	}
	return 0
}

// Name returns Config.Name.
func (l *Log) Name() string { return l.cfg.Name }

// Stats returns a snapshot. It is cheap.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Queued: l.pending, Capacity: l.cfg.Queue, QueuedBytes: int64(l.bytes),
		Recorded: l.recorded, Written: l.written, Retries: l.retries,
		ObserverPanics: l.panics.Load(), ObserverMissed: l.missed.Load(), Dropped: make(map[DropReason]uint64), LastSuccess: l.lastSuccess,
	}
	for why, n := range l.dropped {
		if n > 0 {
			s.Dropped[DropReason(why)] = n
		}
	}
	switch {
	case l.pending == 0:
	case len(l.flight) > 0:
		s.OldestPending = time.Since(l.flight[0].at)
	default:
		s.OldestPending = time.Since(l.queue.at(0).at)
	}
	return s
}

// Healthy returns nil while the sink stores what it gets. Otherwise the error
// wraps [ErrUnavailable] and the cause: the last write failed, the current one
// takes longer than [Config.WriteTimeout], or the queue is full. After Close it
// is [ErrClosed]. It does no I/O.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing != nil:
		return ErrClosed
	case l.failures > 0:
		return fmt.Errorf("%w: %s: %d failures in a row: %w", ErrUnavailable, l.cfg.Name, l.failures, l.lastErr)
	case !l.writing.IsZero() && l.cfg.WriteTimeout > 0 && time.Since(l.writing) > l.cfg.WriteTimeout:
		return fmt.Errorf("%w: %s: no answer for %s", ErrUnavailable, l.cfg.Name, time.Since(l.writing).Round(time.Millisecond))
	case l.pending >= l.cfg.Queue:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, l.cfg.Name, ErrFull)
	}
	return l.lanes.healthy()
}

// prepare turns what the caller recorded into what is stored.
func (l *Log) prepare(ctx context.Context, e *Event, now time.Time) (DropReason, error) {
	if l == nil {
		return freeze(e, now, nil)
	}
	if l.cfg.Enrich != nil {
		*e = l.enrich(ctx, *e)
	}
	return freeze(e, now, l.cfg.Redact)
}

// enrich works on a copy: a panic half way leaves the event as it came.
func (l *Log) enrich(ctx context.Context, e Event) Event {
	rich, ok := e, false
	observe.Contain(&l.panics, func() {
		l.cfg.Enrich(ctx, &rich)
		ok = true
	})
	if ok {
		return rich
	}
	return e
}

// report puts an activity into the mailboxes of the observers. It does not
// wait, so it may be called with mu held.
func (l *Log) report(ctx context.Context, a Activity) {
	a.Source = l
	for _, o := range l.observers {
		o.put(ctx, a)
	}
}

// settleObservers waits until the observers have what was reported, except those
// that are stuck.
func (l *Log) settleObservers() {
	for _, o := range l.observers {
		o.settle()
	}
}
