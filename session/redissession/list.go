// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// listBatch bounds how many payloads one reply of List carries.
const listBatch = 64

// List implements [session.Store]: one round trip for the owner's index, and
// one for each 64 records. What ends meanwhile is left out; what begins
// meanwhile may be.
func (s *Store) List(ctx context.Context, space string, owner session.Hash) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		slot := s.slotOf(space, owner)
		hashes, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) ([]string, error) {
			return s.caller.Client().ZRange(ctx, slot.owner(owner), 0, -1).Result()
		})
		if err != nil {
			yield(session.Record{}, failed(err))
			return
		}
		for batch := range slices.Chunk(hashes, listBatch) {
			records, err := s.listSome(ctx, space, owner, batch)
			if err != nil {
				yield(session.Record{}, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// listSome reads a batch. Damaged records are left out, and so is one that has
// another owner by now.
func (s *Store) listSome(ctx context.Context, space string, owner session.Hash, batch []string) ([]session.Record, error) {
	slot := s.slotOf(space, owner)
	keys := []string{slot.expiry()}
	for _, hash := range batch {
		keys = append(keys, slot.record(hashOf(hash)))
	}
	reply, err := s.caller.Run(ctx, listScript, keys)
	if err != nil {
		return nil, failed(err)
	}
	found, _ := reply.([]any)
	if len(found) != len(batch) {
		return nil, fmt.Errorf("a script answered %T of length %d", reply, len(found))
	}
	var records []session.Record
	for i, x := range found {
		raw, _ := x.(string)
		head, payload, ok := decode(raw)
		if !ok || head.owner != owner || (!head.newer && checksum(payload) != head.crc) {
			continue
		}
		r := head.record(space, hashOf(batch[i]))
		r.Payload = []byte(payload)
		records = append(records, r)
	}
	return records, nil
}
