// SPDX-License-Identifier: MIT

package redislock

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

func TestExtendMovesTheDeadlineAndNeverBack(t *testing.T) {
	virtual(t, func(r *rig) {
		c, first := r.take(lock.Key("room"), time.Minute)
		time.Sleep(10 * time.Second)
		for _, step := range []struct{ ttl, left time.Duration }{
			{0, 50 * time.Second}, {time.Second, 50 * time.Second}, {time.Minute, time.Minute}, {time.Hour, time.Hour}, {time.Second, time.Hour},
		} {
			g := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: step.ttl})[0]
			if g.Status != lock.StatusGranted || g.Hold.Left != step.left || !g.Hold.ExpiresAt.Equal(time.Now().Add(step.left)) {
				t.Errorf("extend by %s: status %d, left %s, want granted, %s", step.ttl, g.Status, g.Hold.Left, step.left)
			}
			if g.Hold.Fence != first.Hold.Fence || g.Hold.Extensions != 0 || !g.Hold.AcquiredAt.Equal(first.Hold.AcquiredAt) {
				t.Errorf("extend changed more than the deadline: %+v", g.Hold)
			}
		}
		time.Sleep(time.Hour - time.Millisecond)
		r.wantBlocked(lock.Key("room"), c.ID)
		time.Sleep(time.Millisecond)
		r.take(lock.Key("room"), time.Minute)
	})
}

func TestOnlyCountedExtensionsCount(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.Key("room"), time.Hour)
		extend := func(want lock.StoreStatus, extensions int, n lock.StoreRenewal) {
			r.Helper()
			n.StoreTicket, n.TTL, n.MaxExtensions = c.StoreTicket, time.Hour, 2
			if g := r.extend(n)[0]; g.Status != want || g.Hold.Extensions != extensions || g.Hold.Holder != c.Holder {
				r.Errorf("%+v: status %d with %d extensions, want %d with %d", n, g.Status, g.Hold.Extensions, want, extensions)
			}
		}
		extend(lock.StatusGranted, 0, lock.StoreRenewal{})
		extend(lock.StatusGranted, 1, lock.StoreRenewal{Count: true, Nonce: "a"})
		extend(lock.StatusGranted, 1, lock.StoreRenewal{Count: true, Nonce: "a"}) // sent twice
		extend(lock.StatusGranted, 2, lock.StoreRenewal{Count: true, Nonce: "b"})
		extend(lock.StatusGranted, 2, lock.StoreRenewal{Count: true, Nonce: "b"})
		extend(lock.StatusCapped, 2, lock.StoreRenewal{Count: true, Nonce: "c"})
		extend(lock.StatusGranted, 2, lock.StoreRenewal{})
	})
}

func TestMaxHoldIsKeptByTheServer(t *testing.T) {
	virtual(t, func(r *rig) {
		c := r.claim(lock.Key("room"), time.Minute)
		c.MaxHold = 90 * time.Second
		r.ask(c)
		time.Sleep(40 * time.Second)
		extend := func(want lock.StoreStatus, left time.Duration) {
			t.Helper()
			if g := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Minute})[0]; g.Status != want || g.Hold.Left != left {
				t.Errorf("status %d, left %s, want %d, %s", g.Status, g.Hold.Left, want, left)
			}
		}
		extend(lock.StatusGranted, 50*time.Second) // cut short
		extend(lock.StatusCapped, 50*time.Second)
		time.Sleep(50*time.Second - time.Millisecond)
		extend(lock.StatusCapped, time.Millisecond)
		time.Sleep(time.Millisecond)
		extend(lock.StatusMissing, 0)

		c = r.claim(lock.Key("room"), time.Hour)
		c.MaxHold = time.Minute
		if g := r.ask(c); g.Hold.Left != time.Minute {
			t.Errorf("granted for %s, want 1m0s", g.Hold.Left)
		}
	})
}

func TestExtendNeverRevives(t *testing.T) {
	everywhere(t, func(r *rig) {
		expired, _ := r.take(lock.Key("a"), 20*time.Millisecond)
		r.pass(expired.TTL)
		live, _ := r.take(lock.Key("b"), time.Hour)
		foreign := live
		foreign.Token = "guessed"
		released, _ := r.take(lock.Key("c"), time.Hour)
		r.release(released.StoreTicket)
		for _, c := range []lock.StoreClaim{expired, foreign, released, r.claim(lock.Key("d"), time.Hour)} {
			if g := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})[0]; g.Status != lock.StatusMissing {
				r.Errorf("extend %s with %s: status %d, want missing", c.ID, c.Token, g.Status)
			}
		}
		if got := ids(r.list(lock.Resource{})); !slices.Equal(got, []string{live.ID}) {
			r.Errorf("holds %v, want %v", got, live.ID)
		}
	})
}

func TestABatchIsAnsweredInOrder(t *testing.T) {
	everywhere(t, func(r *rig) {
		var batch []lock.StoreRenewal
		for i := range 3*batchSize + 7 {
			c := r.claim(lock.Key("room/"+strconv.Itoa(i)), time.Minute)
			c.Group = "hotel" + strconv.Itoa(i%2)
			if i%5 != 0 {
				r.ask(c)
			}
			batch = append(batch, lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})
		}
		r.client.ScriptFlush(r.Context())
		for i, g := range r.extend(batch...) {
			if i%5 == 0 && g.Status != lock.StatusMissing || i%5 != 0 && (g.Hold.ID != batch[i].ID || g.Hold.Left != time.Hour) {
				r.Fatalf("answer %d: status %d of %q, left %s", i, g.Status, g.Hold.ID, g.Hold.Left)
			}
		}
		if got := r.extend(); len(got) != 0 {
			r.Errorf("%d answers to nothing", len(got))
		}
	})
}

func TestOnlyTheTokenReleases(t *testing.T) {
	everywhere(t, func(r *rig) {
		old, _ := r.take(lock.Key("room"), 20*time.Millisecond)
		r.pass(old.TTL)
		c, _ := r.take(lock.Key("room"), time.Hour)
		foreign := c.StoreTicket
		foreign.Token = old.Token
		for _, k := range []lock.StoreTicket{old.StoreTicket, foreign, {Space: "rooms", Group: "hotel", Name: c.Name, ID: c.ID}} {
			if s := r.release(k); s != lock.StatusMissing {
				r.Errorf("release of %s with %q: status %d, want missing", k.ID, k.Token, s)
			}
		}
		r.wantBlocked(lock.Key("room"), c.ID)
		if s := r.release(c.StoreTicket); s != lock.StatusGranted {
			r.Errorf("release: status %d, want granted", s)
		}
	})
}

func TestForceNeedsNoTokenAndReturnsTheHold(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.All(lock.Key("a"), lock.Key("b")), time.Hour)
		g, err := r.Release(r.Context(), []lock.StoreTicket{{Space: "rooms", Group: "hotel", ID: c.ID, Force: true}})
		if err != nil || g[0].Status != lock.StatusGranted || g[0].Hold.Holder != c.Holder || g[0].Hold.Resource.String() != "a, b" {
			r.Errorf("forced: %+v, %v", g, err)
		}
		r.take(c.Resource, time.Hour)
	})
}

func TestReleaseRemovesWhateverIsLeft(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.All(lock.Key("a"), lock.Span("b", 1, 2), lock.Key("c")), time.Hour)
		r.client.ZRem(r.Context(), r.keys("rooms", "hotel")[0], member('1', lock.Span("b", 1, 2))+c.ID)
		if s := r.release(c.StoreTicket); s != lock.StatusGranted {
			r.Errorf("status %d, want granted", s)
		}
		if left := r.keysLeft(); left != "lx" { // x: what was released, for some seconds
			r.Errorf("keys %q left, want the fence and a short memory", left)
		}
	})
}

func TestRenewalsOfAGroupGoInOneScript(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	load(r.client, extendAll)
	var rs []lock.StoreRenewal
	for _, name := range []string{"a", "b", "c"} {
		c, _ := r.take(lock.Key(name), time.Hour)
		rs = append(rs, lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})
	}
	if scripts, _ := r.spent(func() { r.extend(rs...) }, "time"); scripts != 1 {
		t.Errorf("three renewals take %d scripts, want 1", scripts)
	}
}
