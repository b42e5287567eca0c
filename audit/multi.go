// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Multi returns a [Sink] that writes every batch to all the sinks, at the same
// time, and has stored what all of them have stored. A sink that fails does
// not keep the batch from the others; it is written to all of them again,
// which their idempotence allows. The slowest sink sets the pace, and one
// that ignores its context holds up those after this batch.
//
// Nil sinks are left out. Without any, nothing is stored and that is a success.
func Multi(sinks ...Sink) Sink {
	var all multi
	for _, s := range sinks {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

type multi []Sink

func (m multi) Write(ctx context.Context, batch []Event) error {
	answers := make(chan error, len(m))
	for _, s := range m {
		go func() {
			err := errExited
			defer func() { answers <- err }()
			err = write(ctx, s, batch)
		}()
	}
	var again, refused error
	partial := &BatchError{Failed: make(map[ID]error)}
	for range m {
		err := <-answers
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
