// SPDX-License-Identifier: MIT

package sessiontest

import (
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// damageCases are those for which the store's test gives the means.
func damageCases(s *suite) []conformanceCase {
	var list []conformanceCase
	if s.corrupt != nil {
		list = append(list,
			conformanceCase{"ABrokenRecordIsReportedOnceAndGone", brokenLoad},
			conformanceCase{"ABrokenRecordBlocksNoSave", brokenSave},
			conformanceCase{"ABrokenRecordBlocksNoCreate", brokenCreate},
			conformanceCase{"ABrokenRecordCanBeDeleted", brokenDelete},
			conformanceCase{"ABrokenRecordBlocksNoClaim", brokenClaim},
			conformanceCase{"ABrokenRecordBlocksNoList", brokenList},
		)
	}
	if s.vanish != nil {
		list = append(list, conformanceCase{"AVanishedRecordIsReportedAndForgotten", vanished})
	}
	return list
}

// damaged creates a record and makes it unreadable.
func (b *bench) damaged(owner session.Hash) session.StoreRecord {
	b.Helper()
	rec := b.created(b.handle(owner), "precious")
	b.suite.corrupt(b.TB, b.store, rec.StoreHandle)
	return rec
}

func (b *bench) wantBroken(r session.StoreReply) {
	b.Helper()
	b.want(r, session.StatusBroken, "bytes that changed in the store must not be served as a session")
	if r.Reason != session.ReasonCorrupted && r.Reason != session.ReasonInvalidFormat {
		b.Errorf("Broken for %v, want corrupted or invalid_format", r.Reason)
	}
}

func brokenLoad(b *bench) {
	rec := b.damaged(session.Hash{})
	b.wantBroken(b.touch(rec.StoreHandle))
	b.want(b.touch(rec.StoreHandle), session.StatusMissing, "a broken record that stays makes its user's every request fail, and is counted each time")
	b.created(rec.StoreHandle, "fresh")
	if c := b.count(); c.Active != 1 {
		b.Errorf("counted %+v, want the fresh one only", c)
	}
}

func brokenSave(b *bench) {
	rec := b.damaged(session.Hash{})
	b.wantBroken(b.save(rec, "new"))
	b.want(b.save(rec, "new"), session.StatusMissing, "after a broken record was reported it is gone, and a Save creates nothing")
}

func brokenCreate(b *bench) {
	rec := b.damaged(session.Hash{})
	w := b.write(rec.StoreHandle, "fresh")
	b.wantBroken(b.create(w))
	b.want(b.create(w), session.StatusDone, "a broken record locks its conversation for ever")
	b.wantPayload(b.peek(rec.StoreHandle), "fresh", "the new session has to be the one that is read")
}

func brokenDelete(b *bench) {
	rec := b.damaged(session.Hash{})
	if n := b.remove(session.StoreRemove{Handles: []session.Hash{rec.Hash}}); n != 1 {
		b.Errorf("Delete of a broken record says %d, want 1: deleting must not read", n)
	}
	b.want(b.peek(rec.StoreHandle), session.StatusMissing, "a deleted record is still there")
}

func brokenClaim(b *bench) {
	first := b.damaged(session.Hash{})
	b.pass(0.5)
	healthy := b.created(b.handle(session.Hash{}), "healthy")
	b.pass(11)
	reasons := map[session.Hash]session.EndReason{}
	for _, d := range b.claim(session.StoreClaim{For: time.Minute, Payload: true}).Due {
		reasons[d.Hash] = d.Reason
	}
	if c, ok := reasons[first.Hash]; !ok || (c != session.ReasonCorrupted && c != session.ReasonInvalidFormat) {
		b.Errorf("the broken record is reported as %v (%v), want corrupted or invalid_format", c, ok)
	}
	if c, ok := reasons[healthy.Hash]; !ok || c != session.ReasonIdle {
		b.Errorf("the healthy record behind the broken one is reported as %v (%v): one unreadable record blocks the cleanup", c, ok)
	}
	if c := b.count(); c.Backlog != 1 {
		b.Errorf("the backlog counts %d, want only the healthy one that is not settled", c.Backlog)
	}
}

func brokenList(b *bench) {
	mine := b.owner()
	b.damaged(mine)
	b.created(b.handle(mine), "healthy")
	if got := b.list(mine); len(got) != 1 {
		b.Errorf("listed %v, want the healthy one", got)
	}
}

func vanished(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.suite.vanish(b.TB, b.store, rec.StoreHandle)
	b.want(b.peek(rec.StoreHandle), session.StatusMissing, "a record that is not there is missing")
	b.pass(11)
	due := b.claim(session.StoreClaim{For: time.Minute, Payload: true}).Due
	if len(due) != 1 || due[0].Reason != session.ReasonVanished {
		b.Fatalf("due are %+v, want one that vanished: losing records to eviction must be seen", due)
	}
	if c := b.count(); c.Active != 0 || c.Backlog != 0 {
		b.Errorf("counted %+v: the index still counts a record that is gone", c)
	}
}
