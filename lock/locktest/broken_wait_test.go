// SPDX-License-Identifier: MIT

package locktest_test

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func init() { maps.Copy(spoilings, waitSpoilings) }

// waitSpoilings are those of the rules for waiting, taking over and keeping.
var waitSpoilings = map[string]spoiling{
	"first waiter deaf": {"WaitersAreServedInOrder", spoiled{wait: func() func(context.Context, lock.Store, lock.StoreClaim, lock.StoreGrant) (lock.StoreGrant, error) {
		var first atomic.Bool
		return func(ctx context.Context, s lock.Store, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
			if first.CompareAndSwap(false, true) {
				pause(ctx, 3*time.Second)
			}
			return s.Wait(ctx, c, g)
		}
	}()}},
	"newcomers first": {"NoOneOvertakesAWaiter", spoiled{acquire: func(ctx context.Context, s lock.Store, c lock.StoreClaim) (lock.StoreGrant, error) {
		now := c
		now.Queue = false
		if g, err := s.Acquire(ctx, now); err != nil || g.Status == lock.StatusGranted {
			return g, err
		}
		return s.Acquire(ctx, c)
	}}},
	"a queue without end": {"AFullQueueIsReported", spoiled{grant: func(_ lock.StoreClaim, g *lock.StoreGrant) { g.Full = false }}},
	"64 places": {"ManyWaitersAreServedInOrder", spoiled{grant: func(_ lock.StoreClaim, g *lock.StoreGrant) {
		if g.Place > 64 {
			g.Place = 0
		}
	}}},
	"slow to take": {"ManyThatFitTogetherAreAllGranted", spoiled{wait: func(ctx context.Context, s lock.Store, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
		pause(ctx, 1500*time.Millisecond)
		return s.Wait(ctx, c, g)
	}}},
	"one at a time": {"WhatFitsTogetherIsGrantedTogether", spoiled{claim: func(c *lock.StoreClaim) {
		if c.Queue && c.Resource.Kind() == lock.Whole {
			c.Resource = c.Resource.Units(c.Capacity[0])
		}
	}}},
	"readers queue up":    {"ReadersAreLetInTogether", spoiled{claim: func(c *lock.StoreClaim) { unshare(c, c.Queue) }}},
	"shared forgotten":    {"SharedHoldsAreBesideEachOther", spoiled{claim: func(c *lock.StoreClaim) { unshare(c, true) }}},
	"shared as one unit":  {"SharedHoldsExcludeAllOthers", spoiled{claim: func(c *lock.StoreClaim) { unshare(c, c.Capacity[0] > 1) }}},
	"places of all names": {"WaitersForOtherNamesChangeNothing", spoiled{grant: func(_ lock.StoreClaim, g *lock.StoreGrant) { g.Place *= 2 }}},
	"waiters poll": {"AReleaseGrantsToTheFirstWaiter", spoiled{
		claim: func(c *lock.StoreClaim) { c.Queue = false },
		grant: func(_ lock.StoreClaim, g *lock.StoreGrant) { g.Place = 1 },
	}},
	"grants for good": {"AnUnconfirmedGrantLapses", spoiled{acquire: func(ctx context.Context, s lock.Store, c lock.StoreClaim) (lock.StoreGrant, error) {
		if c.Queue { // a claim is granted as a whole, and its process need not confirm
			go func() {
				pause(ctx, lock.StoreTrialTime/2)
				_, _ = s.Extend(ctx, []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: c.TTL, Confirm: true}})
			}()
		}
		return s.Acquire(ctx, c)
	}}},
	"a wait without end": {
		"AWaiterGetsItsTurn AWaiterOutlastsACrashedHolder ADeadWaiterDropsOut",
		spoiled{wait: func(ctx context.Context, _ lock.Store, _ lock.StoreClaim, _ lock.StoreGrant) (lock.StoreGrant, error) {
			<-ctx.Done()
			return lock.StoreGrant{}, ctx.Err()
		}},
	},
	"another's error": {"WaitEndsWithItsContext", spoiled{wait: func(context.Context, lock.Store, lock.StoreClaim, lock.StoreGrant) (lock.StoreGrant, error) {
		return lock.StoreGrant{}, lock.ErrUnavailable
	}}},
	"a line for each name": {"WaitersForDifferentThingsDoNotWaitForEachOther", spoiled{claim: func(c *lock.StoreClaim) {
		if c.Queue && c.Resource.Kind() == lock.Numbers {
			c.Resource = lock.Key(c.Resource.Name())
		}
	}}},
	"slow to wake": {"ALapsedGrantGoesToTheNext", spoiled{wait: func(ctx context.Context, s lock.Store, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
		pause(ctx, 8*time.Second)
		return s.Wait(ctx, c, g)
	}}},
	"confirmations counted": {"AConfirmationMovesTheDeadlineToTheTTL", spoiled{renewal: func(r *lock.StoreRenewal) { r.Count = r.Count || r.Confirm }}},
	"renewals granted": {"AConfirmationRevivesNothing ExtendNeverRevives", spoiled{extend: func(ctx context.Context, s lock.Store, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
		gs, err := s.Extend(ctx, rs)
		for i := range gs {
			gs[i].Status = lock.StatusGranted
		}
		return gs, err
	}}},
	"a claim confirms": {"ARepeatedClaimConfirmsNothing", spoiled{acquire: func(ctx context.Context, s lock.Store, c lock.StoreClaim) (lock.StoreGrant, error) {
		g, err := s.Acquire(ctx, c)
		if g.Hold.Unconfirmed {
			gs, _ := s.Extend(ctx, []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: c.TTL, Confirm: true}})
			g = gs[0]
		}
		return g, err
	}}},
	"counted from receipt": {"AGrantIsNotBelievedTooLong", spoiled{wait: func(ctx context.Context, s lock.Store, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
		g, err := s.Wait(ctx, c, g)
		g.Hold.Left = lock.StoreTrialTime
		return g, err
	}}},
	"64 give up": {"ManyMayGiveUpAtOnce", spoiled{release: func(ctx context.Context, s lock.Store, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
		gs, err := s.Release(ctx, ts[:min(64, len(ts))])
		for len(gs) < len(ts) {
			gs = append(gs, lock.StoreGrant{Status: lock.StatusMissing})
		}
		return gs, err
	}}},
	"giving up ignored": {
		"AClaimThatWasGivenUpIsRefused GivingUpLeavesTheQueue AGrantThatIsGivenUpPassesOn GivingUpRacesWithTheRelease",
		spoiled{release: notGivenUp},
	},
	"kept by no means": {"AKeptHoldStaysAfterItsRelease", spoiled{claim: func(c *lock.StoreClaim) { c.KeepAtLeast = 0 }}},
	"kept too long":    {"AKeptHoldEndsInTime", spoiled{claim: func(c *lock.StoreClaim) { c.KeepAtLeast *= 2 }}},
	"releases ignored": {
		"ReleaseFrees ARepeatedReleaseIsGrantedOnce AnEndingIsForgottenInTime ReleasingAnExpiredHoldIsMissing AReleasedHoldNeverExpires AReleaseOfAKeptHoldIsFinal",
		spoiled{release: notReleased},
	},
	"again is missing": {"ARepeatedReleaseMayNotBeRemembered", spoiled{release: answeredAgain(lock.StatusMissing)}},
	"again is granted": {"ARepeatedReleaseMayNotBeRemembered", spoiled{release: answeredAgain(lock.StatusGranted)}},
	"kept until it expires": {"AKeptHoldNeverExpires", spoiled{release: notReleased, claim: func(c *lock.StoreClaim) {
		if c.KeepAtLeast > 0 {
			c.TTL = c.KeepAtLeast
		}
	}}},
	"two with one token":   {"TakingOverChangesTheToken", spoiled{renewal: func(r *lock.StoreRenewal) { r.TakeOver = "" }}},
	"each time taken over": {"ARepeatedTakeOverIsTheSame", spoiled{renewal: func(r *lock.StoreRenewal) { r.TakeOver += rand.Text() }}},
	"a Ref resumes once": {"TheOldTokenTakesOverAgain", spoiled{extend: func() func(context.Context, lock.Store, []lock.StoreRenewal) ([]lock.StoreGrant, error) {
		used := make(map[string]bool)
		return func(ctx context.Context, s lock.Store, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
			for _, r := range rs {
				if r.TakeOver != "" && used[r.Token] {
					return []lock.StoreGrant{{Status: lock.StatusMissing}}, nil
				}
				used[r.Token] = r.TakeOver != ""
			}
			return s.Extend(ctx, rs)
		}
	}()}},
	"the dead taken over": {"OnlyALiveHoldIsTakenOver", spoiled{extend: func(ctx context.Context, s lock.Store, rs []lock.StoreRenewal) ([]lock.StoreGrant, error) {
		gs, err := s.Extend(ctx, rs)
		for i, r := range rs {
			if r.TakeOver != "" {
				gs[i].Status = lock.StatusGranted
			}
		}
		return gs, err
	}}},
	"loss unreported": {"TheFormerHolderHearsOfIt", spoiled{renewal: func(r *lock.StoreRenewal) { r.Lost = nil }}},
	"readers overtake": {"RandomHistoriesAgreeWithTheModel", spoiled{claim: func(c *lock.StoreClaim) {
		if c.Resource.IsShared() {
			c.Queue = false
		}
	}}},
	"belief from receipt": {"WhateverHappensToGrantsOneBelieves", spoiled{wait: func(ctx context.Context, s lock.Store, c lock.StoreClaim, g lock.StoreGrant) (lock.StoreGrant, error) {
		g, err := s.Wait(ctx, c, g)
		g.Hold.Left *= 5
		return g, err
	}}},
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// unshare makes a claim of one part exclusive.
func unshare(c *lock.StoreClaim, when bool) {
	if r := c.Resource; when && r.IsShared() && len(slices.Collect(r.Parts())) == 1 {
		from, to := r.Bounds()
		c.Resource = lock.Of(r.Kind(), r.Name(), from, to)
	}
}

// notGivenUp releases what has a fence, and answers the others with StatusMissing.
func notGivenUp(ctx context.Context, s lock.Store, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	gs := make([]lock.StoreGrant, len(ts))
	for i, t := range ts {
		gs[i].Status = lock.StatusMissing
		if t.Fence > 0 {
			g, err := s.Release(ctx, []lock.StoreTicket{t})
			if err != nil {
				return nil, err
			}
			gs[i] = g[0]
		}
	}
	return gs, nil
}

// notReleased leaves everything as it is.
func notReleased(_ context.Context, _ lock.Store, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	return make([]lock.StoreGrant, len(ts)), nil
}

// answeredAgain has one answer for what was released before.
func answeredAgain(status lock.StoreStatus) func(context.Context, lock.Store, []lock.StoreTicket) ([]lock.StoreGrant, error) {
	return func(ctx context.Context, s lock.Store, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
		gs, err := s.Release(ctx, ts)
		for i := range gs {
			if ts[i].Again {
				gs[i].Status = status
			}
		}
		return gs, err
	}
}
