// SPDX-License-Identifier: MIT

package locktest

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var conflictRules = []rule{
	{"OverlapsConflict", "Two guests hold one night.", overlapsConflict},
	{"TouchingRangesDoNotConflict", "A departure day must be free for an arrival.", touchingRanges},
	{"KindsConflictAsIfWhole", "Nights and numbers of one name cannot be compared; letting both in would let two guests in.", kindsConflict},
	{"NamesGroupsAndSpacesAreApart", "A guest would be refused because of a hold of something else.", apart},
	{"AConflictSaysWhoAndHowLong", "The refused guest must learn what is taken, and when to try again.", conflictSaysWho},
	{"ConflictsAreLimited", "The answer about a busy name would grow without bound.", conflictsLimited},
	{"AllIsAllOrNothing", "A stay over two rooms would hold one of them for no one.", allOrNothing},
	{"CapacityCountsTheBusiestPoint", "More units would be held at one point than there are, or fewer granted than there are.", capacityPeak},
	{"AConflictWritesNothing", "A refused claim would be in the way of others.", conflictWritesNothing},
}

func overlapsConflict(b *bench) {
	b.hold(lock.Span("room", 10, 20))
	for _, r := range []lock.Resource{
		lock.Span("room", 10, 20), lock.Span("room", 12, 15), lock.Span("room", 5, 11), lock.Span("room", 19, 25), lock.Span("room", 1, 100),
		lock.Span("room", lock.MinBound, lock.MaxBound), lock.Key("room"),
	} {
		b.blocked(b.claim(r))
	}
	b.hold(lock.Key("suite"))
	b.blocked(b.claim(lock.Key("suite")))
	b.blocked(b.claim(lock.Span("suite", 1, 2)))
}

func touchingRanges(b *bench) {
	b.hold(lock.Span("room", 10, 20))
	b.hold(lock.Span("room", 20, 21))
	b.hold(lock.Span("room", 9, 10))
	b.hold(lock.Span("room", lock.MinBound, 9))
	b.hold(lock.Span("room", 21, lock.MaxBound))
	day := time.Date(2026, 12, 12, 15, 0, 0, 0, time.UTC)
	b.hold(lock.Nights("suite", day, day.AddDate(0, 0, 3)))
	b.hold(lock.Nights("suite", day.AddDate(0, 0, 3), day.AddDate(0, 0, 4)))
	b.blocked(b.claim(lock.Nights("suite", day.AddDate(0, 0, 2), day.AddDate(0, 0, 3))))
}

func kindsConflict(b *bench) {
	now := time.Date(2026, 12, 12, 0, 0, 0, 0, time.UTC)
	kinds := func(name string) []lock.Resource {
		return []lock.Resource{
			lock.Key(name), lock.Span(name, 1, 2), lock.Nights(name, now, now.AddDate(0, 0, 1)), lock.Between(name, now, now.Add(time.Hour)),
		}
	}
	for i := range 4 {
		name := fmt.Sprint("room", i)
		b.hold(kinds(name)[i])
		for _, r := range kinds(name) {
			b.blocked(b.claim(r))
		}
	}
}

func apart(b *bench) {
	b.hold(lock.Key("room"))
	b.hold(lock.Key("room2"))
	b.hold(lock.Key("roo"))
	c := b.claim(lock.Key("room"))
	c.Group = "other"
	b.granted(c)
	c = b.claim(lock.Key("room"))
	c.Space = b.space + "x"
	b.granted(c)
	b.release(c.StoreTicket)
}

func conflictSaysWho(b *bench) {
	c := b.claim(lock.Span("room", 10, 20))
	c.TTL, c.Holder, c.Reason = time.Minute, "ada", "booking"
	c = b.granted(c)
	want := lock.All(lock.Key("free"), lock.Span("room", 15, 25))
	g := b.blocked(b.claim(want))
	if len(g.Conflicts) != 1 {
		b.broken("%d conflicts named, want 1", len(g.Conflicts))
	}
	h := g.Conflicts[0].Hold
	if h.ID != c.ID || h.Holder != "ada" || h.Reason != "booking" || h.Fence != c.Fence || h.Resource.String() != c.Resource.String() {
		b.broken("in the way is %+v, want the hold %s of ada, %s, fence %d", h, c.ID, c.Resource, c.Fence)
	}
	if w := g.Conflicts[0].Wanted; w.String() != "room [15, 25)" {
		b.broken("the refused part is %s, want room [15, 25)", w)
	}
	if !b.near(h.Left, c.TTL) || !b.near(g.Retry, c.TTL) {
		b.broken("%s left, retry in %s; want both about %s", h.Left, g.Retry, c.TTL)
	}
}

func conflictsLimited(b *bench) {
	for i := range int64(10) {
		b.hold(lock.Span("room", i, i+1))
	}
	c := b.claim(lock.Key("room"))
	c.Limit = 3
	if g := b.blocked(c); len(g.Conflicts) != 3 {
		b.broken("%d conflicts named, want the limit of 3", len(g.Conflicts))
	}
}

func allOrNothing(b *bench) {
	taken := b.hold(lock.Span("b", 5, 6))
	both := lock.All(lock.Span("a", 1, 2), lock.Span("b", 1, 10), lock.Key("c"))
	b.blocked(b.claim(both))
	if got := ids(b.holds(lock.Resource{})); !slices.Equal(got, []string{taken.ID}) {
		b.broken("after the refusal %v are held, want only %s", got, taken.ID)
	}
	b.release(taken.StoreTicket)
	c := b.hold(both)
	for part := range both.Parts() {
		b.blocked(b.claim(part))
	}
	b.release(c.StoreTicket)
	for part := range both.Parts() {
		b.hold(part)
	}
}

func capacityPeak(b *bench) {
	of3 := func(r lock.Resource) lock.StoreClaim { return b.claimOf(3, r) }
	b.granted(of3(lock.Span("double", 0, 4)))
	b.granted(of3(lock.Span("double", 4, 8)))          // touches: never both at once
	b.granted(of3(lock.Span("double", 2, 6)))          // two at 2 to 6
	b.granted(of3(lock.Span("double", 0, 8)))          // three at 2 to 6
	b.blocked(of3(lock.Span("double", 5, 7)))          // a fourth at 5
	b.granted(of3(lock.Span("double", 6, 8)))          // three at 6 to 8
	b.blocked(of3(lock.Span("double", 0, 2).Units(2))) // 2 + 2
	last := b.granted(of3(lock.Span("double", 0, 2)))
	b.release(last.StoreTicket)
	b.granted(of3(lock.Span("double", 0, 2)))
	b.granted(of3(lock.Span("twin", 0, 1).Units(3)))
	b.blocked(of3(lock.Key("twin")))
}

func conflictWritesNothing(b *bench) {
	taken := b.hold(lock.Span("room", 5, 6))
	refused := b.claim(lock.Span("room", 1, 10))
	b.blocked(refused)
	b.hold(lock.Span("room", 1, 5))
	b.hold(lock.Span("room", 6, 10))
	b.want(b.extend(lock.StoreRenewal{StoreTicket: refused.StoreTicket, TTL: long}).Status, lock.StatusMissing, "extending a refused claim")
	b.want(b.release(refused.StoreTicket), lock.StatusMissing, "releasing a refused claim")
	b.release(taken.StoreTicket)
}
