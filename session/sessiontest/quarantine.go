// SPDX-License-Identifier: MIT

package sessiontest

import (
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// quarantineCases are those for stores that have one.
func quarantineCases(s *suite) []conformanceCase {
	list := []conformanceCase{
		{"SettledWithQuarantineIsKeptAside", settleQuarantine},
		{"ARestoredRecordThatLapsedIsDueAgain", restoreLapsed},
		{"WhatIsNotInQuarantineIsNotRestored", restoreNothing},
		{"TheQuarantineIsBoundedInBytes", quarantineIsBounded},
	}
	if s.corrupt != nil {
		list = append(list,
			conformanceCase{"ABrokenRecordIsQuarantinedOnRequest", brokenQuarantine},
			conformanceCase{"ARestoredRecordIsAsItWas", restoreLive},
			conformanceCase{"RestoreNeverOverwrites", restoreNeverOverwrites},
		)
	}
	for i := range list {
		run := list[i].run
		list[i].run = func(b *bench) {
			if _, ok := b.store.(session.StoreQuarantine); !ok {
				b.Logf("the store has no quarantine")
				return
			}
			run(b)
		}
	}
	return list
}

func (b *bench) quarantined() (all []session.Quarantined) {
	b.Helper()
	for q, err := range b.store.(session.StoreQuarantine).Quarantined(b.ctx(), b.space) {
		if err != nil {
			b.Fatalf("Quarantined: the store did not answer: %v", err)
		}
		all = append(all, q)
	}
	return all
}

func (b *bench) restore(id string) session.StoreStatus {
	b.Helper()
	status, err := b.store.(session.StoreQuarantine).Restore(b.ctx(), b.space, id)
	if err != nil {
		b.Fatalf("Restore: the store did not answer: %v", err)
	}
	return status
}

// putAside damages a live record, lets a Load move it to the quarantine and returns
// its entry.
func (b *bench) putAside(rec session.StoreRecord) session.Quarantined {
	b.Helper()
	b.suite.corrupt(b.TB, b.store, rec.StoreHandle)
	b.wantBroken(b.load(session.StoreLoad{StoreHandle: rec.StoreHandle, Quarantine: true}))
	all := b.quarantined()
	if len(all) != 1 || all[0].Hash != rec.Hash || all[0].ID == "" {
		b.Fatalf("in quarantine are %+v, want the record", all)
	}
	return all[0]
}

// givenUp creates a record that lapses, moves it to the quarantine as one that no
// call of OnExpire could handle, and returns its entry.
func (b *bench) givenUp(payload string) session.Quarantined {
	b.Helper()
	b.created(b.handle(session.Hash{}), payload)
	b.pass(11)
	due := b.due(session.StoreClaim{For: 2 * b.suite.unit(), Payload: true})
	b.settle(session.StoreSettle{StoreHandle: due.StoreHandle, Rev: due.Rev, Quarantine: true})
	all := b.quarantined()
	if len(all) != 1 {
		b.Fatalf("in quarantine are %+v, want the one that was given up", all)
	}
	return all[0]
}

func brokenQuarantine(b *bench) {
	q := b.putAside(b.created(b.handle(session.Hash{}), "precious"))
	b.want(b.peek(q.StoreHandle), session.StatusMissing, "a quarantined record is out of the way")
	if c := b.count(); c.Quarantined != 1 || c.Active != 0 {
		b.Errorf("counted %+v, want one in quarantine and none active", c)
	}
	if q.Space != b.space || len(q.Payload) == 0 {
		b.Errorf("in quarantine is %+v, want the broken record with its bytes", q)
	}
	if age := time.Since(q.At); age > time.Minute || age < -time.Minute {
		b.Errorf("it has been there for %v", age)
	}
	for range b.store.(session.StoreQuarantine).Quarantined(b.ctx(), b.space) {
		break // stopping early must be harmless
	}
}

func settleQuarantine(b *bench) {
	b.givenUp("x")
	if c := b.count(); c.Quarantined != 1 || c.Backlog != 0 {
		b.Errorf("counted %+v, want one in quarantine and no backlog", c)
	}
	b.pass(3)
	if n := len(b.claim(session.StoreClaim{For: time.Minute}).Due); n != 0 {
		b.Error("a quarantined record was reported again")
	}
}

func restoreLive(b *bench) {
	mine := b.owner()
	rec := b.created(b.handle(mine), "precious")
	b.want(b.take(rec.StoreHandle, "anna", 100), session.StatusDone, "a free lease has to be given")
	q := b.putAside(rec)
	got := b.restore(q.ID)
	if q.Rev == 0 && got == session.StatusBroken {
		return // the damage has left no record
	}
	if got != session.StatusDone {
		b.Fatalf("Restore answered %v, want done", got)
	}
	r := b.peek(rec.StoreHandle)
	b.want(r, session.StatusDone, "a restored record whose deadline has not passed is alive again")
	b.wantPayload(r, string(q.Payload), "a restored record has its payload")
	if r.Record.Rev != rec.Rev || !r.Record.CreatedAt.Equal(rec.CreatedAt) || !r.Record.ExpiresAt.Equal(rec.ExpiresAt) {
		b.Errorf("restored as %+v, want %+v", r.Record, rec)
	}
	if got := b.list(mine); len(got) != 1 {
		b.Errorf("its owner lists %v, want it", got)
	}
	b.want(b.save(rec, "new"), session.StatusDone, "a restored record can be saved, and no one holds its lease")
	if c := b.count(); c.Active != 1 || c.Quarantined != 0 {
		b.Errorf("counted %+v, want it active and the quarantine empty", c)
	}
	if got := b.restore(q.ID); got != session.StatusMissing {
		b.Errorf("a second Restore answered %v, want missing", got)
	}
}

func restoreNeverOverwrites(b *bench) {
	q := b.putAside(b.created(b.handle(session.Hash{}), "precious"))
	b.created(q.StoreHandle, "fresh")
	if got := b.restore(q.ID); got != session.StatusExists && (q.Rev != 0 || got != session.StatusBroken) {
		b.Errorf("Restore over a live record answered %v, want exists", got)
	}
	b.wantPayload(b.peek(q.StoreHandle), "fresh", "restoring an old record wiped out the one that took its place")
	if c := b.count(); c.Quarantined != 1 {
		b.Errorf("counted %+v, want the refused record still in quarantine", c)
	}
}

func restoreLapsed(b *bench) {
	q := b.givenUp("precious")
	fresh := b.created(q.StoreHandle, "fresh")
	if got := b.restore(q.ID); got != session.StatusDone {
		b.Fatalf("Restore answered %v, want done", got)
	}
	if c := b.count(); c.Active != 1 || c.Backlog != 1 || c.Quarantined != 0 {
		b.Errorf("counted %+v, want the fresh one active and the restored one in the backlog", c)
	}
	due := b.due(session.StoreClaim{For: time.Minute, Payload: true})
	if string(due.Payload) != "precious" || due.Rev != q.Rev || due.Attempt != 1 {
		b.Fatalf("due is %+v, want the restored one at its first attempt", due)
	}
	b.settle(session.StoreSettle{StoreHandle: due.StoreHandle, Rev: due.Rev})
	b.wantPayload(b.peek(fresh.StoreHandle), "fresh", "restoring an expired record harmed the one that took its place")
}

func restoreNothing(b *bench) {
	q := b.givenUp("x")
	for _, id := range []string{"", "x", q.ID[1:], q.ID + "00"} {
		if got := b.restore(id); got != session.StatusMissing {
			b.Errorf("Restore of %q answered %v, want missing", id, got)
		}
	}
}

// All records are of one partition, and no store keeps 64 MiB.
func quarantineIsBounded(b *bench) {
	const size = 4 << 20
	h, payload := b.handle(session.Hash{}), string(make([]byte, size))
	for range 16 {
		h.Hash[1]++
		b.created(h, payload)
	}
	b.pass(11)
	for {
		due := b.claim(session.StoreClaim{For: time.Minute, Payload: true}).Due
		if len(due) == 0 {
			break
		}
		for _, d := range due {
			b.settle(session.StoreSettle{StoreHandle: d.StoreHandle, Rev: d.Rev, Quarantine: true})
		}
	}
	if n := b.count().Quarantined; n > 15 {
		b.Errorf("%d records of 4 MiB are in quarantine: damage fills the memory of the store", n)
	}
}
