// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Observer gets the activities of a [*Log], one at a time and in order, on a
// goroutine of its own that exists while there are some. So an observer that is
// slow or stuck holds up neither the log nor another observer. When it is behind,
// events that are lost one after another are reported together, and it misses
// what happens while 1024 activities wait for it, counted in
// [Stats.ObserverMissed].
// [New], [Log.Flush] and [Log.Close] return when the observers have what was
// reported, and wait a second at most for one that is stuck. A panic is contained
// and counted in [Stats.ObserverPanics].
type Observer interface {
	ObserveAudit(ctx context.Context, a Activity)
}

// Observers returns an [Observer] for [Config] that stands for every observer of
// the list. Nil ones are skipped.
func Observers(list ...Observer) Observer {
	var all observers
	for _, o := range observe.Present(list) {
		all = append(all, separate(o)...)
	}
	return all
}

// separate returns the observers that o stands for.
func separate(o Observer) []Observer {
	switch o := o.(type) {
	case nil:
		return nil
	case observers:
		return slices.Clone(o)
	}
	return []Observer{o}
}

type observers []Observer

func (all observers) ObserveAudit(ctx context.Context, a Activity) {
	observe.Each(all, func(o Observer) { o.ObserveAudit(ctx, a) })
}

// Source is a log for readers such as a metrics collector. Both methods are
// cheap, change nothing, and are safe for concurrent use.
type Source interface {
	Name() string
	Stats() Stats
}

// Op is what an [Activity] is about.
type Op uint8

const (
	OpNew    Op = iota // sent by [New]
	OpRecord           // events were refused or dropped; accepted ones are only counted
	OpWrite            // one try to write a batch ended; for the first and last event of a stream only if it failed
	OpFlush            // a Flush ended
	OpClosed           // Close ended
)

// String returns "created", "record", "write", "flush" or "closed".
func (o Op) String() string { return name(o, "created", "record", "write", "flush", "closed") }

// DropReason is why an event is not in the sink.
type DropReason uint8

const (
	NotDropped    DropReason = iota
	QueueFull                // the queue was full; see [Config.WhenFull]
	AfterClose               // recorded after Close
	InvalidEvent             // no type, or a time outside the years 1 to 9999
	EventTooLarge            // larger than the bound, even with its texts cut
	Poisoned                 // the sink refuses it for good; it goes to [Config.DeadLetter], if any
	RetriesSpent             // the sink did not take it before Close or the retries ended
	SpoolFull                // the spool, or its disk, was full; see [Spool]
	SpoolFailed              // the spool could not be written, or not be read again
)

// String returns the reason in lower case with underscores, such as
// "queue_full".
func (r DropReason) String() string {
	return name(r, "none", "queue_full", "after_close", "invalid", "too_large", "poisoned", "retries_spent", "spool_full", "spool_failed")
}

// DropReasons lists the reasons for which an event can be lost.
func DropReasons() []DropReason {
	return []DropReason{QueueFull, AfterClose, InvalidEvent, EventTooLarge, Poisoned, RetriesSpent, SpoolFull, SpoolFailed}
}

func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// Activity is one thing that a log did. More fields may be added.
type Activity struct {
	Op            Op
	Source        Source
	Type          string        // OpRecord: type of the event, of the first one when Events is more
	Drop          DropReason    // OpRecord: why the event was lost
	Events, Bytes int           // OpRecord: 1, or more when an observer is behind; OpClosed: the events lost since Close was called, each reported before
	Attempt       int           // OpWrite: 1 for the first try of a batch
	Took          time.Duration // of the write, flush or close
	Lag           time.Duration // OpWrite: age of the oldest event of the batch
	Err           error
}

// Stats is a snapshot of a log. The counters never fall and do not count marks
// ([TypeDropped]). At any time Recorded = Written + Queued + those accepted
// events that are in Dropped.
type Stats struct {
	Queued, Capacity int                   // events not yet in the sink, and the bound on them
	QueuedBytes      int64                 // what those take in memory, roughly
	Recorded         uint64                // accepted by Record
	Written          uint64                // taken by the sink
	Retries          uint64                // tries of a batch beyond the first
	ObserverPanics   uint64                // of Config.Observer, Config.Enrich and Config.Logger, contained
	ObserverMissed   uint64                // activities that an observer or the logger did not get
	Dropped          map[DropReason]uint64 // only reasons that happened
	OldestPending    time.Duration         // age of the oldest event not yet in the sink
	LastSuccess      time.Time             // zero before the first written batch

	// With a spool, Queued is its depth and OldestPending its age; both include
	// what earlier processes have left, which counts as Recorded. Capacity is 0.
	SpoolBytes, SpoolLimit int64  // what its files take, and Spool.MaxBytes; over a Multi for all sinks together
	SpoolFailures          uint64 // writes and syncs that failed
}

// mailboxSize bounds the activities that wait for one observer; from mailboxBusy
// on, neighbouring lost events are reported together.
const mailboxSize, mailboxBusy = 1024, 64

// mailbox delivers activities to one observer, or lines to the logger, on a
// goroutine that exists while there is work.
type mailbox struct {
	to             Observer
	panics, missed *atomic.Uint64

	mu    sync.Mutex
	queue []letter
	empty chan struct{} // closed when all is delivered; nil while no goroutine delivers
	stuck bool          // settle has waited in vain since the mailbox was last empty
}

type letter struct {
	ctx context.Context
	Activity
	line func() // if not nil, it is called instead of the observer
}

// put does not wait, and runs no user code on the caller's goroutine.
func (b *mailbox) put(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.queue); n >= mailboxBusy && l.Op == OpRecord && l.line == nil {
		if last := &b.queue[n-1]; last.Op == OpRecord && last.Source == l.Source && last.Drop == l.Drop {
			last.Events += l.Events
			last.Bytes += l.Bytes
			return
		}
	}
	if len(b.queue) >= mailboxSize {
		b.missed.Add(1)
		return
	}
	b.queue = append(b.queue, l)
	if b.empty == nil {
		b.empty = make(chan struct{})
		go b.deliver()
	}
}

func (b *mailbox) deliver() {
	over := false
	defer func() {
		if !over { // the observer ended the goroutine
			go b.deliver()
		}
	}()
	for !over {
		b.mu.Lock()
		if over = len(b.queue) == 0; over {
			close(b.empty)
			b.queue, b.empty, b.stuck = nil, nil, false
			b.mu.Unlock()
			return
		}
		next := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		observe.Contain(b.panics, func() {
			if next.line != nil {
				next.line()
			} else {
				b.to.ObserveAudit(next.ctx, next.Activity)
			}
		})
	}
}

// settle waits until all is delivered: a second at most, and not again for an
// observer that is still stuck.
func (b *mailbox) settle() {
	b.mu.Lock()
	empty, stuck := b.empty, b.stuck
	b.mu.Unlock()
	if empty == nil || stuck {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-empty:
	case <-timer.C:
		b.mu.Lock()
		b.stuck = b.empty == empty
		b.mu.Unlock()
	}
}

// troubles decides which lines [Config.Logger] gets about one sink.
type troubles struct {
	mu                sync.Mutex
	failures, dropped int // since the last line
	reason            DropReason
	err               error     // the last one
	next              time.Time // of the next line at the earliest
	failing           bool      // the last write failed
	announced         bool      // by a line
}

// count notes an activity. It returns the line that is due: for the first
// trouble, then at most one a minute, and when the sink stores again.
func (t *troubles) count(logger *slog.Logger, a Activity) (line func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case a.Op == OpRecord:
		t.dropped += a.Events
		t.reason, t.err = a.Drop, a.Err
	case a.Op == OpWrite && a.Err != nil:
		t.failures++
		t.failing, t.err = true, a.Err
	case a.Op == OpWrite:
		if t.failing = false; t.announced {
			t.announced = false
			return t.line(logger, a.Source, slog.LevelInfo, "audit: the sink stores again")
		}
	}
	if t.failures+t.dropped == 0 {
		return nil
	}
	now := time.Now()
	if a.Op != OpClosed && now.Before(t.next) {
		return nil
	}
	t.next = now.Add(time.Minute)
	t.announced = t.failing
	if t.dropped > 0 {
		return t.line(logger, a.Source, slog.LevelError, "audit: events are dropped")
	}
	return t.line(logger, a.Source, slog.LevelWarn, "audit: writing fails")
}

func (t *troubles) line(logger *slog.Logger, source Source, level slog.Level, text string) func() {
	attrs := []slog.Attr{slog.String("log", source.Name()), slog.Int("failed_writes", t.failures), slog.Int("dropped", t.dropped)}
	if t.dropped > 0 {
		level = slog.LevelError
		attrs = append(attrs, slog.String("reason", t.reason.String()))
	}
	if level != slog.LevelInfo {
		attrs = append(attrs, slog.Any("err", t.err))
	}
	t.failures, t.dropped = 0, 0
	return func() {
		attrs := append(attrs, slog.Int("queued", source.Stats().Queued))
		l := logger
		if l == nil {
			l = slog.Default()
		}
		l.LogAttrs(context.Background(), level, text, attrs...)
	}
}
