// SPDX-License-Identifier: MIT

package locktest

import (
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var releaseRules = []rule{
	{"ReleaseFrees", "A room that was given back would stay taken.", releaseFrees},
	{"ARepeatedReleaseIsGrantedOnce", "A client that repeats a release whose answer got lost would see its lease as lost, or end a successor's hold.", releaseTwice},
	{"ARepeatedReleaseMayNotBeRemembered", "A client that repeats a release whose answer got lost would see its lease as lost, or a lost one as released.", releaseAgain},
	{"AnEndingIsForgottenInTime", "The memory of what was released would grow without end, or be of no use.", releaseForgotten},
	{"AClaimThatWasGivenUpIsRefused", "A request that arrives after its caller gave up would hold a room for no one.", givenUp},
	{"ReleaseNeedsTheToken", "Anyone who reads a hold's id could end it.", releaseNeedsToken},
	{"ForceNeedsNoToken", "A hold that its holder has left could not be ended.", forceNeedsNoToken},
	{"ReleasingAnExpiredHoldIsMissing", "A holder would not learn that its work went on without the lease.", releaseExpired},
	{"AReleasedHoldNeverExpires", "The audit trail would report an expiry that never was.", releasedNeverExpires},
}

func releaseFrees(b *bench) {
	c := b.hold(lock.All(lock.Key("a"), lock.Span("b", 1, 9)))
	next := b.hold(lock.Span("b", 9, 10))
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "the first time")
	b.hold(lock.Span("b", 2, 3))
	b.hold(lock.Key("a"))
	b.want(b.release(next.StoreTicket), lock.StatusGranted, "releasing the neighbour's hold")
}

func releaseTwice(b *bench) {
	c := b.hold(lock.Key("room"))
	b.release(c.StoreTicket)
	successor := b.hold(lock.Key("room"))
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "a second time")
	if got := ids(b.holds(lock.Key("room"))); len(got) != 1 || got[0] != successor.ID {
		b.broken("%v are held, want the successor %s", got, successor.ID)
	}
	b.want(b.acquire(c).Status, lock.StatusMissing, "its claim once more")
	forced := successor.StoreTicket
	forced.Token, forced.Force = "", true
	for range 2 {
		b.want(b.release(forced), lock.StatusGranted, "by force")
	}
	b.want(b.release(successor.StoreTicket), lock.StatusMissing, "after it was ended by force")
}

func releaseAgain(b *bench) {
	held := func(ttl time.Duration) (first, again lock.StoreTicket) {
		c := b.claim(lock.Key("room"))
		c.TTL = ttl
		g := b.acquire(c)
		b.want(g.Status, lock.StatusGranted, "a claim of what is free")
		c.Fence, c.Until = g.Hold.Fence, g.Hold.ExpiresAt
		first, again = c.StoreTicket, c.StoreTicket
		again.Again = true
		return first, again
	}
	first, again := held(long)
	b.want(b.release(first), lock.StatusGranted, "the first time")
	for range 2 {
		b.want(b.release(again), lock.StatusGranted, "again")
	}
	_, again = held(long)
	b.want(b.release(again), lock.StatusGranted, "again, when the first did not arrive")
	b.want(b.release(again), lock.StatusGranted, "once more")

	forced, again := held(long)
	forced.Until, forced.Force = time.Time{}, true
	b.want(b.release(forced), lock.StatusGranted, "by force")
	b.want(b.release(again), lock.StatusMissing, "again, after it was ended by force")

	_, again = held(b.short)
	b.outlast(b.short)
	b.want(b.release(again), lock.StatusMissing, "again, after it expired")
}

func releaseForgotten(b *bench) {
	if !b.virtual {
		return // real time is no different, and slow
	}
	c := b.hold(lock.Key("room"))
	b.release(c.StoreTicket)
	time.Sleep(lock.StoreRememberFor - time.Millisecond)
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "at the last moment")
	time.Sleep(time.Millisecond)
	b.want(b.release(c.StoreTicket), lock.StatusMissing, "after %s", lock.StoreRememberFor)
	b.hold(lock.Key("another room")) // the group is in use all the while
	late := b.claim(lock.Key("room"))
	b.release(late.StoreTicket) // gives it up
	time.Sleep(lock.StoreRememberFor - time.Millisecond)
	b.want(b.acquire(late).Status, lock.StatusMissing, "a claim just before its giving up is forgotten")
	time.Sleep(time.Millisecond)
	b.granted(late)
}

func givenUp(b *bench) {
	c := b.claim(lock.Key("room"))
	b.want(b.release(c.StoreTicket), lock.StatusMissing, "giving up")
	b.want(b.acquire(c).Status, lock.StatusMissing, "the claim that was given up")
	held := b.hold(lock.Key("room"))
	unknown := held.StoreTicket
	unknown.Fence = 0
	b.want(b.release(unknown), lock.StatusGranted, "giving up what was granted")
	unknown = b.hold(lock.Key("room")).StoreTicket
	unknown.Fence, unknown.Token = 0, "guessed"
	b.want(b.release(unknown), lock.StatusMissing, "giving up another's")
	b.blocked(b.claim(lock.Key("room")))
}

func releaseNeedsToken(b *bench) {
	c := b.hold(lock.Key("room"))
	for _, token := range []string{"", "x", c.Token + "x", c.Token[1:]} {
		t := c.StoreTicket
		t.Token = token
		b.want(b.release(t), lock.StatusMissing, "with the token %q", token)
	}
	b.blocked(b.claim(lock.Key("room")))
}

func forceNeedsNoToken(b *bench) {
	c := b.hold(lock.Key("room"))
	t := lock.StoreTicket{Space: c.Space, Group: c.Group, Name: c.Name, ID: c.ID, Fence: c.Fence, Force: true}
	b.want(b.release(t), lock.StatusGranted, "by force")
	b.hold(lock.Key("room"))
}

func releaseExpired(b *bench) {
	c := b.brief(lock.Key("room"))
	b.outlast(c.TTL)
	b.want(b.release(c.StoreTicket), lock.StatusMissing, "an expired hold")
	if due := b.sweep(0); len(due) != 1 || due[0].ID != c.ID {
		b.Fatalf("after the late release the expired holds are %v, want %s: its expiry would never be reported", ids(due), c.ID)
	}
}

func releasedNeverExpires(b *bench) {
	c := b.brief(lock.Key("room"))
	b.release(c.StoreTicket)
	b.outlast(c.TTL)
	if due := b.sweep(0); len(due) != 0 {
		b.broken("%d expired holds, want none", len(due))
	}
}
