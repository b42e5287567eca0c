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

// List implements [session.Store]: one round trip for 64 or so of the index, and one
// for their records. What ends meanwhile is left out; what begins meanwhile may be.
func (s *Store) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return func(yield func(session.StoreRecord, error) bool) {
		limited, cancel := trip(ctx, l)
		err := s.agree(limited, l.Space)
		cancel()
		if err != nil {
			yield(session.StoreRecord{}, err)
			return
		}
		partial := false
		for page, err := range s.pages(ctx, l) {
			if err != nil {
				yield(session.StoreRecord{}, failed(err))
				return
			}
			for first := l.Owner != (session.Hash{}); first || len(page.hashes) > 0; first = false {
				batch := page.hashes[:min(len(page.hashes), listBatch)]
				page.hashes = page.hashes[len(batch):]
				records, missing, err := s.listSome(ctx, page.slot, l, batch)
				if err != nil {
					yield(session.StoreRecord{}, err)
					return
				}
				partial = partial || missing
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
		if partial {
			yield(session.StoreRecord{}, fmt.Errorf("%w: list", session.ErrIncomplete))
		}
	}
}

// trip bounds one round trip.
func trip(ctx context.Context, l session.StoreList) (context.Context, context.CancelFunc) {
	if l.Within <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, l.Within)
}

// page is what one index names.
type page struct {
	slot   slot
	hashes []string
}

// pages reads the index of an owner, or those of all partitions, each to its end before
// its records are read: the caller may delete them meanwhile.
func (s *Store) pages(ctx context.Context, l session.StoreList) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		if l.Owner != (session.Hash{}) {
			slot := s.slotOf(l.Space, l.Owner)
			yield(s.scan(ctx, l, slot, slot.owner(l.Owner)))
			return
		}
		for p := range s.partitions {
			slot := s.slot(l.Space, p)
			if found, err := s.scan(ctx, l, slot, slot.expiry()); !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// scan reads one index. A hash that comes twice, since Redis resizes the index
// meanwhile, is named once.
func (s *Store) scan(ctx context.Context, l session.StoreList, slot slot, index string) (page, error) {
	found := page{slot: slot}
	for next, more := uint64(0), true; more; more = next != 0 {
		limited, cancel := trip(ctx, l)
		entries, err := rediscall.Bounded(limited, s.caller, func(ctx context.Context) (entries []string, err error) {
			entries, next, err = s.caller.Client().ZScan(ctx, index, next, "", listBatch).Result()
			return entries, err
		})
		cancel()
		if err != nil {
			return page{}, err
		}
		for i := 0; i < len(entries); i += 2 { // its score follows each
			found.hashes = append(found.hashes, entries[i])
		}
	}
	slices.Sort(found.hashes)
	found.hashes = slices.Compact(found.hashes)
	return found, nil
}

// listSome reads a batch, and reports whether the index of the owner may lack some.
// Damaged records are left out, and so is one that has another owner than is asked
// for.
func (s *Store) listSome(ctx context.Context, slot slot, l session.StoreList, batch []string) (records []session.StoreRecord, partial bool, err error) {
	ctx, cancel := trip(ctx, l)
	defer cancel()
	keys, of, owner := []string{slot.expiry()}, "", l.Owner
	if owner != (session.Hash{}) {
		of = string(owner[:])
	}
	for _, hash := range batch {
		keys = append(keys, slot.record(hashOf(hash)))
	}
	reply, err := s.caller.Run(ctx, listScript, keys, of)
	if err != nil {
		return nil, false, failed(err)
	}
	found, _ := reply.([]any)
	if len(found) != len(batch)+1 {
		return nil, false, fmt.Errorf("a script answered %T of length %d", reply, len(found))
	}
	for i, hash := range batch {
		raw, _ := found[i].(string)
		head, payload, ok := decode(raw)
		if !ok || (owner != (session.Hash{}) && head.owner != owner) || (!head.newer && checksum(payload) != head.crc) {
			continue
		}
		r := head.record(l.Space, hashOf(hash))
		r.Payload = []byte(payload)
		records = append(records, r)
	}
	return records, found[len(batch)] == "1", nil
}
