// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Multi returns a [Sink] that is all the sinks at once.
//
// Given to [New], no sink has to wait for another: each has a queue, retries,
// drops and marks of its own, as large as [Config] says, and goes by the name
// of the log with "/1", "/2" and so on for observers. An event counts as
// written when one of the sinks has settled it. One that is more than a second
// slower than the first is left behind with its queue; when that is full the
// oldest events are dropped for this sink alone, counted and marked there.
// [Log.Flush], [Log.Close] and [Log.Healthy] are about all of the sinks.
//
// Anywhere else, such as in [Direct], every sink has to store the event.
//
// Nil sinks are left out. Without any other it is nil, which New and Direct
// refuse.
func Multi(sinks ...Sink) Sink {
	var all multi
	for _, s := range sinks {
		if m, ok := s.(multi); ok {
			all = append(all, m...)
		} else if s != nil {
			all = append(all, s)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

type multi []Sink

func (m multi) check() error {
	var errs []error
	for _, s := range m {
		if c, ok := s.(interface{ check() error }); ok {
			errs = append(errs, c.check())
		}
	}
	return errors.Join(errs...)
}

// Write writes the batch to all the sinks at the same time and has stored what
// all of them have. A sink that ignores its context is not waited for.
func (m multi) Write(ctx context.Context, batch []Event) error {
	answers := make(chan error, len(m))
	for _, s := range m {
		own := slices.Clone(batch) // for a sink that is left behind, or changes it
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
	// What asks for the most comes first: a retry of all settles nothing yet,
	// so the other answers will be given again.
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
