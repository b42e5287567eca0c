// SPDX-License-Identifier: MIT

package locktest

import (
	"slices"

	"github.com/holdfast-go/holdfast/lock"
)

var holdsRules = []rule{
	{"HoldsListsWhatOverlaps", "A status page would show rooms as free that are taken, or the other way round.", holdsOverlapping},
	{"HoldsListsEachOnce", "A hold of two rooms would look like two.", holdsOnce},
	{"HoldsStopsWhenAsked", "A caller who has seen enough would have to read on.", holdsStops},
}

func holdsOverlapping(b *bench) {
	c := b.hold(lock.Span("b", 10, 20))
	a := b.hold(lock.Span("b", 5, 10))
	k := b.hold(lock.Key("c"))
	d := b.hold(lock.Span("a", 7, 8))
	for _, q := range []struct {
		of   lock.Resource
		want []string
	}{
		{lock.Resource{}, []string{d.ID, a.ID, c.ID, k.ID}},
		{lock.Key("b"), []string{a.ID, c.ID}},
		{lock.Span("b", 9, 10), []string{a.ID}},
		{lock.Span("b", 9, 11), []string{a.ID, c.ID}},
		{lock.Span("b", 20, 30), nil},
		{lock.Span("c", 1, 2), []string{k.ID}},
		{lock.Key("unheld"), nil},
		{lock.All(lock.Key("a"), lock.Span("b", 19, 20), lock.Key("d")), []string{d.ID, c.ID}},
	} {
		if got := ids(b.holds(q.of)); !slices.Equal(got, q.want) {
			b.broken("Holds(%s) = %v, want %v", q.of, got, q.want)
		}
	}
}

func holdsOnce(b *bench) {
	c := b.hold(lock.All(lock.Key("a"), lock.Span("b", 1, 2), lock.Span("b", 5, 6)))
	for _, q := range []lock.Resource{{}, c.Resource, lock.Key("b")} {
		got := b.holds(q)
		if !slices.Equal(ids(got), []string{c.ID}) {
			b.broken("Holds(%s) = %v, want %s once", q, ids(got), c.ID)
		}
		if got[0].Resource.String() != c.Resource.String() {
			b.broken("Holds(%s) shows %s, want all parts: %s", q, got[0].Resource, c.Resource)
		}
	}
}

func holdsStops(b *bench) {
	b.hold(lock.Key("a"))
	b.hold(lock.Key("b"))
	q := lock.StoreQuery{Space: b.space, Group: "all"}
	n := 0
	for _, err := range b.store.Holds(b.ctx, q) {
		if n++; err != nil || n == 1 {
			break
		}
	}
	q.Limit = 1
	for range b.store.Holds(b.ctx, q) {
		n++
	}
	if n != 2 {
		b.broken("%d holds seen after a break and under a limit of 1, want 2", n)
	}
}
