// SPDX-License-Identifier: MIT

package redissession

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// What one script claims is bounded, since others wait meanwhile: removing takes
// about 8 µs a record, and handing out 25 µs and 60 µs more for each 64 KiB.
const (
	removeBatch = 200
	handBatch   = 64
	handBytes   = 1 << 20
)

// Claim implements [session.Store]: one pipeline that reads the head of each
// partition's indexes, then one script call for each partition that is visited,
// until the batch is full, each for 200 records at most. With c.Payload it is 64, or 1 MiB.
// A cycle that finds n records calls scripts n/min(c.Max, 200) + partitions times at
// most, an idle one once. Settling is one round trip before, for records of one
// partition, or one pipeline for several.
//
// Within a partition the oldest come first. The partition with the oldest
// record goes first, so the oldest of all is always in the next batch.
//
// It is an error when the oldest are not where they belong: then processes
// disagree about [WithPartitions].
func (s *Store) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
	if err := s.agree(ctx, c.Space); err != nil {
		return session.StoreClaimed{}, err
	}
	if err := s.settle(ctx, c.Space, c.Settle); err != nil || c.Max <= 0 {
		return session.StoreClaimed{}, err
	}
	order, err := s.oldestFirst(ctx, c.Space)
	if err != nil {
		return session.StoreClaimed{}, failed(err)
	}
	var got session.StoreClaimed
	batch := removeBatch
	if c.Payload {
		batch = handBatch
	}
	for _, partition := range order {
		left := min(c.Max-len(got.Due), batch)
		if left <= 0 {
			got.More = true
			break
		}
		seen, more, err := s.claimIn(ctx, partition, left, c, &got)
		if err != nil {
			// What is claimed already must not be lost to the caller: the
			// error comes back with the next call if it lasts.
			if len(got.Due) > 0 {
				got.More = true
				break
			}
			return session.StoreClaimed{}, err
		}
		if seen == 0 { // the oldest head is not due: nor are the others
			break
		}
		got.More = got.More || more || seen >= left
	}
	slices.SortStableFunc(got.Due, func(a, b session.StoreDue) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	return got, nil
}

// oldestFirst orders the partitions that have anything by the age of their
// oldest entry. Only scores are compared, with each other: the time is the
// server's, and only scripts know it.
func (s *Store) oldestFirst(ctx context.Context, space string) ([]int, error) {
	return rediscall.Bounded(ctx, s.caller, func(ctx context.Context) ([]int, error) {
		pipe := s.caller.Client().Pipeline()
		type head struct {
			expiry, claims  *redis.ZSliceCmd
			claimed, behind *redis.IntCmd
		}
		heads := make([]head, s.partitions+1) // the last has keys only if others use more
		for p := range heads {
			slot := s.slot(space, p)
			heads[p] = head{
				pipe.ZRangeWithScores(ctx, slot.expiry(), 0, 0), pipe.ZRangeWithScores(ctx, slot.claims(), 0, 0),
				pipe.ZCard(ctx, slot.claims()), pipe.ZCard(ctx, slot.backlog()),
			}
		}
		pipe.PExpire(ctx, s.numberKey(space), numberKept)
		number := pipe.Get(ctx, s.numberKey(space))
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
			return nil, err
		}
		if err := s.differs(space, number.Val()); err != nil {
			return nil, err
		}
		for p, h := range heads {
			if s.strange(p, h.expiry) || s.strange(p, h.claims) {
				return nil, fmt.Errorf("%w: partition %d has sessions that belong elsewhere: WithPartitions is %d here, and another number in another process", session.ErrInvalid, p, s.partitions)
			}
		}
		oldest := make([]float64, s.partitions)
		var order []int
		for p, h := range heads[:s.partitions] {
			oldest[p] = min(headScore(h.expiry), headScore(h.claims))
			if h.claimed.Val() < h.behind.Val() { // an eviction, which claim.lua mends
				oldest[p] = 0
			}
			if !math.IsInf(oldest[p], 1) {
				order = append(order, p)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(oldest[a], oldest[b]) })
		return order, nil
	})
}

// strange reports whether an index has a session at its head that this store
// would look for elsewhere.
func (s *Store) strange(partition int, head *redis.ZSliceCmd) bool {
	for _, entry := range head.Val() {
		if id, _ := entry.Member.(string); len(id) >= len(session.Hash{}) {
			return s.partition(hashOf(id)) != partition
		}
	}
	return false
}

func headScore(head *redis.ZSliceCmd) float64 {
	if entries := head.Val(); len(entries) > 0 {
		return entries[0].Score
	}
	return math.Inf(1)
}

// claimIn claims in one partition and returns how many entries of its indexes
// were looked at, and whether it stopped for the size of what it handed out.
func (s *Store) claimIn(ctx context.Context, partition, most int, c session.StoreClaim, got *session.StoreClaimed) (looked int, more bool, err error) {
	slot := s.slot(c.Space, partition)
	reply, err := s.caller.Run(ctx, claimScript, []string{slot.expiry(), slot.claims(), slot.backlog()},
		most, millis(c.For), flag(c.Payload), s.aside(c.Quarantine), s.quarantineMost, handBytes)
	if err != nil {
		return 0, false, failed(err)
	}
	list, _ := reply.([]any)
	if len(list) < 3 {
		return 0, false, fmt.Errorf("a script answered %T of length %d", reply, len(list))
	}
	seen, _ := list[0].(int64)
	rescored, _ := list[1].(int64)
	more = list[2] == int64(1)
	got.Rescored += int(rescored)
	var corrupted []session.StoreSettle
	for _, x := range list[3:] {
		d, ok := dueOf(c, x)
		if !ok {
			return 0, false, errors.New("a script answered a claim that cannot be read")
		}
		if d.Reason == session.ReasonCorrupted {
			corrupted = append(corrupted, session.StoreSettle{StoreHandle: d.StoreHandle, Rev: d.Rev, Quarantine: c.Quarantine})
		}
		got.Due = append(got.Due, d)
	}
	if len(corrupted) > 0 {
		return int(seen), more, s.settle(ctx, c.Space, corrupted)
	}
	return int(seen), more, nil
}

// reasons has the words that claim.lua uses for a reason.
var reasons = func() map[string]session.EndReason {
	m := map[string]session.EndReason{}
	for _, c := range session.EndReasons() {
		m[c.String()] = c
	}
	return m
}()

// dueOf reads {reason, hash, attempt, record or its header}. A payload whose
// checksum is wrong is not handed out.
func dueOf(c session.StoreClaim, reply any) (session.StoreDue, bool) {
	list, _ := reply.([]any)
	if len(list) != 4 {
		return session.StoreDue{}, false
	}
	word, _ := list[0].(string)
	reason, known := reasons[word]
	attempt, _ := list[2].(int64)
	d := session.StoreDue{Reason: reason, Attempt: int(attempt)}
	d.StoreHandle = session.StoreHandle{Space: c.Space, Hash: hashOf(list[1])}
	raw, _ := list[3].(string)
	if raw == "" {
		return d, known
	}
	head, payload, ok := decode(raw)
	if !ok {
		return session.StoreDue{}, false
	}
	d.StoreRecord = head.record(c.Space, d.Hash)
	switch {
	case !c.Payload || head.newer:
	case checksum(payload) != head.crc:
		d.Reason = session.ReasonCorrupted
	default:
		d.Payload = []byte(payload)
	}
	return d, known
}

// settle ends claims.
func (s *Store) settle(ctx context.Context, space string, list []session.StoreSettle) error {
	byPartition := map[int]int{} // to its index in calls
	var calls []rediscall.Call
	for _, done := range list {
		i, seen := byPartition[s.partition(done.Hash)]
		if !seen {
			i = len(calls)
			byPartition[s.partition(done.Hash)] = i
			slot := s.slotOf(space, done.Hash)
			calls = append(calls, rediscall.Call{
				Keys: []string{slot.expiry(), slot.claims(), slot.backlog()},
				Args: []any{s.quarantineMost},
			})
		}
		id := string(binary.BigEndian.AppendUint64(done.Hash[:], done.Rev))
		calls[i].Args = append(calls[i].Args, id, millis(done.Retry), s.aside(done.Quarantine))
	}
	if len(calls) == 0 {
		return nil
	}
	_, err := s.caller.RunAll(ctx, settleScript, calls)
	return failed(err)
}
