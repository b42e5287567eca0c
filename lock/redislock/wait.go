// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// The pauses between two tries of a claim.
const (
	shortest = 5 * time.Millisecond
	longest  = 250 * time.Millisecond
)

// Wait sleeps until c is worth trying again, which is when the first hold in
// its way ends, or some time between 5 and 250 ms, since holds are often
// released before they end. It returns ctx's error if that ends first.
func (s *Store) Wait(ctx context.Context, c lock.Claim, g lock.Grant) error {
	t := time.NewTimer(pause(g.Retry))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause picks a time whose logarithm is uniform. So half of the pauses are
// short enough for a short critical section, waiters drift apart, and nobody
// needs to remember how often a claim was tried: on average one polls 16
// times a second.
func pause(retry time.Duration) time.Duration {
	p := time.Duration(float64(shortest) * math.Pow(float64(longest)/float64(shortest), rand.Float64()))
	if retry > 0 {
		p = min(p, retry)
	}
	return p
}
