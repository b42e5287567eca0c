// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"slices"
	"sync"
)

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
