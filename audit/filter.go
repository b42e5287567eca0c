// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Filter returns a [Sink] that hands on to s the events that keep wants; the
// others count as stored, so they appear in no sink, count or mark. An event at
// which keep panics is refused for good: it neither gets through nor gets lost
// unseen. Mind that marks ([TypeDropped]) come by as well.
//
// Without s or keep it is nil, which [New] and [Direct] refuse.
func Filter(s Sink, keep func(Event) bool) Sink {
	if s == nil || keep == nil {
		return nil
	}
	return each(s, func(s Sink) Sink {
		return selected{sink: s, change: func(e *Event) bool { return keep(*e) }}
	})
}

// each wraps the sinks of a [Multi] one by one, so that they stay isolated.
func each(s Sink, wrap func(Sink) Sink) Sink {
	all, ok := s.(multi)
	if !ok {
		return wrap(s)
	}
	wrapped := make(multi, len(all))
	for i := range all {
		wrapped[i] = wrap(all[i])
	}
	return wrapped
}

// selected hands on copies of events, after change, which leaves out those for
// which it returns false.
type selected struct {
	sink   Sink
	change func(*Event) bool
	err    error // what every write answers
}

func (s selected) check() error { return s.err }

func (s selected) Write(ctx context.Context, batch []Event) error {
	if s.err != nil {
		return s.err
	}
	rest := make([]Event, 0, len(batch))
	refused := make(map[ID]error)
	for _, e := range batch {
		id := e.ID
		keep, err := s.contained(&e)
		switch {
		case err != nil:
			refused[id] = err
		case keep:
			rest = append(rest, e)
		}
	}
	if len(rest) > 0 {
		err := s.sink.Write(ctx, rest)
		partial, isPartial := errors.AsType[*BatchError](err)
		if err != nil && !isPartial {
			return err // when that is for good, the log finds out by halves which event it is about
		}
		if isPartial {
			maps.Copy(refused, partial.Failed)
		}
	}
	if len(refused) > 0 {
		return &BatchError{Failed: refused}
	}
	return nil
}

// contained calls change; the value of a panic may quote the event.
func (s selected) contained(e *Event) (keep bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: a filter or redaction panicked with a %T", ErrPermanent, v)
		}
	}()
	return s.change(e), nil
}
