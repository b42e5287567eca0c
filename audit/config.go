// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Config configures a [Log]. The zero Config is valid; a zero field has the
// documented default.
type Config struct {
	Name string // in observers' activities and health messages; default "audit"
	// Instance names what runs the log, for [TypeOpened]: after a restart it is
	// the same, and no two that run at the same time have the same. Default:
	// the host's name and the program's, such as "front-1/bot".
	Instance string

	// Queue bounds the number of events that wait, MaxBytes their memory,
	// roughly; the batch being written counts. Defaults 8192 and 16 MiB; a
	// negative MaxBytes is no limit.
	Queue, MaxBytes int
	// WhenFull is what Record does with an event that finds no room. Default
	// [Block].
	WhenFull FullPolicy
	// BlockFor bounds the waiting of one Record under [Block]. Default 1 s;
	// negative: as long as ctx lasts.
	BlockFor time.Duration

	// Spool keeps accepted events on disk until the sink has them. Queue and
	// MaxBytes then bound only what of them is in memory, and MaxBytes is at most
	// a quarter of the spool's. Default: no spool.
	Spool Spool

	// MaxBatch and MaxBatchBytes bound one write to the sink; a single event
	// always fits. Defaults 512, or Queue when that is less, and 1 MiB; a
	// negative MaxBatchBytes is no limit.
	MaxBatch, MaxBatchBytes int
	// Linger is how long the first event after a quiet time waits for others,
	// to be written with them. A busy log does not wait. Default 50 ms;
	// negative: no waiting.
	Linger time.Duration

	// WriteTimeout ends the context of one try to write. Default 10 s;
	// negative: never. One batch is in flight at a time, so the log waits for
	// a sink that ignores its context; [Log.Healthy] reports that.
	WriteTimeout time.Duration
	// Retry is how a failed write is tried again.
	Retry Backoff

	// Enrich adds to the event what ctx knows, such as trace and session ids,
	// before the event is checked and frozen. It runs on the caller's
	// goroutine. A panic is contained and counted in [Stats.ObserverPanics];
	// the event is then recorded without it. May be nil.
	Enrich func(ctx context.Context, e *Event)
	// Redact lists what must not be stored as it is. Record applies the rules in
	// their order, after Enrich and before the event is queued, so no sink, dead
	// letter or file has more. [Log.Direct] applies them, too.
	Redact []Redaction
	// DeadLetter gets the events that the sink refuses for good, each once and
	// in a write of its own. They count as [Poisoned] all the same. May be nil.
	DeadLetter Sink
	// Observer gets an [Activity] for what the log does. May be nil.
	Observer Observer
	// Trace begins a span for each try to write a batch, each [Log.Flush] and the
	// [Log.Close], with the op "audit.write", "audit.flush" or "audit.close" and the
	// name of the log; over a [Multi] a write has that of its sink. The operation
	// goes on with the context that it returns, and then calls the function with
	// its error. Record is no span: it only queues. A panic is contained and
	// counted in [Stats.ObserverPanics]. Nil, which costs nothing, for none;
	// metrics/otel has one.
	Trace func(ctx context.Context, op, name string) (context.Context, func(error))
	// Logger gets a line when writes fail or events are dropped: the first at
	// once, then at most one a minute with the numbers since, and one when the
	// sink stores again. Nil stands for [slog.Default] at the time of the line.
	Logger *slog.Logger
}

// FullPolicy is what happens to an event that finds the queue full. A dropped
// event is counted in [Stats.Dropped] and marked in the trail by an event of
// [TypeDropped].
type FullPolicy uint8

const (
	// Block waits for room until ctx ends or [Config.BlockFor] is over; then
	// the event is refused with [ErrFull].
	Block FullPolicy = iota
	// DropNewest refuses the event with [ErrFull].
	DropNewest
	// DropOldest accepts the event and drops the oldest events in the queue.
	// It does not drop the batch being written: when nothing else is queued,
	// the event is refused with [ErrFull].
	DropOldest
)

// Backoff is the pause before a failed write is tried again. The pause is
// random, between 0 and Base doubled with each failure in a row, up to Max.
// [Log.Flush] and [Log.Close] end a pause early and start again from Base.
type Backoff struct {
	Base, Max time.Duration // default 100 ms and 30 s
	// Tries is how often one batch is tried before it is dropped
	// ([RetriesSpent]). Default and negative: no limit.
	Tries int
}

// withDefaults returns the config to work with, or every contradiction in one
// error.
func (c Config) withDefaults() (Config, error) {
	p := configerr.Collect(func(field string, value any, want string) error {
		return &ConfigError{Field: field, Value: value, Why: want}
	})
	configerr.Default(&c.Name, "audit")
	configerr.Default(&c.Instance, instance())
	configerr.Default(&c.Queue, 8192)
	configerr.Default(&c.MaxBytes, 16<<20)
	p.Want(c.Queue > 0, "Queue", c.Queue, "at least 1")
	p.Want(c.MaxBytes < 0 || c.MaxBytes >= maxEvent, "MaxBytes", c.MaxBytes, "room for one event, 65536; negative = unlimited")
	configerr.Default(&c.MaxBatch, max(1, min(512, c.Queue)))
	p.Want(c.MaxBatch > 0, "MaxBatch", c.MaxBatch, "at least 1")
	p.Want(c.MaxBatch <= max(1, c.Queue), "MaxBatch", c.MaxBatch, fmt.Sprintf("at most Queue (%d)", c.Queue))
	configerr.Default(&c.MaxBatchBytes, 1<<20)
	p.Want(c.WhenFull <= DropOldest, "WhenFull", c.WhenFull, "one of the policies")
	configerr.Default(&c.BlockFor, time.Second)
	configerr.Default(&c.Linger, 50*time.Millisecond)
	configerr.Default(&c.WriteTimeout, 10*time.Second)
	configerr.Default(&c.Retry.Base, 100*time.Millisecond)
	p.Want(c.Retry.Base > 0, "Retry.Base", c.Retry.Base, "more than 0")
	configerr.Default(&c.Retry.Max, max(30*time.Second, c.Retry.Base))
	p.Want(c.Retry.Max >= c.Retry.Base, "Retry.Max", c.Retry.Max, fmt.Sprintf("at least Retry.Base (%v)", c.Retry.Base))
	p.Want(c.Spool.Dir != "" || c.Spool == Spool{}, "Spool.Dir", c.Spool.Dir, "a folder, because other fields of Spool are set")
	if c.Spool.Dir != "" {
		configerr.Default(&c.Spool.MaxBytes, 1<<30)
		configerr.Default(&c.Spool.MinFree, 64<<20)
		p.Want(c.Spool.Level <= Disk, "Spool.Level", c.Spool.Level, "one of the levels")
		p.Want(c.Spool.MaxBytes >= 1<<20, "Spool.MaxBytes", c.Spool.MaxBytes, "at least 1 MiB")
		if memory := int(min(c.Spool.MaxBytes/4, math.MaxInt32)); c.MaxBytes < 0 || c.MaxBytes > memory {
			c.MaxBytes = memory
		}
	}
	c.Redact = slices.Clone(c.Redact)
	for _, r := range c.Redact {
		p.Add(r.err)
	}
	again := useless(c.Redact)
	p.Want(again == "", "Redact", again, "each field once, and none below one that is omitted")
	if configerr.IsNil(c.DeadLetter) {
		c.DeadLetter = nil
	}
	if bad, ok := c.DeadLetter.(invalid); ok {
		p.Add(bad.err)
	}
	if configerr.IsNil(c.Observer) {
		c.Observer = nil
	}
	return c, p.Err()
}
