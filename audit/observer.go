// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Observer gets the activities of a [*Log], one at a time and in order, on a
// goroutine of its own that exists while there are some. So an observer that is
// slow or stuck holds up neither the log nor another observer; it misses what
// happens while 1024 activities wait for it, counted in [Stats.ObserverMissed].
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
	OpCreated Op = iota // sent by [New]
	OpRecord            // an event was refused or dropped; accepted ones are only counted
	OpWrite             // one try to write a batch ended; for the first and last event of a stream only if it failed
	OpFlush             // a Flush ended
	OpClosed            // Close ended
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
)

// String returns the reason in lower case with underscores, such as
// "queue_full".
func (r DropReason) String() string {
	return name(r, "none", "queue_full", "after_close", "invalid", "too_large", "poisoned", "retries_spent")
}

// DropReasons lists the reasons for which an event can be lost.
func DropReasons() []DropReason {
	return []DropReason{QueueFull, AfterClose, InvalidEvent, EventTooLarge, Poisoned, RetriesSpent}
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
	Type          string        // OpRecord: type of the event
	Drop          DropReason    // OpRecord: why the event was lost
	Events, Bytes int           // OpClosed: the events lost since Close was called, each reported before
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
}
