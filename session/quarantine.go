// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"fmt"
	"iter"
)

// Quarantined yields the records that were set aside, which [QuarantineCorrupt]
// does: damaged ones, and expired ones that OnExpire never handled. Payload is
// what the store had; it may be personal data. All are read before the first is
// yielded. Errors: [ErrUnavailable], [ErrInvalid] with a store that is no
// [StoreQuarantine].
func (m *Manager[T]) Quarantined(ctx context.Context) iter.Seq2[Quarantined, error] {
	return func(yield func(Quarantined, error) bool) {
		all, err := m.quarantined(ctx)
		if err != nil {
			yield(Quarantined{}, err)
			return
		}
		for _, q := range all {
			if !yield(q, nil) {
				return
			}
		}
	}
}

func (m *Manager[T]) quarantined(ctx context.Context) (all []Quarantined, err error) {
	store, err := m.quarantine()
	if err != nil {
		return nil, err
	}
	limited, cancel := m.bounded(ctx, storeFactor)
	defer cancel()
	for q, err := range store.Quarantined(limited, m.cfg.Name) {
		if err != nil {
			return nil, unanswered(ctx, "quarantined", err)
		}
		all = append(all, q)
	}
	return all, nil
}

// quarantine returns the store as one that has a quarantine.
func (m *Manager[T]) quarantine() (StoreQuarantine, error) {
	store, ok := m.store.(StoreQuarantine)
	if !ok {
		return nil, invalid("the store %T has no quarantine", m.store)
	}
	return store, nil
}

// Restore puts a record back from quarantine. A session whose deadlines have not
// passed is alive again, and its bytes count as undamaged; an expired one is
// passed to OnExpire again. Errors: [ErrNotFound], [ErrConflict] when there is a
// session in its place, [ErrInvalid] when the bytes are no record,
// [ErrUnavailable].
func (m *Manager[T]) Restore(ctx context.Context, id string) error {
	store, err := m.quarantine()
	if err != nil {
		return err
	}
	limited, cancel := m.bounded(ctx, 1)
	defer cancel()
	status, err := store.Restore(limited, m.cfg.Name, id)
	if err != nil {
		return unanswered(ctx, "restore", err)
	}
	switch status {
	case StatusDone:
		return nil
	case StatusExists:
		return fmt.Errorf("%w: a session is in its place", ErrConflict)
	case StatusBroken:
		return invalid("the bytes are no record")
	}
	return fmt.Errorf("%w: restore", ErrNotFound)
}
