// SPDX-License-Identifier: MIT

package sessiontest

import (
	"fmt"
	"maps"

	"github.com/holdfast-go/holdfast/session"
)

func ownerCases() []conformanceCase {
	return []conformanceCase{
		{"ListYieldsTheOwnersLiveRecords", listOwner},
		{"ListOfNoOwnerYieldsAllLiveRecords", listAll},
		{"DeleteOfAnOwnerSparesTheExceptions", deleteOwner},
		{"AFullOwnerIsRefused", fullRefused},
		{"TheOldestMakesRoom", func(b *bench) { makesRoom(b, session.EvictOldest) }},
		{"TheIdlestMakesRoom", func(b *bench) { makesRoom(b, session.EvictIdlest) }},
		{"AnOwnerFarOverTheLimitIsCutDownByAndBy", farOver},
		{"LapsedRecordsTakeNoRoom", lapsedTakeNoRoom},
	}
}

func listOwner(b *bench) {
	mine, other := b.owner(), b.owner()
	one, two, three := b.created(b.handle(mine), "1"), b.created(b.handle(mine), "2"), b.created(b.handle(mine), "3")
	b.created(b.handle(other), "other's")
	b.created(b.handle(session.Hash{}), "without an owner")
	b.remove(session.StoreRemove{Handles: []session.Hash{three.Hash}})
	b.pass(6)
	b.touch(two.StoreHandle)
	if got := b.list(mine); !maps.Equal(got, map[session.Hash]string{one.Hash: "1", two.Hash: "2"}) {
		b.Errorf("listed %v, want exactly the owner's two: erasing a subject would miss one or take another one's", got)
	}
	for rec := range b.store.List(b.ctx(), session.StoreList{Space: b.space, Owner: mine}) {
		if rec.Space != b.space || rec.Owner != mine || rec.Rev == 0 || rec.ExpiresAt.IsZero() {
			b.Errorf("List yields %+v, want handle, revision and times like Load", rec)
		}
		break // stopping early must be harmless
	}
	b.pass(5)
	if got := b.list(mine); !maps.Equal(got, map[session.Hash]string{two.Hash: "2"}) {
		b.Errorf("listed %v, want only the one that has not lapsed", got)
	}
}

func deleteOwner(b *bench) {
	mine, other := b.owner(), b.owner()
	keep := b.created(b.handle(mine), "this device")
	b.created(b.handle(mine), "phone")
	b.created(b.handle(mine), "tablet")
	theirs := b.created(b.handle(other), "other's")
	if n := b.remove(session.StoreRemove{Owner: mine, Handles: []session.Hash{keep.Hash, theirs.Hash}}); n != 2 {
		b.Errorf("Delete of an owner but one says %d, want 2", n)
	}
	b.want(b.peek(keep.StoreHandle), session.StatusDone, "logging out everywhere else ended this session, too")
	b.want(b.peek(theirs.StoreHandle), session.StatusDone, "logging one user out ended another one's session")
	if n := b.remove(session.StoreRemove{Owner: mine}); n != 1 {
		b.Errorf("Delete of an owner's last record says %d, want 1", n)
	}
	if n := b.remove(session.StoreRemove{Owner: mine}); n != 0 {
		b.Errorf("Delete of an owner without records says %d, want 0", n)
	}
	if n := b.count().Active; n != 1 {
		b.Errorf("%d active, want the other owner's one", n)
	}
}

// limited is a write that heeds a limit of two records.
func (b *bench) limited(owner session.Hash, payload string, policy session.FullPolicy) session.StoreWrite {
	w := b.write(b.handle(owner), payload)
	w.MaxPerOwner, w.WhenFull = 2, policy
	return w
}

func fullRefused(b *bench) {
	mine := b.owner()
	w := b.limited(mine, "1", session.Reject)
	b.want(b.create(w), session.StatusDone, "the owner has room")
	b.want(b.create(b.limited(mine, "2", session.Reject)), session.StatusDone, "the owner has room")
	b.want(b.create(w), session.StatusDone, "a retry of a Create that succeeded is not one more record")
	third := b.limited(mine, "3", session.Reject)
	b.want(b.create(third), session.StatusOverLimit, "the owner has MaxPerOwner records")
	b.want(b.peek(third.StoreHandle), session.StatusMissing, "a refused Create must write nothing")
	b.want(b.create(b.limited(b.owner(), "1", session.Reject)), session.StatusDone, "one owner's limit refused another one")
	b.want(b.create(b.limited(session.Hash{}, "1", session.Reject)), session.StatusDone, "records without an owner have no limit")
	b.remove(session.StoreRemove{Handles: []session.Hash{w.Hash}})
	b.want(b.create(third), session.StatusDone, "a deleted record still takes room: its owner is locked out")
}

func makesRoom(b *bench, policy session.FullPolicy) {
	mine := b.owner()
	first := b.limited(mine, "first", policy)
	b.want(b.create(first), session.StatusDone, "the owner has room")
	b.pass(1)
	second := b.limited(mine, "second", policy)
	b.want(b.create(second), session.StatusDone, "the owner has room")
	b.pass(1)
	b.touch(first.StoreHandle) // now the second is the idlest, the first still the oldest
	b.pass(1)
	r := b.create(b.limited(mine, "third", policy))
	b.want(r, session.StatusDone, "evicting makes room")
	victim, survivor := first.StoreHandle, second.StoreHandle
	if policy == session.EvictIdlest {
		victim, survivor = survivor, victim
	}
	if len(r.Evicted) != 1 || r.Evicted[0].Hash != victim.Hash {
		b.Fatalf("evicted %v, want exactly the one that %v means", r.Evicted, policy)
	}
	b.want(b.peek(victim), session.StatusMissing, "an evicted record is still there")
	b.want(b.peek(survivor), session.StatusDone, "the wrong record was evicted")
	if got := b.list(mine); len(got) != 2 {
		b.Errorf("the owner has %d records, want 2", len(got))
	}
}

// farOver lowers the limit of an owner who has many records. Ending all at once would
// hold up everyone else.
func farOver(b *bench) {
	mine := b.owner()
	for i := range 200 {
		b.created(b.handle(mine), fmt.Sprint(i))
	}
	for left := 200; left > 2; {
		r := b.create(b.limited(mine, "new", session.EvictOldest))
		b.want(r, session.StatusDone, "evicting makes room")
		if n := len(r.Evicted); n < 2 || n > 100 {
			b.Fatalf("evicted %d of %d at once, want some", n, left)
		}
		left += 1 - len(r.Evicted)
		if got := b.list(mine); len(got) != left {
			b.Fatalf("the owner has %d records, want %d", len(got), left)
		}
	}
}

func lapsedTakeNoRoom(b *bench) {
	mine := b.owner()
	b.create(b.limited(mine, "1", session.Reject))
	b.create(b.limited(mine, "2", session.Reject))
	b.pass(11)
	b.want(b.create(b.limited(mine, "3", session.Reject)), session.StatusDone, "sessions that ended by themselves lock their owner out until a cleanup runs")
	if c := b.count(); c.Active != 1 || c.Backlog != 2 {
		b.Errorf("counted %+v, want one active and two that wait for Claim", c)
	}
}

func listAll(b *bench) {
	lapsing := b.created(b.handle(b.owner()), "old")
	b.pass(6)
	want := map[session.Hash]string{}
	for i := range 200 {
		h := b.handle(session.Hash{byte(i)})
		if i%2 == 0 {
			h.Owner = session.Hash{}
		}
		want[b.created(h, fmt.Sprint(i)).Hash] = fmt.Sprint(i)
	}
	b.pass(5)
	if got := b.list(session.Hash{}); !maps.Equal(got, want) {
		b.Errorf("listed %d records, %v of them lapsed, want the %d live ones", len(got), got[lapsing.Hash] != "", len(want))
	}
}
