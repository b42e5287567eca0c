// SPDX-License-Identifier: MIT

package sessiontest

import (
	"maps"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func moveCases() []conformanceCase {
	return []conformanceCase{
		{"MoveGivesARecordAnotherHash", moveRecord},
		{"AMoveMayRestartTheAge", moveRestarts},
		{"AfterAMoveWithGraceTheOldHashNamesTheNewOne", moveLeads},
		{"AfterAFreezeTheOldHashShowsWhatItWas", moveFreezes},
		{"DeletingByAnOldHashDeletesTheRecord", deleteByOldHash},
		{"RepeatedMoveIsTheSameMove", repeatedMove},
		{"MoveIsCompareAndSwap", moveIsCompareAndSwap},
		{"MoveToAnOwnerHeedsItsLimit", moveHeedsLimit},
		{"MoveWithinAnOwnerNeedsNoRoom", moveWithinOwner},
		{"AMoveToNoOwnerLeavesTheOwnersIndex", moveToNoOwner},
	}
}

func (b *bench) move(from session.StoreRecord, to session.StoreHandle, payload string) (session.StoreWrite, session.StoreReply) {
	b.Helper()
	w := b.over(from, to, payload)
	return w, b.must(b.store.Move(b.ctx(), from.StoreHandle, w))
}

func moveRecord(b *bench) {
	subject := b.owner()
	from := b.created(b.handle(session.Hash{}), "guest")
	b.pass(3)
	to := b.handle(subject)
	_, r := b.move(from, to, "user")
	b.want(r, session.StatusDone, "a live record at its current revision can be moved")
	if !r.Record.CreatedAt.Equal(from.CreatedAt) || !r.Record.Deadline.Equal(from.Deadline) {
		b.Errorf("it has times %+v, want creation and absolute deadline of %+v: rotating would make a session immortal", r.Record, from)
	}
	if r.Record.Rev == 0 {
		b.Error("a moved record has revision 0")
	}
	b.want(b.peek(from.StoreHandle), session.StatusMissing, "the old id still works: a fixed or stolen id survives the login")
	b.wantPayload(b.peek(to), "user", "a moved record has the payload that it was moved with")
	if got := b.list(subject); !maps.Equal(got, map[session.Hash]string{to.Hash: "user"}) {
		b.Errorf("its new owner lists %v, want the moved record", got)
	}
	if n := b.count().Active; n != 1 {
		b.Errorf("%d active after a move, want 1", n)
	}
}

func moveToNoOwner(b *bench) {
	subject := b.owner()
	from, other := b.created(b.handle(subject), "user"), b.created(b.handle(subject), "other")
	to := b.handle(session.Hash{})
	to.Hash[0] = from.Hash[0]
	_, r := b.move(from, to, "guest")
	b.want(r, session.StatusDone, "a live record at its current revision can be moved")
	b.wantPayload(b.peek(to), "guest", "a moved record has the payload that it was moved with")
	if got := b.list(subject); !maps.Equal(got, map[session.Hash]string{other.Hash: "other"}) {
		b.Errorf("its owner lists %v, want only the other record: a log-out everywhere would end what is no login any more", got)
	}
}

func moveRestarts(b *bench) {
	for _, total := range []time.Duration{0, 20 * b.suite.unit()} {
		for _, to := range []session.StoreHandle{b.handle(session.Hash{}), b.handle(b.owner())} {
			from := b.created(b.handle(session.Hash{}), "guest")
			b.pass(1)
			w := b.over(from, to, "user")
			w.CreatedAt, w.Deadline = from.CreatedAt, from.Deadline
			w.Restart, w.Total, w.Idle = true, total, 5*b.suite.unit()
			r := b.must(b.store.Move(b.ctx(), from.StoreHandle, w))
			b.want(r, session.StatusDone, "a live record at its current revision can be moved")
			got := b.peek(to).Record
			if got.CreatedAt.Sub(from.CreatedAt) < b.suite.unit()/2 || !got.CreatedAt.Equal(got.LastActivity) {
				b.Errorf("restarted it is created at %v, and before at %v: who logs in late is logged out early", got.CreatedAt, from.CreatedAt)
			}
			if got.Deadline.IsZero() != (total == 0) || (total > 0 && got.Deadline.Sub(got.CreatedAt) != total) {
				b.Errorf("restarted its absolute deadline is %v after its creation, want %v", got.Deadline.Sub(got.CreatedAt), total)
			}
			if got.Idle != w.Idle || got.ExpiresAt.Sub(got.LastActivity) != w.Idle {
				b.Errorf("restarted with an idle timeout of %v it has %+v", w.Idle, got)
			}
		}
	}
}

// moved moves a new record with a grace of 4 units.
func (b *bench) moved(owner session.Hash, freeze bool) (from, to session.StoreRecord) {
	b.Helper()
	from = b.created(b.handle(owner), "before")
	h := b.handle(owner)
	h.Hash[0] = from.Hash[0]
	w := b.write(h, "after")
	w.Rev, w.CreatedAt, w.Deadline, w.Grace, w.Freeze = from.Rev, from.CreatedAt, from.Deadline, 4*b.suite.unit(), freeze
	r := b.must(b.store.Move(b.ctx(), from.StoreHandle, w))
	b.want(r, session.StatusDone, "a live record at its current revision can be moved")
	b.want(b.must(b.store.Move(b.ctx(), from.StoreHandle, w)), session.StatusDone, "a Move that is repeated is the same Move, whatever it has left behind")
	return from, r.Record
}

func moveLeads(b *bench) {
	mine := b.owner()
	from, to := b.moved(mine, false)
	again := b.over(from, b.handle(mine), "again")
	for what, r := range map[string]session.StoreReply{
		"Load": b.touch(from.StoreHandle), "Load for a lease": b.take(from.StoreHandle, "anna", 3),
		"Save": b.save(from, "late"), "Move": b.must(b.store.Move(b.ctx(), from.StoreHandle, again)),
	} {
		if r.Status != session.StatusMoved || r.Record.Next != to.Hash || len(r.Record.Payload) != 0 {
			b.Errorf("%s of the old hash answered %v with %+v, want moved and the new hash: requests under way are logged out", what, r.Status, r.Record)
		}
	}
	if c, got := b.count(), b.list(mine); c.Active != 1 || len(got) != 1 {
		b.Errorf("counted %+v and listed %v, want one", c, got)
	}
	b.pass(4.5)
	b.want(b.touch(from.StoreHandle), session.StatusMissing, "an old id works for ever")
	b.wantPayload(b.peek(to.StoreHandle), "after", "the record has to outlive its grace")
	b.pass(11)
	if due := b.claim(session.StoreClaim{For: time.Minute}).Due; len(due) != 1 || due[0].Hash != to.Hash {
		b.Errorf("due are %+v, want the record once, by its new hash", due)
	}
}

func moveFreezes(b *bench) {
	for _, owner := range []session.Hash{{}, b.owner()} {
		from := b.created(b.handle(owner), "before")
		to := b.handle(b.owner())
		w := b.write(to, "after")
		w.Rev, w.CreatedAt, w.Deadline, w.Grace, w.Freeze = from.Rev, from.CreatedAt, from.Deadline, 4*b.suite.unit(), true
		for range 2 {
			b.want(b.must(b.store.Move(b.ctx(), from.StoreHandle, w)), session.StatusDone, "a Move, and the same once more, is done")
		}
		r := b.touch(from.StoreHandle)
		b.want(r, session.StatusFrozen, "the old hash shows what it was for a while")
		b.wantPayload(r, "before", "the old id shows what was saved at the login")
		if r.Record.Next != to.Hash || r.Record.Owner != (session.Hash{}) || r.Touched || r.Record.ExpiresAt.After(from.ExpiresAt) {
			b.Errorf("frozen it is %+v, want the new hash, no owner and no longer life", r.Record)
		}
		bare := b.load(session.StoreLoad{StoreHandle: from.StoreHandle, Bare: true})
		b.want(bare, session.StatusFrozen, "a bare Load differs in the payload only")
		b.wantPayload(bare, "", "a bare Load has no payload")
		b.want(b.save(from, "late"), session.StatusFrozen, "who planted an id changes the session after the login")
		b.want(b.take(from.StoreHandle, "anna", 3), session.StatusFrozen, "a frozen record cannot be handled")
		_, r = b.move(from, b.handle(session.Hash{}), "again")
		b.want(r, session.StatusFrozen, "a frozen record cannot be moved")
		if got := b.list(owner); owner != (session.Hash{}) && len(got) != 0 {
			b.Errorf("its former owner lists %v", got)
		}
		if c := b.count(); c.Active != 1 {
			b.Errorf("counted %+v, want the moved one only", c)
		}
		if n := b.remove(session.StoreRemove{Handles: []session.Hash{from.Hash}}); n != 0 {
			b.Errorf("deleting the frozen record says %d, want 0: the session lives on", n)
		}
		b.want(b.peek(from.StoreHandle), session.StatusMissing, "a frozen record can be deleted")
		b.wantPayload(b.peek(to), "after", "deleting a frozen record deleted the session")
		b.remove(session.StoreRemove{Handles: []session.Hash{to.Hash}})
	}
	from, _ := b.moved(session.Hash{}, true)
	b.pass(4.5)
	b.want(b.peek(from.StoreHandle), session.StatusMissing, "an old id works for ever")
}

func deleteByOldHash(b *bench) {
	mine := b.owner()
	from, to := b.moved(mine, false)
	b.created(b.handle(mine), "other")
	if n := b.remove(session.StoreRemove{Owner: mine, Handles: []session.Hash{from.Hash}}); n != 1 {
		b.Errorf("deleting all but the old hash says %d, want the other one", n)
	}
	b.wantPayload(b.peek(to.StoreHandle), "after", "logging out elsewhere by an old id ended the session itself")
	if n := b.remove(session.StoreRemove{Handles: []session.Hash{from.Hash}}); n != 1 {
		b.Errorf("deleting by the old hash says %d, want 1", n)
	}
	b.want(b.peek(to.StoreHandle), session.StatusMissing, "a logout by an old id logs no one out")
	b.want(b.peek(from.StoreHandle), session.StatusMissing, "the old id outlives its session")
}

func repeatedMove(b *bench) {
	from := b.created(b.handle(session.Hash{}), "x")
	w, first := b.move(from, b.handle(session.Hash{}), "y")
	second := b.must(b.store.Move(b.ctx(), from.StoreHandle, w))
	b.want(second, session.StatusDone, "a client that lost the reply repeats the call: its user would be logged out")
	if first.Record.Rev != second.Record.Rev {
		b.Errorf("the repeated Move answers revision %d, the first one %d", second.Record.Rev, first.Record.Rev)
	}
}

func moveIsCompareAndSwap(b *bench) {
	old := b.created(b.handle(session.Hash{}), "0")
	now := b.save(old, "1").Record
	to := b.handle(session.Hash{})
	_, r := b.move(old, to, "lost")
	b.want(r, session.StatusStale, "a Move at an old revision would lose the update in between")
	b.wantPayload(r, "1", "Stale carries the current record")
	b.want(b.take(now.StoreHandle, "anna", 3), session.StatusDone, "a free lease has to be given")
	_, r = b.move(now, to, "taken")
	b.want(r, session.StatusLeased, "a Move took a session away under its exclusive handler")
	b.take(now.StoreHandle, "anna", 0)
	_, r = b.move(now, to, "2")
	b.want(r, session.StatusDone, "a live record at its current revision can be moved")
	_, r = b.move(now, b.handle(session.Hash{}), "3")
	b.want(r, session.StatusMissing, "of two rotations at once only one can win, or one session becomes two")
	lapsing := b.created(b.handle(session.Hash{}), "x")
	b.pass(11)
	_, r = b.move(lapsing, b.handle(session.Hash{}), "y")
	b.want(r, session.StatusLapsed, "a Move after the deadline brought the session back")
}

func moveHeedsLimit(b *bench) {
	mine := b.owner()
	b.create(b.limited(mine, "1", session.Reject))
	b.pass(1)
	b.create(b.limited(mine, "2", session.Reject))
	guest := b.created(b.handle(session.Hash{}), "guest")
	w := b.limited(mine, "3", session.Reject)
	w.Rev = guest.Rev
	b.want(b.must(b.store.Move(b.ctx(), guest.StoreHandle, w)), session.StatusOverLimit, "logging in is one more session of the user")
	b.want(b.peek(guest.StoreHandle), session.StatusDone, "a refused Move must leave the old record alone")
	w.WhenFull = session.EvictOldest
	r := b.must(b.store.Move(b.ctx(), guest.StoreHandle, w))
	b.want(r, session.StatusDone, "evicting makes room")
	if got := b.list(mine); len(r.Evicted) != 1 || len(got) != 2 {
		b.Errorf("evicted %v and left %v, want one gone and two there", r.Evicted, got)
	}
}

func moveWithinOwner(b *bench) {
	mine := b.owner()
	first := b.create(b.limited(mine, "1", session.Reject)).Record
	b.create(b.limited(mine, "2", session.Reject))
	w := b.limited(mine, "1 moved", session.Reject)
	w.Rev = first.Rev
	b.want(b.must(b.store.Move(b.ctx(), first.StoreHandle, w)), session.StatusDone, "rotating an id at the limit is not one more session")
	if got := b.list(mine); len(got) != 2 || got[w.Hash] != "1 moved" {
		b.Errorf("the owner has %v, want two, one of them moved", got)
	}
}
