// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Sink stores batches of events. Package gormsink has one for databases;
// package audittest checks one's own.
type Sink interface {
	// Write stores the batch and returns nil when all of it is as durable
	// as the sink makes things. It must be idempotent on [Event.ID], because
	// a batch whose answer was lost is written again, and must not keep
	// batch after it returns.
	//
	// An error that wraps [ErrPermanent] says that another try is useless. A
	// [*BatchError] says that everything but its Failed events is stored.
	// After any other error the whole batch may be tried again.
	Write(ctx context.Context, batch []Event) error
}

// invalid is a sink that was made from arguments that make no sense. [New]
// returns its error, and so does every write.
type invalid struct{ err error }

func (s invalid) Write(context.Context, []Event) error { return s.err }

// usable returns s, or an invalid sink that names user when s is nil.
func usable(s Sink, user string) Sink {
	if configerr.IsNil(s) {
		return invalid{fmt.Errorf("%w: %s needs a sink", ErrInvalid, user)}
	}
	return s
}

// write calls the sink and turns a panic into an error. The panic's value is
// left out, because it may quote the event.
func write(ctx context.Context, sink Sink, batch []Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: the sink panicked with a %T", ErrUnavailable, v)
		}
	}()
	return sink.Write(ctx, batch)
}

// Multi returns a [Sink] that writes each event to all the sinks.
//
// Given to [New], the sinks are isolated: each has its own queue of the size in
// [Config], its own writer, retries, drops and marks, and is a [Source] of its own
// under the log's name with "/1", "/2" and so on. A sink that is slow or down
// costs the others nothing: while another one has room, the oldest events of a
// full queue are dropped for that sink only, counted and marked there. An event
// that the log refuses is counted and marked for each of them.
// [Config.WhenFull] decides when all the queues are full. [Log.Flush], [Log.Close],
// [Log.Healthy] and [Log.Stats] are about all of the sinks.
//
// Anywhere else, such as in [Direct], every sink has to store the event.
//
// Without sinks, or with a nil one, [New] and every write return [ErrInvalid].
func Multi(sinks ...Sink) Sink {
	var all multi
	var errs []error
	for i, s := range sinks {
		switch s := usable(s, fmt.Sprintf("place %d of Multi", i+1)).(type) {
		case invalid:
			errs = append(errs, s.err)
		case multi:
			all = append(all, s...)
		default:
			all = append(all, s)
		}
	}
	switch {
	case len(errs) > 0:
		return invalid{errors.Join(errs...)}
	case len(all) == 1:
		return all[0]
	case len(all) == 0:
		return usable(nil, "Multi")
	}
	return all
}

type multi []Sink

// Write writes the batch to all the sinks at the same time; an event is stored
// when all of them have stored it. ctx also ends the wait for a sink that
// ignores it.
func (m multi) Write(ctx context.Context, batch []Event) error {
	answers := make(chan error, len(m))
	for _, s := range m {
		own := slices.Clone(batch) // the sink may change it, or read it after Write has returned
		go func() {
			err := errExited
			defer func() { answers <- err }()
			err = write(ctx, s, own)
		}()
	}
	var again, refused error
	partial := &BatchError{Failed: make(map[ID]error)}
	for range m {
		var err error
		select {
		case err = <-answers:
		case <-ctx.Done():
			return fmt.Errorf("%w: one of %d sinks: %w", ErrUnavailable, len(m), ctx.Err())
		}
		one, isPartial := errors.AsType[*BatchError](err)
		switch {
		case err == nil:
		case isPartial && len(one.Failed) > 0:
			maps.Copy(partial.Failed, one.Failed)
		case errors.Is(err, ErrPermanent):
			refused = err
		default:
			again = err
		}
	}
	// The answer that demands the most wins: after a retry of the whole batch
	// the other sinks give their answers again.
	switch {
	case again != nil:
		return fmt.Errorf("one of %d sinks: %w", len(m), again)
	case refused != nil:
		return fmt.Errorf("one of %d sinks: %w", len(m), refused)
	case len(partial.Failed) > 0:
		return partial
	}
	return nil
}

// Filter returns a [Sink] that writes to s the events for which keep returns
// true. The others count as stored. An event of [TypeFiltered] stands in the
// place of those of a batch that have a number. keep gets that one as well, and
// the log's own events ([TypeOpened], [TypeDropped], [TypeClosed]); without
// them, gaps of the trail look like what was left out. An event at
// which keep panics is refused for good, so it is counted as [Poisoned].
//
// With a nil s or keep, [New] and every write return [ErrInvalid].
func Filter(s Sink, keep func(Event) bool) Sink {
	if keep == nil {
		return invalid{fmt.Errorf("%w: Filter needs a function", ErrInvalid)}
	}
	return each(usable(s, "Filter"), func(s Sink) Sink { return filter{sink: s, keep: keep} })
}

// each wraps the sinks of a [Multi] one by one, so that they stay isolated.
func each(s Sink, wrap func(Sink) Sink) Sink {
	switch s := s.(type) {
	case invalid:
		return s
	case multi:
		wrapped := make(multi, len(s))
		for i := range s {
			wrapped[i] = wrap(s[i])
		}
		return wrapped
	}
	return wrap(s)
}

type filter struct {
	sink Sink
	keep func(Event) bool
}

func (s filter) Write(ctx context.Context, batch []Event) error {
	rest := make([]Event, 0, len(batch))
	refused := make(map[ID]error)
	var left span
	take := func(e Event) {
		keep, err := s.wants(e)
		switch {
		case err != nil:
			refused[e.ID] = err
		case keep:
			rest = append(rest, e)
		case e.Seq > 0:
			left.join(e.span(e.Time))
		}
	}
	for _, e := range batch {
		take(e)
	}
	if left.n > 0 {
		take(left.filtered())
	}
	if len(rest) > 0 {
		err := s.sink.Write(ctx, rest)
		partial, isPartial := errors.AsType[*BatchError](err)
		if err != nil && !isPartial {
			return err // when it is permanent, the log finds the event by halves
		}
		if isPartial {
			maps.Copy(refused, partial.Failed)
		}
	}
	if id := left.filtered().ID; errors.Is(refused[id], ErrPermanent) { // like a mark of the log's
		delete(refused, id)
	}
	if len(refused) > 0 {
		return &BatchError{Failed: refused}
	}
	return nil
}

// wants calls keep; the value of a panic may quote the event.
func (s filter) wants(e Event) (keep bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: a filter panicked with a %T", ErrPermanent, v)
		}
	}()
	return s.keep(e), nil
}

// Memory is a [Sink] that keeps events in memory, for tests. It stores an id
// once and is safe for concurrent use. The zero Memory is empty and ready.
type Memory struct {
	mu     sync.Mutex
	events []Event
	stored map[ID]bool
}

var _ Sink = (*Memory)(nil)

// NewMemory returns an empty [Memory].
func NewMemory() *Memory { return new(Memory) }

// Write stores the events that are not stored yet. It never fails.
func (m *Memory) Write(_ context.Context, batch []Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stored == nil {
		m.stored = make(map[ID]bool)
	}
	for _, e := range batch {
		if !m.stored[e.ID] {
			m.stored[e.ID] = true
			m.events = append(m.events, e)
		}
	}
	return nil
}

// Events returns a copy of what is stored, in the order of writing, without
// [TypeOpened] and [TypeClosed].
func (m *Memory) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.events), func(e Event) bool { return e.Type == TypeOpened || e.Type == TypeClosed })
}

// NewSlog returns a [Sink] that passes every event to l's handler, as one record
// with the event's time and its type as the message, at level Info, or Warn when
// the outcome is [Failure]. The handler's own level is not asked. Empty fields
// are left out. A nil l stands for [slog.Default] at the time of the write.
//
// A handler does not look for ids, so an event that is written again is logged
// twice. After a handler's error the events before it count as stored; that one
// and the following are written again.
func NewSlog(l *slog.Logger) Sink { return slogSink{l} }

type slogSink struct{ logger *slog.Logger }

func (s slogSink) Write(ctx context.Context, batch []Event) error {
	l := s.logger
	if l == nil {
		l = slog.Default()
	}
	for i := range batch {
		if err := l.Handler().Handle(ctx, record(&batch[i])); err != nil {
			failed := make(map[ID]error)
			for _, e := range batch[i:] {
				failed[e.ID] = err
			}
			return &BatchError{Failed: failed}
		}
	}
	return nil
}

func record(e *Event) slog.Record {
	level := slog.LevelInfo
	if e.Outcome == Failure {
		level = slog.LevelWarn
	}
	r := slog.NewRecord(e.Time, level, e.Type, 0)
	r.AddAttrs(slog.String("id", e.ID.String()), slog.String("outcome", e.Outcome.String()))
	for _, f := range e.texts() {
		if *f.text != "" {
			r.AddAttrs(slog.String(f.name, *f.text))
		}
	}
	if !e.Details.IsZero() {
		r.AddAttrs(slog.Any("details", json.RawMessage(e.Details.text)))
	}
	return r
}
