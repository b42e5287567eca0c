// SPDX-License-Identifier: MIT

package redislock

import (
	"context"

	"github.com/holdfast-go/holdfast/lock"
)

// Sweep forgets the holds in recorded, finds more, and returns up to q.Limit
// expired holds, the longest expired first; 0 means 64, and more than 1000 means
// 1000. It takes a round trip for each thousand ids in recorded, and at least one.
func (s *Store) Sweep(ctx context.Context, q lock.StoreQuery, recorded []string) ([]lock.Hold, error) {
	limit := min(q.Limit, sweepSize)
	if limit <= 0 {
		limit = sweepDefault
	}
	for {
		now := recorded[:min(len(recorded), sweepSize)]
		recorded = recorded[len(now):]
		args := []any{limit}
		for _, id := range now {
			args = append(args, id)
		}
		answer, err := s.caller.Run(ctx, sweepScript, s.keys(q.Space, q.Group), args...)
		if err != nil {
			return nil, failure("sweep", err)
		}
		if len(recorded) > 0 {
			continue
		}
		r := open(answer)
		r.clock()
		expired := r.holds()
		if err := r.err(); err != nil {
			return nil, failure("sweep", err)
		}
		return expired, nil
	}
}
