// SPDX-License-Identifier: MIT

package locktest

import (
	"github.com/holdfast-go/holdfast/lock"
)

var sharedRules = []rule{
	{"SharedHoldsAreBesideEachOther", "Readers would keep each other out.", sharedBeside},
	{"SharedHoldsExcludeAllOthers", "A reader would see half of what a writer writes.", sharedExclude},
}

func sharedBeside(b *bench) {
	for range 5 {
		b.hold(lock.Key("room").Shared())
		b.hold(lock.Span("room", 1, 9).Shared())
		b.hold(lock.All(lock.Key("suite"), lock.Span("room", 3, 5).Shared()))
		b.release(b.hold(lock.All(lock.Key("room"), lock.Key("hall")).Shared()).StoreTicket)
		for _, h := range b.holds(lock.Key("suite")) {
			b.release(lock.StoreTicket{Space: b.space, Group: "all", Name: h.Resource.Name(), ID: h.ID, Fence: h.Fence, Force: true})
		}
	}
	for _, h := range b.holds(lock.Key("room")) {
		if !h.Resource.IsShared() {
			b.broken("a shared hold is listed as %s", h.Resource)
		}
	}
}

func sharedExclude(b *bench) {
	of3 := func(r lock.Resource) lock.StoreClaim { return b.claimOf(3, r) }
	reader := b.granted(of3(lock.Span("room", 1, 9).Shared()))
	for _, r := range []lock.Resource{lock.Key("room"), lock.Span("room", 8, 20), lock.All(lock.Key("suite"), lock.Span("room", 1, 2))} {
		if g := b.blocked(of3(r)); len(g.Conflicts) != 1 || g.Conflicts[0].Hold.ID != reader.ID {
			b.broken("in the way of %s is %+v, want the shared hold", r, g.Conflicts)
		}
	}
	b.granted(of3(lock.Span("room", 9, 20)))
	b.release(reader.StoreTicket)
	writer := b.granted(of3(lock.Span("room", 1, 9)))
	for _, r := range []lock.Resource{lock.Key("room"), lock.Span("room", 8, 9), lock.All(lock.Key("suite"), lock.Key("room"))} {
		b.blocked(of3(r.Shared()))
	}
	b.release(writer.StoreTicket)
	b.granted(of3(lock.Span("room", 1, 9).Shared()))
	b.hold(lock.Key("hall")) // when its name had room for one
	for _, r := range []lock.Resource{lock.Key("hall"), lock.Span("hall", 1, 2)} {
		b.blocked(of3(r.Shared()))
	}
}
