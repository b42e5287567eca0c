// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// Log is a [Recorder] with a queue: Record only queues, and one goroutine for each
// sink writes batches and tries failed ones again. That goroutine exists while
// there is work. Safe for concurrent use. Make one with [New].
type Log struct {
	cfg            Config
	lanes          []*lane    // one for each sink
	observers      []*mailbox // of Config.Observer
	panics, missed atomic.Uint64
	ctx            context.Context    // of every write
	cancel         context.CancelFunc // called when Close has ended or given up
	ended          chan struct{}      // closed when closeErr is set

	mu       sync.Mutex // guards all below, and the lanes; never held while user code runs
	seq      uint64     // of the newest entry
	stream   stream
	spool    *spooler      // nil without one
	space    chan struct{} // closed when there is room or the log closes; nil when no Record waits
	closing  *flush        // Close's own; not nil once closed
	closeErr error
}

// lane is the way of events to one sink. It has a queue and a writer of its own,
// so no sink of a [Multi] waits for another.
type lane struct {
	log   *Log
	place int // in Log.lanes
	name  string
	sink  Sink
	wake  chan struct{} // capacity 1: wakes the writer
	lines *mailbox      // to the logger

	troubles troubles

	// The writer's own, kept to be used again.
	batch  []entry
	events []Event

	// Log.mu guards the rest.
	queue              queue
	unread                     // what is left in the spool
	flight             []entry // taken from the queue and not settled; only the writer and giveUp change it
	pending            int     // events in queue and flight, and their bytes
	bytes              int
	begun, ended       bool // the stream's first and its last event were handed to the writer
	running            bool // the writer goroutine exists
	lingering, pausing bool // the writer waits for more events, or pauses after a failure
	urgent             bool // a Flush or Close waits for the sink: end a pause early
	flushes            []*flush
	gaveUp             bool // Close gave up: the lane has no entries any more

	recorded, written, retries uint64
	dropped                    [SpoolFailed + 1]uint64
	failures                   int       // tries in a row that failed
	lastErr                    error     // of the last of them
	writing                    time.Time // start of the try under way
	lastSuccess                time.Time
}

var (
	_ Recorder = (*Log)(nil)
	_ Source   = (*Log)(nil)
	_ Source   = (*lane)(nil)
)

// flush waits until everything up to seq has left the queue and flight of each
// lane.
type flush struct {
	seq    uint64
	open   int         // lanes that it waits for
	lost   []ID        // of those events, by any lane
	known  map[ID]bool // the lost ones
	causes []error     // of the last loss, or of what stays in the spool, by lane
	done   chan struct{}
}

func (f *flush) lose(a *lane, id ID, cause error) {
	if f.known == nil {
		f.known = make(map[ID]bool)
	}
	if f.causes[a.place] = cause; !f.known[id] {
		f.known[id] = true
		f.lost = append(f.lost, id)
	}
}

func (f *flush) err() error {
	cause := errors.Join(f.causes...)
	if len(f.lost) == 0 {
		return cause
	}
	return &LossError{IDs: f.lost, Cause: cause}
}

// New returns a log that writes to sink. Without a spool it does no I/O, and starts
// no goroutine but that of an [Observer] for its first activity. With one it reads
// the files, begins to write what earlier processes have left, and returns
// [ErrUnavailable] when that fails or another process has the log's folder.
// One error reports all that is wrong with sink and cfg: it wraps [ErrInvalid]
// and joins a [*ConfigError] for each contradiction in cfg. Close the log with a
// context that has a deadline of its own.
func New(sink Sink, cfg Config) (*Log, error) { return newOn(sink, cfg, spool.OS{}) }

// newOn is New with a file system for the spool.
func newOn(sink Sink, cfg Config, fs spool.FS) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if bad, ok := usable(sink, "New").(invalid); ok {
		err = errors.Join(bad.err, err)
	}
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, ended: make(chan struct{}), stream: stream{about: process()}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, o := range separate(cfg.Observer) {
		l.observers = append(l.observers, l.mailbox(o))
	}
	if all, ok := sink.(multi); ok {
		for i, s := range all {
			l.addLane(cfg.Name+"/"+strconv.Itoa(i+1), s)
		}
	} else {
		l.addLane(cfg.Name, sink)
	}
	if err := l.openSpool(fs); err != nil {
		l.cancel()
		return nil, err
	}
	for _, a := range l.lanes {
		a.report(context.Background(), Activity{Op: OpNew})
	}
	l.resume()
	l.settleObservers()
	return l, nil
}

func (l *Log) mailbox(o Observer) *mailbox {
	return &mailbox{to: o, panics: &l.panics, missed: &l.missed}
}

func (l *Log) addLane(name string, sink Sink) {
	l.lanes = append(l.lanes, &lane{
		log: l, place: len(l.lanes), name: name, sink: sink, wake: make(chan struct{}, 1), lines: l.mailbox(nil),
	})
}

// Flush waits until everything accepted before the call is in the sink, and ends
// a pause of the writer early. When such an event is lost, the error is a
// [*LossError]. When ctx ends first, the error wraps ctx's error,
// [ErrUnavailable] and the sink's last error; the events stay queued.
func (l *Log) Flush(ctx context.Context) (err error) {
	start := time.Now()
	ctx, end := l.span(ctx, "flush")
	defer func() { end(err) }()
	l.mu.Lock()
	if l.closing != nil {
		l.mu.Unlock()
		return ErrClosed
	}
	f := l.newFlush()
	l.watch(f)
	l.mu.Unlock()

	select {
	case <-f.done:
		err = f.err()
	case <-ctx.Done():
		l.mu.Lock()
		var causes []error
		for _, a := range l.lanes {
			if a.forget(f) {
				causes = append(causes, a.named(a.waitedInVain(ctx)))
			}
		}
		l.mu.Unlock()
		if err = f.err(); len(causes) > 0 {
			err = fmt.Errorf("audit: flush: %w", errors.Join(causes...))
		}
	}
	l.reportAll(ctx, Activity{Op: OpFlush, Took: time.Since(start), Err: err})
	return err
}

// Close refuses new events, writes what is queued and ends the writer. When
// ctx ends first, Close gives up: the error is a [*LossError] that names every
// accepted event that the sink has not confirmed. An event lost while Close
// writes is reported the same way. With a spool, what is left is not lost: the
// error wraps [ErrUnavailable] and says how many events stay in the spool. Another
// call waits for the first one and returns the same error.
//
// Give ctx a deadline: without one, Close waits for as long as the sink fails.
func (l *Log) Close(ctx context.Context) (err error) {
	start := time.Now()
	ctx, end := l.span(ctx, "close")
	defer func() { end(err) }()
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
	f := l.newFlush()
	l.closing = f
	l.makeRoom() // a Record that waits for room returns ErrClosed
	l.endStream(start)
	l.watch(f)
	l.mu.Unlock()

	left := 0
	select {
	case <-f.done:
	case <-ctx.Done():
		left = l.giveUp(ctx, f)
	}
	l.cancel() // after giveUp, so that the writers see why their context ends
	l.closeErr = errors.Join(f.err(), l.kept(ctx), l.closeSpool())
	lost := 0
	if loss, ok := errors.AsType[*LossError](l.closeErr); ok {
		loss.InDoubt, lost = left, len(loss.IDs)
	}
	close(l.ended)
	l.reportAll(ctx, Activity{Op: OpClosed, Events: lost, Took: time.Since(start), Err: l.closeErr})
	return l.closeErr
}

// newFlush returns a flush of everything accepted so far. Called with mu held.
func (l *Log) newFlush() *flush {
	n := len(l.lanes)
	return &flush{seq: l.seq, open: n, causes: make([]error, n), done: make(chan struct{})}
}

// watch begins a flush, which may end at once. Called with mu held.
func (l *Log) watch(f *flush) {
	for _, a := range l.lanes {
		a.flushes = append(a.flushes, f)
		a.settled()
		a.urgent = a.urgent || slices.Contains(a.flushes, f)
		a.rouse()
	}
}

// forget ends the lane's part in a flush that is given up. It reports whether
// the flush waited for it.
func (a *lane) forget(f *flush) bool {
	before := len(a.flushes)
	a.flushes = slices.DeleteFunc(a.flushes, func(other *flush) bool { return other == f })
	return len(a.flushes) < before
}

// waitedInVain returns the error of a wait for the lane that ctx has ended.
func (a *lane) waitedInVain(ctx context.Context) error {
	if a.lastErr != nil {
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, ctx.Err(), a.lastErr)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
}

// named says which sink of a Multi err is about.
func (a *lane) named(err error) error {
	if len(a.log.lanes) == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", a.name, err)
}

// Name returns Config.Name.
func (l *Log) Name() string { return l.cfg.Name }

// Name returns the name of the log, and of the sink among several.
func (a *lane) Name() string { return a.name }

// report puts an activity into the mailboxes of the observers, and a line for
// the logger when one is due. It does not wait, so it may be called with mu held.
func (a *lane) report(ctx context.Context, what Activity) {
	what.Source = a
	for _, o := range a.log.observers {
		o.put(letter{ctx: ctx, Activity: what})
	}
	a.complain(what)
}

func (a *lane) complain(what Activity) {
	if line := a.troubles.count(a.log.cfg.Logger, what); line != nil {
		a.lines.put(letter{line: line})
	}
}

// reportAll reports for each lane, and waits until the observers have it.
func (l *Log) reportAll(ctx context.Context, what Activity) {
	for _, a := range l.lanes {
		a.report(ctx, what)
	}
	l.settleObservers()
}

// settleObservers waits until the observers have what was reported, except those
// that are stuck.
func (l *Log) settleObservers() {
	for _, o := range l.observers {
		o.settle()
	}
	for _, a := range l.lanes {
		a.lines.settle()
	}
}
