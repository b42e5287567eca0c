// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Filter returns a [Sink] that writes to s the events for which keep returns
// true. The others count as stored. An event of [TypeFiltered] stands in the
// place of those of a batch that have a number. keep gets that one as well, and
// the log's own events ([TypeOpened], [TypeDropped], [TypeClosed]); without
// them, gaps of the trail cannot be told from what was left out. An event at
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
			left.join(span{n: 1, first: e.ID, last: e.ID, stream: e.Stream, from: e.Seq, to: e.Seq, at: e.Time})
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
