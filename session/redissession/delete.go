// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"encoding/binary"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// Delete implements [session.Store]: one round trip for an owner, or for
// handles of one partition; one pipeline for handles of several, where each
// partition changes by itself. After a lost reply a retry counts only what the
// first try left.
func (s *Store) Delete(ctx context.Context, d session.RemoveRequest) (int, error) {
	calls := s.deleteHandles(d)
	script := deleteScript
	if d.Owner != (session.Hash{}) {
		calls, script = []rediscall.Call{s.deleteOwner(d)}, deleteOwnerScript
	}
	if len(calls) == 0 {
		return 0, nil
	}
	replies, err := s.caller.RunAll(ctx, script, calls)
	if err != nil {
		return 0, failed(err)
	}
	var n int64
	for _, r := range replies {
		deleted, _ := r.(int64)
		n += deleted
	}
	return int(n), nil
}

func (s *Store) deleteHandles(d session.RemoveRequest) []rediscall.Call {
	rev := binary.BigEndian.AppendUint64(nil, d.Rev)
	byPartition := map[int]int{} // to its index in calls
	var calls []rediscall.Call
	for _, h := range d.Handles {
		slot := s.slotOf(d.Space, h)
		i, seen := byPartition[s.partition(h)]
		if !seen {
			i = len(calls)
			byPartition[s.partition(h)] = i
			calls = append(calls, rediscall.Call{
				Keys: []string{slot.expiry()},
				Args: []any{rev, s.aside(d.Quarantine), s.quarantineMost},
			})
		}
		calls[i].Keys = append(calls[i].Keys, slot.record(h))
		calls[i].Args = append(calls[i].Args, string(h[:]))
	}
	return calls
}

func (s *Store) deleteOwner(d session.RemoveRequest) rediscall.Call {
	slot := s.slotOf(d.Space, d.Owner)
	c := rediscall.Call{
		Keys: []string{slot.expiry(), slot.owner(d.Owner)},
		Args: []any{s.aside(d.Quarantine), s.quarantineMost},
	}
	for _, h := range d.Handles {
		c.Args = append(c.Args, string(h[:]))
	}
	return c
}
