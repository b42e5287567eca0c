// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// Count implements [session.Store]: one pipeline with O(log n) for each
// partition. Partitions are counted one after the other, not at one instant.
func (s *Store) Count(ctx context.Context, space string) (session.StoreCount, error) {
	if err := s.agree(ctx, space); err != nil {
		return session.StoreCount{}, err
	}
	calls := make([]rediscall.Call, s.partitions)
	for p := range calls {
		slot := s.slot(space, p)
		calls[p] = rediscall.Call{
			Keys: []string{slot.expiry(), slot.backlog(), slot.quarantine()},
			Args: []any{millis(s.quarantineKeep)},
		}
	}
	replies, err := s.caller.RunAll(ctx, countScript, calls)
	if err != nil {
		return session.StoreCount{}, failed(err)
	}
	var c session.StoreCount
	for _, r := range replies {
		list, _ := r.([]any)
		if len(list) != 4 {
			return session.StoreCount{}, fmt.Errorf("a script answered %T of length %d", r, len(list))
		}
		var n [4]int64
		for i := range n {
			n[i], _ = list[i].(int64)
		}
		c.Active += n[0]
		c.Backlog += n[1]
		c.Quarantined += n[2]
		c.Oldest = max(c.Oldest, time.Duration(n[3])*time.Millisecond)
	}
	return c, nil
}
