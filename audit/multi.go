// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Multi returns a [Sink] that writes each event to all the sinks.
//
// Given to [New], the sinks are isolated: each has its own queue of the size in
// [Config], its own writer, retries, drops and marks, and is a [Source] of its own
// under the log's name with "/1", "/2" and so on. A sink that is slow or down
// costs the others nothing: while another one has room, the oldest events of a
// full queue are dropped for that sink only, counted and marked there.
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
