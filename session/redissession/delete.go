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
// first try left, and names no other.
func (s *Store) Delete(ctx context.Context, d session.RemoveRequest) (int, error) {
	calls := s.deleteHandles(d)
	script := deleteScript
	if d.Owner != (session.Hash{}) {
		calls, script = []rediscall.Call{s.deleteOwner(d)}, deleteOwnerScript
	}
	if len(calls) == 0 {
		return 0, nil
	}
	if err := s.agree(ctx, d.Space); err != nil {
		return 0, err
	}
	replies, err := s.caller.RunAll(ctx, script, calls)
	if err != nil {
		return 0, failed(err)
	}
	n := 0
	for _, r := range replies {
		count, _ := r.(int64)
		list, _ := r.([]any)
		n += int(count) + len(list)/2
		for i := 0; d.Removed != nil && i+1 < len(list); i += 2 {
			raw, _ := list[i+1].(string)
			d.Removed(removed(d, hashOf(list[i]), raw))
		}
	}
	return n, nil
}

// removed is what a script said of a record that it has deleted. Bytes that are
// damaged are left out.
func removed(d session.RemoveRequest, hash session.Hash, raw string) session.Record {
	rec := session.Record{Handle: session.Handle{Space: d.Space, Hash: hash, Owner: d.Owner}}
	if head, payload, ok := decode(raw); ok {
		rec = head.record(d.Space, hash)
		if checksum(payload) == head.crc {
			rec.Payload = []byte(payload)
		}
	}
	return rec
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
				Args: []any{rev, s.aside(d.Quarantine), s.quarantineMost, flag(d.Removed != nil)},
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
		Args: []any{s.aside(d.Quarantine), s.quarantineMost, flag(d.Removed != nil)},
	}
	for _, h := range d.Handles {
		c.Args = append(c.Args, string(h[:]))
	}
	return c
}
