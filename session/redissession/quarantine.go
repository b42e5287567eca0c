// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// kept is the name of a record in quarantine: its hash, the time in µs and its
// size.
const kept = len(session.Hash{}) + 8 + 4

// Quarantined implements [session.StoreQuarantine]: one round trip for each partition, and
// one for each 64 records.
func (s *Store) Quarantined(ctx context.Context, space string) iter.Seq2[session.Quarantined, error] {
	return func(yield func(session.Quarantined, error) bool) {
		if err := s.agree(ctx, space); err != nil {
			yield(session.Quarantined{}, err)
			return
		}
		for p := range s.partitions {
			slot := s.slot(space, p)
			ids, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) ([]string, error) {
				return s.caller.Client().ZRange(ctx, slot.quarantine(), 0, -1).Result()
			})
			for batch := range slices.Chunk(ids, listBatch) {
				var found []session.Quarantined
				if found, err = s.quarantined(ctx, space, slot, batch); err != nil {
					break
				}
				for _, q := range found {
					if !yield(q, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(session.Quarantined{}, failed(err))
				return
			}
		}
	}
}

// quarantined reads a batch. Records whose time is over are left out.
func (s *Store) quarantined(ctx context.Context, space string, slot slot, ids []string) (found []session.Quarantined, err error) {
	var keys []string
	for _, id := range ids {
		keys = append(keys, slot.quarantine()+id)
	}
	values, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) ([]any, error) {
		return s.caller.Client().MGet(ctx, keys...).Result()
	})
	for i, value := range values {
		raw, there := value.(string)
		if !there || len(ids[i]) != kept {
			continue
		}
		q := session.Quarantined{ID: hex.EncodeToString([]byte(ids[i])), At: time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(ids[i][16:]))))}
		q.Space, q.Hash, q.Payload = space, hashOf(ids[i]), []byte(raw)
		if head, payload, ok := decode(raw); ok {
			q.StoreRecord = head.record(space, q.Hash)
			q.Payload = []byte(payload)
		}
		found = append(found, q)
	}
	return found, err
}

// Restore implements [session.StoreQuarantine] in two round trips: one reads the record for
// a new checksum.
func (s *Store) Restore(ctx context.Context, space, id string) (session.StoreStatus, error) {
	name, err := hex.DecodeString(id)
	if err != nil || len(name) != kept {
		return session.StatusMissing, nil
	}
	if err := s.agree(ctx, space); err != nil {
		return 0, err
	}
	slot := s.slotOf(space, session.Hash(name[:16]))
	raw, err := rediscall.Bounded(ctx, s.caller, func(ctx context.Context) (string, error) {
		raw, err := s.caller.Client().Get(ctx, slot.quarantine()+string(name)).Result()
		if err == redis.Nil {
			return "", nil
		}
		return raw, err
	})
	if err != nil {
		return 0, failed(err)
	}
	head, payload, _ := decode(raw)
	if !head.newer { // whose payload is not known
		head.crc = checksum(payload)
	}
	crc := binary.BigEndian.AppendUint32(nil, head.crc)
	reply, err := s.caller.Run(ctx, restoreScript, []string{
		slot.expiry(), slot.record(session.Hash(name[:16])), slot.quarantine(), slot.claims(), slot.backlog(),
	}, name, crc)
	if err != nil {
		return 0, failed(err)
	}
	word, _ := reply.(string)
	status, ok := statuses[word]
	if !ok {
		return 0, fmt.Errorf("a script answered the unknown status %q", word)
	}
	return status, nil
}
