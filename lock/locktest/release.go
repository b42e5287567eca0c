// SPDX-License-Identifier: MIT

package locktest

import (
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var releaseRules = []rule{
	{"ReleaseFrees", "A room that was given back would stay taken.", releaseFrees},
	{"ARepeatedReleaseIsGrantedOnce", "A client that repeats a release whose answer got lost would be told that the lease was lost, or end a successor's hold.", releaseTwice},
	{"AnEndingIsForgottenInTime", "The memory of what was released would grow without end, or be of no use.", releaseForgotten},
	{"AClaimThatWasGivenUpIsRefused", "A request that arrives after its caller gave up would hold a room for nobody.", givenUp},
	{"ReleaseNeedsTheToken", "Anybody who reads a hold's id could end it.", releaseNeedsToken},
	{"ForceNeedsNoToken", "A hold that nobody looks after could not be ended.", forceNeedsNoToken},
	{"ReleasingAnExpiredHoldIsMissing", "A holder would not learn that its work went on without the lease.", releaseExpired},
	{"AReleasedHoldNeverExpires", "The audit trail would tell of an expiry that never was.", releasedNeverExpires},
}

func releaseFrees(b *bench) {
	c := b.hold(lock.All(lock.Key("a"), lock.Span("b", 1, 9)))
	next := b.hold(lock.Span("b", 9, 10))
	if s := b.release(c.Ticket); s != lock.Granted {
		b.broken("status %d, want Granted", s)
	}
	b.hold(lock.Span("b", 2, 3))
	b.hold(lock.Key("a"))
	if b.release(next.Ticket) != lock.Granted {
		b.broken("the neighbour's hold went along")
	}
}

func releaseTwice(b *bench) {
	c := b.hold(lock.Key("room"))
	b.release(c.Ticket)
	successor := b.hold(lock.Key("room"))
	if s := b.release(c.Ticket); s != lock.Granted {
		b.broken("status %d, want Granted again", s)
	}
	if got := ids(b.holds(lock.Key("room"))); len(got) != 1 || got[0] != successor.ID {
		b.broken("%v are held, want the successor %s", got, successor.ID)
	}
	if g := b.acquire(c); g.Status != lock.Missing {
		b.broken("its claim once more: status %d, want Missing", g.Status)
	}
	forced := successor.Ticket
	forced.Token, forced.Force = "", true
	for range 2 {
		if s := b.release(forced); s != lock.Granted {
			b.broken("by force: status %d, want Granted", s)
		}
	}
	if s := b.release(successor.Ticket); s != lock.Missing {
		b.broken("after it was ended by force: status %d, want Missing", s)
	}
}

func releaseForgotten(b *bench) {
	if !b.virtual {
		return // real time is no different, and slow
	}
	c := b.hold(lock.Key("room"))
	b.release(c.Ticket)
	time.Sleep(lock.RememberFor - time.Millisecond)
	if s := b.release(c.Ticket); s != lock.Granted {
		b.broken("at the last moment: status %d, want Granted", s)
	}
	time.Sleep(time.Millisecond)
	if s := b.release(c.Ticket); s != lock.Missing {
		b.broken("after %s: status %d, want Missing", lock.RememberFor, s)
	}
	b.hold(lock.Key("another room")) // the group is in use all the while
	late := b.claim(lock.Key("room"))
	b.release(late.Ticket) // gives it up
	time.Sleep(lock.RememberFor - time.Millisecond)
	if g := b.acquire(late); g.Status != lock.Missing {
		b.broken("a claim just before its giving up is forgotten: status %d, want Missing", g.Status)
	}
	time.Sleep(time.Millisecond)
	b.granted(late)
}

func givenUp(b *bench) {
	c := b.claim(lock.Key("room"))
	if s := b.release(c.Ticket); s != lock.Missing {
		b.broken("giving up: status %d, want Missing", s)
	}
	if g := b.acquire(c); g.Status != lock.Missing {
		b.broken("the claim that was given up: status %d, want Missing", g.Status)
	}
	held := b.hold(lock.Key("room"))
	unknown := held.Ticket
	unknown.Fence = 0
	if s := b.release(unknown); s != lock.Granted {
		b.broken("giving up what was granted: status %d, want Granted", s)
	}
	unknown = b.hold(lock.Key("room")).Ticket
	unknown.Fence, unknown.Token = 0, "guessed"
	if s := b.release(unknown); s != lock.Missing {
		b.broken("giving up another's: status %d, want Missing", s)
	}
	b.blocked(b.claim(lock.Key("room")))
}

func releaseNeedsToken(b *bench) {
	c := b.hold(lock.Key("room"))
	for _, token := range []string{"", "x", c.Token + "x", c.Token[1:]} {
		t := c.Ticket
		t.Token = token
		if s := b.release(t); s != lock.Missing {
			b.broken("with the token %q: status %d, want Missing", token, s)
		}
	}
	b.blocked(b.claim(lock.Key("room")))
}

func forceNeedsNoToken(b *bench) {
	c := b.hold(lock.Key("room"))
	t := lock.Ticket{Space: c.Space, Group: c.Group, ID: c.ID, Fence: c.Fence, Force: true}
	if s := b.release(t); s != lock.Granted {
		b.broken("status %d, want Granted", s)
	}
	b.hold(lock.Key("room"))
}

func releaseExpired(b *bench) {
	c := b.claim(lock.Key("room"))
	c.TTL = b.short
	b.granted(c)
	b.outlast(c.TTL)
	if s := b.release(c.Ticket); s != lock.Missing {
		b.broken("status %d, want Missing", s)
	}
	if due := b.sweep(0); len(due) != 1 || due[0].ID != c.ID {
		b.Fatalf("after the late release the expired holds are %v, want %s: its expiry would never be told", ids(due), c.ID)
	}
}

func releasedNeverExpires(b *bench) {
	c := b.claim(lock.Key("room"))
	c.TTL = b.short
	b.granted(c)
	b.release(c.Ticket)
	b.outlast(c.TTL)
	if due := b.sweep(0); len(due) != 0 {
		b.broken("%d expired holds, want none", len(due))
	}
}
