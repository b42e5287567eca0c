// SPDX-License-Identifier: MIT

package locktest

import "github.com/holdfast-go/holdfast/lock"

var releaseRules = []rule{
	{"ReleaseFrees", "A room that was given back would stay taken.", releaseFrees},
	{"ReleaseTwiceIsMissing", "A second release would be taken for a first one, perhaps of a successor's hold.", releaseTwice},
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
	if s := b.release(c.Ticket); s != lock.Missing {
		b.broken("status %d, want Missing", s)
	}
	if got := ids(b.holds(lock.Key("room"))); len(got) != 1 || got[0] != successor.ID {
		b.broken("%v are held, want the successor %s", got, successor.ID)
	}
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
	if s := b.release(t); s != lock.Missing {
		b.broken("the second time: status %d, want Missing", s)
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
