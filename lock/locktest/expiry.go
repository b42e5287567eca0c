// SPDX-License-Identifier: MIT

package locktest

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var expiryRules = []rule{
	{"AnExpiredHoldIsInNoOnesWay", "A crashed holder would block a room forever.", expiredBlocksNoOne},
	{"ExpiriesAreListedUntilTheyAreRecorded", "The audit trail would miss expiries, or have them again and again.", listedUntilRecorded},
	{"SweepIsLimitedOldestFirst", "After an outage one answer would hold thousands of expiries.", sweepLimited},
	{"RecordingALiveHoldDoesNothing", "A wrong id would end another's lease.", recordingLive},
	{"AnExpiryShowsTheWholeHold", "The audit trail would not know whose hold expired.", expiryShowsAll},
	{"TheExpiredLeaveNoTrace", "Old holds would slow down, or count against, new ones.", expiredLeaveNoTrace},
}

// exactRules hold in real time too, but cannot be seen there.
var exactRules = []rule{
	{"ALiveHoldBlocksUntilItsLastInstant", "A hold that ends early lets another guest in beside its holder.", livesToTheEnd},
}

// brief holds r for a short time.
func (b *bench) brief(r lock.Resource) lock.StoreClaim {
	b.Helper()
	c := b.claim(r)
	c.TTL = b.short
	return b.granted(c)
}

func livesToTheEnd(b *bench) {
	c := b.brief(lock.Key("room"))
	time.Sleep(c.TTL - time.Millisecond)
	g := b.blocked(b.claim(lock.Key("room")))
	if g.Retry != time.Millisecond || len(g.Conflicts) != 1 || g.Conflicts[0].Hold.Left != time.Millisecond {
		b.broken("a millisecond before the end: retry in %s, conflicts %+v", g.Retry, g.Conflicts)
	}
	time.Sleep(time.Millisecond)
	b.hold(lock.Key("room"))
}

func expiredBlocksNoOne(b *bench) {
	b.brief(lock.All(lock.Key("a"), lock.Span("b", 1, 9)))
	b.outlast(b.short)
	if n := len(b.holds(lock.Resource{})); n != 0 {
		b.broken("%d holds listed, want none", n)
	}
	b.hold(lock.Span("b", 2, 3))
	b.hold(lock.Key("a"))
}

func listedUntilRecorded(b *bench) {
	start := time.Now()
	first, second := b.brief(lock.Key("a")), b.brief(lock.Key("b"))
	if due := b.sweep(0); len(due) != 0 && time.Since(start) < b.short {
		b.broken("%d expired before their time", len(due))
	}
	b.outlast(b.short)
	want := []string{first.ID, second.ID}
	for range 2 {
		if due := ids(b.sweep(0)); !sameSet(due, want) {
			b.broken("expired are %v, want %v until they are recorded", due, want)
		}
	}
	b.hold(lock.Key("a")) // taking its place does not record an expiry
	if due := ids(b.sweep(0, first.ID)); !sameSet(due, want[1:]) {
		b.broken("after recording one, expired are %v, want %v", due, want[1:])
	}
	if due := ids(b.sweep(0, second.ID, first.ID, "unknown")); len(due) != 0 {
		b.broken("after recording all, expired are %v", due)
	}
	if due := ids(b.sweep(0)); len(due) != 0 {
		b.broken("recorded holds came back: %v", due)
	}
}

func sweepLimited(b *bench) {
	var want []string
	for i := range 5 {
		c := b.claim(lock.Key(fmt.Sprint("room", i)))
		c.TTL = b.short + time.Duration(i)*10*time.Millisecond
		want = append(want, b.granted(c).ID)
	}
	b.outlast(b.short + 50*time.Millisecond)
	if due := ids(b.sweep(3)); !slices.Equal(due, want[:3]) {
		b.broken("the first three expired are %v, want %v", due, want[:3])
	}
	if due := ids(b.sweep(3, want[0], want[1])); !slices.Equal(due, want[2:]) {
		b.broken("the next three expired are %v, want %v", due, want[2:])
	}
}

func recordingLive(b *bench) {
	c := b.hold(lock.Key("room"))
	b.sweep(0, c.ID)
	b.blocked(b.claim(lock.Key("room")))
	b.want(b.release(c.StoreTicket), lock.StatusGranted, "releasing a live hold that was recorded")
}

func expiryShowsAll(b *bench) {
	c := b.claim(lock.Span("room", 3, 5))
	c.TTL, c.Details = b.short, map[string]string{"channel": "web"}
	c = b.granted(c)
	b.outlast(c.TTL)
	due := b.sweep(0)
	if len(due) != 1 {
		b.broken("%d expired, want 1", len(due))
	}
	h := due[0]
	if h.ID != c.ID || h.Holder != c.Holder || h.Reason != c.Reason || h.Fence != c.Fence || h.Resource.String() != c.Resource.String() || h.Details["channel"] != "web" ||
		h.ExpiresAt.Sub(h.AcquiredAt) != c.TTL || h.Left > 0 {
		b.broken("the expiry is listed as %+v", h)
	}
}

func expiredLeaveNoTrace(b *bench) {
	for round := range 3 {
		for i := range int64(20) {
			c := b.claimOf(5, lock.Span("double", i, i+5))
			c.TTL = b.short
			b.granted(c)
		}
		b.outlast(b.short)
		for due := b.sweep(64); len(due) > 0; {
			due = b.sweep(64, ids(due)...)
		}
		if n := len(b.holds(lock.Resource{})); n != 0 {
			b.broken("round %d: %d holds listed, want none", round, n)
		}
	}
	b.granted(b.claimOf(5, lock.Key("double").Units(5)))
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
