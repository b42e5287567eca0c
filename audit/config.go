// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config is how a [Log] works. The zero Config is a good one.
type Config struct {
	Name string // for observers and health messages; default "audit"

	// Queue is how many events can wait, MaxBytes how much memory they can
	// take, roughly; the batch being written counts. Defaults 8192 and
	// 16 MiB; a negative MaxBytes is no limit.
	Queue, MaxBytes int
	// WhenFull says what Record does when an event finds no room.
	WhenFull FullPolicy

	// MaxBatch and MaxBatchBytes bound what the sink gets at once; a single
	// event always fits. Defaults 512 and 1 MiB, or Queue and MaxBytes when
	// those are less; a negative MaxBatchBytes is no limit.
	MaxBatch, MaxBatchBytes int
	// Linger is how long the first event after a quiet time waits for company.
	// A busy log does not wait. Default 50 ms; negative: no waiting.
	Linger time.Duration

	// WriteTimeout ends the context of one try to write. Default 10 s;
	// negative: never. A sink that ignores its context is waited for, since
	// one batch is in flight at a time; [Log.Healthy] tells.
	WriteTimeout time.Duration
	// Retry is how a failed write is tried again.
	Retry Backoff

	// Enrich adds to the event what ctx knows, such as trace and session ids,
	// before it is checked and frozen. It runs on the caller's goroutine. A
	// panic is contained and counted in [Stats.ObserverPanics]; the event is
	// then taken as it came.
	Enrich func(ctx context.Context, e *Event)
	// DeadLetter gets, one by one and once, the events that the sink refuses
	// for good. They count as [Poisoned] all the same. May be nil.
	DeadLetter Sink
	// Observer is told what the log does. May be nil.
	Observer Observer
}

// FullPolicy says what happens to an event that finds the queue full. What is
// dropped is counted in [Stats.Dropped] and marked in the trail with an event
// of [TypeDropped].
type FullPolicy uint8

const (
	// Block waits for room as long as ctx lasts; then the event is refused
	// with [ErrFull].
	Block FullPolicy = iota
	// DropNewest refuses the event with [ErrFull].
	DropNewest
	// DropOldest takes the event and drops the oldest that wait. The batch
	// being written is never dropped: when nothing else waits, it refuses the
	// event with [ErrFull].
	DropOldest
)

// Backoff is the pause before a failed write is tried again: random, between
// none and Base doubled with each failure in a row, up to Max. [Log.Flush] and
// [Log.Close] cut a pause short and let it begin from Base again.
type Backoff struct {
	Base, Max time.Duration // default 100 ms and 30 s
	// Tries is how often one batch is tried before it is dropped
	// ([RetriesSpent]). Default and negative: no limit.
	Tries int
}

// withDefaults returns the config to work with, or every contradiction in
// one error.
func (c Config) withDefaults(sink Sink) (Config, error) {
	var errs []error
	check := func(ok bool, field string, value any, why string) {
		if !ok {
			errs = append(errs, &ConfigError{field, value, why})
		}
	}
	if sink == nil {
		errs = append(errs, fmt.Errorf("%w: New needs a sink", ErrInvalid))
	}
	if c, ok := sink.(interface{ check() error }); ok {
		errs = append(errs, c.check())
	}
	orDefault(&c.Name, "audit")
	orDefault(&c.Queue, 8192)
	orDefault(&c.MaxBytes, 16<<20)
	check(c.Queue > 0, "Queue", c.Queue, "at least 1")
	check(c.MaxBytes < 0 || c.MaxBytes >= maxEvent, "MaxBytes", c.MaxBytes, "room for one event, 65536; negative = unlimited")
	orDefault(&c.MaxBatch, max(1, min(512, c.Queue)))
	check(c.MaxBatch > 0, "MaxBatch", c.MaxBatch, "at least 1")
	check(c.MaxBatch <= max(1, c.Queue), "MaxBatch", c.MaxBatch, fmt.Sprintf("at most Queue (%d)", c.Queue))
	orDefault(&c.MaxBatchBytes, 1<<20)
	check(c.WhenFull <= DropOldest, "WhenFull", c.WhenFull, "one of the policies")
	orDefault(&c.Linger, 50*time.Millisecond)
	orDefault(&c.WriteTimeout, 10*time.Second)
	orDefault(&c.Retry.Base, 100*time.Millisecond)
	check(c.Retry.Base > 0, "Retry.Base", c.Retry.Base, "more than 0")
	orDefault(&c.Retry.Max, max(30*time.Second, c.Retry.Base))
	check(c.Retry.Max >= c.Retry.Base, "Retry.Max", c.Retry.Max, fmt.Sprintf("at least Retry.Base (%v)", c.Retry.Base))
	return c, errors.Join(errs...)
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
