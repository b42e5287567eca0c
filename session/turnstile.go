// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"slices"
	"sync"
)

// turnstile lets one at a time through for each hash, in the order of arrival.
// The zero value is ready.
type turnstile struct {
	mu    sync.Mutex
	lines map[Hash][]chan struct{} // the first of a line is through; closed = its turn
}

// enter waits for its turn, or for the end of ctx. After nil, leave must be
// called.
func (t *turnstile) enter(ctx context.Context, h Hash) error {
	turn := make(chan struct{})
	t.mu.Lock()
	if t.lines == nil {
		t.lines = map[Hash][]chan struct{}{}
	}
	t.lines[h] = append(t.lines[h], turn)
	if len(t.lines[h]) == 1 {
		close(turn)
	}
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		t.drop(h, turn)
		return ctx.Err()
	}
}

// leave lets the next one through.
func (t *turnstile) leave(h Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.without(h, 0)
}

// drop takes turn out of its line. It may have become its turn meanwhile,
// which is then the next one's.
func (t *turnstile) drop(h Hash, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.without(h, slices.Index(t.lines[h], turn))
}

// without removes one of a line; when that was the first, it is the second
// one's turn.
func (t *turnstile) without(h Hash, i int) {
	line := slices.Delete(t.lines[h], i, i+1)
	if len(line) == 0 {
		delete(t.lines, h)
		return
	}
	t.lines[h] = line
	if i == 0 {
		close(line[0])
	}
}
