// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// ownerBatch bounds what one script deletes of an owner, to about half a
// millisecond.
const ownerBatch = 64

// Delete implements [session.Store]: one round trip for 64 records of an owner, or
// for handles of one partition; one pipeline for handles of several, where each
// partition changes by itself. After a lost reply a retry names only what the
// first try left.
func (s *Store) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	if d.Owner != (session.Hash{}) {
		return s.deleteOwner(ctx, d)
	}
	return s.deleteHandles(ctx, d, 0, false)
}

// deleteHandles deletes records, of this revision only unless it is 0, or puts them
// into quarantine.
func (s *Store) deleteHandles(ctx context.Context, d session.StoreRemove, rev uint64, quarantine bool) (session.StoreRemoved, error) {
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
				Args: []any{binary.BigEndian.AppendUint64(nil, rev), s.aside(quarantine), s.quarantineMost, flag(d.Payload)},
			})
		}
		calls[i].Keys = append(calls[i].Keys, slot.record(h))
		calls[i].Args = append(calls[i].Args, string(h[:]))
	}
	if len(calls) == 0 {
		return session.StoreRemoved{}, nil
	}
	if err := s.agree(ctx, d.Space); err != nil {
		return session.StoreRemoved{}, err
	}
	replies, err := s.caller.RunAll(ctx, deleteScript, calls)
	if err != nil {
		return session.StoreRemoved{}, failed(err)
	}
	var r session.StoreRemoved
	for _, reply := range replies {
		list, ok := reply.([]any)
		if !ok {
			return r, fmt.Errorf("a script answered %T", reply)
		}
		for i := 0; i+1 < len(list); i += 2 {
			raw, _ := list[i+1].(string)
			r.Removed = append(r.Removed, removed(d, hashOf(list[i]), raw))
		}
	}
	return r, nil
}

// removed is what a script said of a record that it has deleted. Bytes that are
// damaged are left out.
func removed(d session.StoreRemove, hash session.Hash, raw string) session.StoreRecord {
	rec := session.StoreRecord{StoreHandle: session.StoreHandle{Space: d.Space, Hash: hash, Owner: d.Owner}}
	if head, payload, ok := decode(raw); ok {
		rec = head.record(d.Space, hash)
		if checksum(payload) == head.crc {
			rec.Payload = []byte(payload)
		}
	}
	return rec
}

func (s *Store) deleteOwner(ctx context.Context, d session.StoreRemove) (r session.StoreRemoved, err error) {
	if err := s.agree(ctx, d.Space); err != nil {
		return r, err
	}
	slot := s.slotOf(d.Space, d.Owner)
	args := []any{d.Owner[:], ownerBatch}
	for _, h := range d.Handles {
		args = append(args, string(h[:]))
	}
	reply, err := s.caller.Run(ctx, deleteOwnerScript, []string{slot.expiry(), slot.owner(d.Owner)}, args...)
	if err != nil {
		return r, failed(err)
	}
	list, _ := reply.([]any)
	if len(list) < 2 {
		return r, fmt.Errorf("a script answered %T of length %d", reply, len(list))
	}
	r.Incomplete, r.More = list[0] == int64(1), list[1] == int64(1)
	for _, hash := range list[2:] {
		r.Removed = append(r.Removed, removed(d, hashOf(hash), ""))
	}
	return r, nil
}
