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

// List implements [session.Store]: one round trip for the owner's index, and one
// for each 64 records; of a whole space, two for each 64 or so. What ends meanwhile
// is left out; what begins meanwhile may be.
func (s *Store) List(ctx context.Context, space string, owner session.Hash) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		if err := s.agree(ctx, space); err != nil {
			yield(session.Record{}, err)
			return
		}
		for page, err := range s.pages(ctx, space, owner) {
			if err != nil {
				yield(session.Record{}, failed(err))
				return
			}
			for batch := range slices.Chunk(page.hashes, listBatch) {
				records, err := s.listSome(ctx, page.slot, space, owner, batch)
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
}

// page is a part of an index.
type page struct {
	slot   slot
	hashes []string
}

// pages reads the index of an owner, or those of all partitions in parts. A hash
// may come twice when Redis resizes an index meanwhile.
func (s *Store) pages(ctx context.Context, space string, owner session.Hash) iter.Seq2[page, error] {
	client := s.caller.Client()
	return func(yield func(page, error) bool) {
		if owner != (session.Hash{}) {
			slot := s.slotOf(space, owner)
			hashes, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) ([]string, error) {
				return client.ZRange(ctx, slot.owner(owner), 0, -1).Result()
			})
			yield(page{slot, hashes}, err)
			return
		}
		for p := range s.partitions {
			slot, next := s.slot(space, p), uint64(0)
			for {
				hashes, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) (hashes []string, err error) {
					entries, cursor, err := client.ZScan(ctx, slot.expiry(), next, "", listBatch).Result()
					for i := 0; i < len(entries); i += 2 { // its score follows each
						hashes = append(hashes, entries[i])
					}
					next = cursor
					return hashes, err
				})
				if !yield(page{slot, hashes}, err) || err != nil {
					return
				}
				if next == 0 {
					break
				}
			}
		}
	}
}

// listSome reads a batch. Damaged records are left out, and so is one that has
// another owner than is asked for.
func (s *Store) listSome(ctx context.Context, slot slot, space string, owner session.Hash, batch []string) ([]session.Record, error) {
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
		if !ok || (owner != (session.Hash{}) && head.owner != owner) || (!head.newer && checksum(payload) != head.crc) {
			continue
		}
		r := head.record(space, hashOf(batch[i]))
		r.Payload = []byte(payload)
		records = append(records, r)
	}
	return records, nil
}
