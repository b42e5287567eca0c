// SPDX-License-Identifier: MIT

package sessiontest

import (
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func lifetimeCases() []conformanceCase {
	return []conformanceCase{
		{"RecordsLapseWhenIdle", lapseWhenIdle},
		{"TouchMovesTheIdleDeadline", touchMoves},
		{"PeekLeavesTheDeadlineAlone", peekLeaves},
		{"TouchesAreThrottled", touchesAreThrottled},
		{"TouchKeepsTheRevision", touchKeepsRevision},
		{"SaveMovesTheIdleDeadline", saveMoves},
		{"TheRecordsOwnIdleTimeoutCounts", ownIdle},
		{"NothingOutlivesTheAbsoluteDeadline", absoluteDeadline},
		{"WithoutTotalThereIsNoAbsoluteDeadline", noAbsoluteDeadline},
		{"NothingRevivesALapsedRecord", nothingRevives},
		{"CreateTakesTheLapsedOnesPlace", createOverLapsed},
	}
}

func lapseWhenIdle(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.pass(9)
	b.want(b.peek(rec.StoreHandle), session.StatusDone, "it lapsed before its idle timeout")
	b.pass(1.5)
	b.want(b.peek(rec.StoreHandle), session.StatusLapsed, "it is served although its idle timeout has passed")
	if n := b.count().Active; n != 0 {
		b.Errorf("a lapsed record is counted as active (%d)", n)
	}
}

func touchMoves(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	for range 2 {
		b.pass(6)
		r := b.touch(rec.StoreHandle)
		b.want(r, session.StatusDone, "a touched record lapsed although it was never idle for long")
		if !r.Touched {
			b.Fatal("a touch without throttling was not written")
		}
		if got := r.Record.ExpiresAt.Sub(r.Record.LastActivity); got != b.idle {
			b.Fatalf("it expires %v after the touch, want %v", got, b.idle)
		}
		if !r.Record.CreatedAt.Equal(rec.CreatedAt) || !r.Record.Deadline.Equal(rec.Deadline) {
			b.Fatal("a touch moved the creation or the absolute deadline")
		}
	}
}

func peekLeaves(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.pass(6)
	r := b.peek(rec.StoreHandle)
	b.want(r, session.StatusDone, "it lapsed before its idle timeout")
	if r.Touched || !r.Record.LastActivity.Equal(rec.LastActivity) {
		b.Error("a Load without Touch moved the last activity")
	}
	b.pass(5)
	b.want(b.peek(rec.StoreHandle), session.StatusLapsed, "a Load without Touch kept it alive: monitoring would make sessions immortal")
}

func touchesAreThrottled(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	l := session.StoreLoad{StoreHandle: rec.StoreHandle, Touch: true, TouchEvery: 4 * b.suite.unit()}
	b.pass(2)
	r := b.load(l)
	if r.Touched || !r.Record.ExpiresAt.Equal(rec.ExpiresAt) {
		b.Error("a touch within TouchEvery of the last one was written: each read costs a write")
	}
	b.pass(3)
	if r = b.load(l); !r.Touched || !r.Record.LastActivity.After(rec.LastActivity) {
		b.Error("a touch later than TouchEvery was not written: the session would lapse under its user")
	}
}

func touchKeepsRevision(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	b.pass(1)
	if r := b.touch(rec.StoreHandle); r.Record.Rev != rec.Rev {
		b.Fatal("a touch changed the revision: every read would make another caller's Save fail")
	}
	b.want(b.save(rec, "1"), session.StatusDone, "a touch made a Save stale")
}

func saveMoves(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.pass(6)
	r := b.save(rec, "y")
	b.want(r, session.StatusDone, "a Save at the current revision has to work")
	if !r.Record.LastActivity.After(rec.LastActivity) || r.Record.ExpiresAt.Sub(r.Record.LastActivity) != b.idle {
		b.Errorf("a Save is activity, but the record has %+v", r.Record)
	}
	if !r.Record.CreatedAt.Equal(rec.CreatedAt) || !r.Record.Deadline.Equal(rec.Deadline) {
		b.Error("a Save moved the creation or the absolute deadline")
	}
	b.pass(6)
	b.want(b.peek(rec.StoreHandle), session.StatusDone, "a Save did not move the idle deadline")
}

func ownIdle(b *bench) {
	w := b.write(b.handle(session.Hash{}), "x")
	w.Idle = 4 * b.suite.unit()
	rec := b.create(w).Record
	if rec.Idle != w.Idle || rec.ExpiresAt.Sub(rec.CreatedAt) != w.Idle {
		b.Errorf("created %+v, want an idle timeout of %v", rec, w.Idle)
	}
	later := b.write(rec.StoreHandle, "y")
	later.Rev, later.Idle = rec.Rev, b.total
	r := b.must(b.store.Save(b.ctx(), later))
	b.want(r, session.StatusDone, "a Save at the current revision has to work")
	if r.Record.Idle != w.Idle || r.Record.ExpiresAt.Sub(r.Record.LastActivity) != w.Idle {
		b.Errorf("a Save with another timeout left %+v, want the record's own: managers with different timeouts share it", r.Record)
	}
	b.pass(3)
	r = b.load(session.StoreLoad{StoreHandle: rec.StoreHandle, Touch: true, TouchEvery: time.Hour})
	if !r.Touched || r.Record.Idle != w.Idle {
		b.Errorf("a touch after most of the record's own idle timeout answered %+v: a session in use would end", r)
	}
	b.pass(3)
	b.want(b.peek(rec.StoreHandle), session.StatusDone, "it lapsed before its own idle timeout")
	b.pass(1.5)
	b.want(b.peek(rec.StoreHandle), session.StatusLapsed, "it is served although its own idle timeout has passed")
}

func absoluteDeadline(b *bench) {
	b.idle, b.total = 4*b.suite.unit(), 10*b.suite.unit()
	rec := b.created(b.handle(session.Hash{}), "x")
	for range 3 {
		b.pass(3)
		r := b.touch(rec.StoreHandle)
		b.want(r, session.StatusDone, "it lapsed before its absolute deadline although it was in use")
		if r.Record.ExpiresAt.After(rec.Deadline) {
			b.Fatalf("it expires %v after its absolute deadline", r.Record.ExpiresAt.Sub(rec.Deadline))
		}
	}
	b.pass(2) // 11 of 10
	b.want(b.touch(rec.StoreHandle), session.StatusLapsed, "touching keeps it alive for ever: a stolen session would never end")
	due := b.claim(session.StoreClaim{For: time.Minute}).Due
	if len(due) != 1 || due[0].Reason != session.ReasonAbsolute {
		b.Errorf("its end is reported as %+v, want one with reason absolute", due)
	}
}

func noAbsoluteDeadline(b *bench) {
	b.idle, b.total = 3*b.suite.unit(), 0
	rec := b.created(b.handle(session.Hash{}), "x")
	if !rec.Deadline.IsZero() {
		b.Errorf("without Total the absolute deadline is %v, want none", rec.Deadline)
	}
	for range 4 {
		b.pass(2)
		b.want(b.touch(rec.StoreHandle), session.StatusDone, "it ended although it has no absolute deadline and was in use")
	}
	b.pass(4)
	b.want(b.touch(rec.StoreHandle), session.StatusLapsed, "the idle timeout counts also without an absolute deadline")
}

func nothingRevives(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.pass(11)
	b.want(b.touch(rec.StoreHandle), session.StatusLapsed, "a touch after the deadline brought the session back")
	b.want(b.save(rec, "y"), session.StatusLapsed, "a Save after the deadline brought the session back")
	b.due(session.StoreClaim{For: time.Minute, Payload: true})
	if r := b.touch(rec.StoreHandle); !gone(r) {
		b.Fatalf("a touch after the claim answered %v: the session lives on although its end is being handled", r.Status)
	}
	if r := b.save(rec, "z"); !gone(r) {
		b.Fatalf("a Save after the claim answered %v: the session lives on although its end is being handled", r.Status)
	}
}

func createOverLapsed(b *bench) {
	old := b.created(b.handle(session.Hash{}), "old")
	b.pass(11)
	fresh := b.create(b.write(old.StoreHandle, "new"))
	b.want(fresh, session.StatusDone, "a guest who comes back after the timeout gets a new session")
	b.wantPayload(b.peek(old.StoreHandle), "new", "the new session has to be the one that is read")
	c := b.count()
	if c.Active != 1 || c.Backlog != 1 {
		b.Errorf("counted %+v, want the new one active and the old one in the backlog", c)
	}
	due := b.claim(session.StoreClaim{For: time.Minute, Payload: true}).Due
	if len(due) != 1 || string(due[0].Payload) != "old" || due[0].Rev != old.Rev {
		b.Fatalf("due are %+v, want the old record: its expiry must not be lost because a new session was quicker than the cleanup", due)
	}
	b.settle(session.StoreSettle{StoreHandle: due[0].StoreHandle, Rev: due[0].Rev})
	b.wantPayload(b.peek(old.StoreHandle), "new", "settling the old record removed the new one")
}
