// SPDX-License-Identifier: MIT

package sessiontest

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func lineCases() []conformanceCase {
	return []conformanceCase{
		{"TheLineIsServedInOrder", lineInOrder},
		{"ANewcomerGoesToTheEndOfTheLine", lineNewcomer},
		{"AskingAgainKeepsThePlace", lineAskedAgain},
		{"AWaiterThatGivesUpLeavesNothing", lineGivenUp},
		{"AWaiterThatGivesUpItsTurnPassesItOn", lineTurnGivenUp},
		{"ATurnThatIsNotTakenIsTheNextOnes", lineTurnNotTaken},
		{"ALeaseThatRanOutGoesToTheLine", lineAfterLapse},
		{"ADeletedRecordsLineIsServed", lineAfterDelete},
		{"AnExpiredRecordsLineGoesOn", lineAfterExpiry},
		{"LinesOfRecordsAreApart", linesApart},
	}
}

// claimant is one who wants the lease of a record.
type claimant struct {
	b     *bench
	h     session.StoreHandle
	name  string
	turns chan struct{}
}

func (b *bench) claimant(h session.StoreHandle, name string) *claimant {
	c := &claimant{b: b, h: h, name: name, turns: make(chan struct{}, 1)}
	b.Cleanup(func() { _, _ = c.leave(context.Background()) })
	return c
}

func (c *claimant) leave(ctx context.Context) (session.StoreReply, error) {
	return c.b.store.Load(ctx, session.StoreLoad{StoreHandle: c.h, Lease: c.name, Bare: true})
}

func (c *claimant) turn() {
	select {
	case c.turns <- struct{}{}:
	default:
	}
}

func (c *claimant) ask() session.StoreReply {
	c.b.Helper()
	return c.b.load(session.StoreLoad{StoreHandle: c.h, Lease: c.name, LeaseFor: 40 * c.b.suite.unit(), Turn: c.turn})
}

func (c *claimant) wants(status session.StoreStatus, why string) {
	c.b.Helper()
	c.b.want(c.ask(), status, c.name+": "+why)
}

func (c *claimant) free() {
	c.b.Helper()
	c.b.must(c.leave(c.b.ctx()))
}

// called waits until it is the claimant's turn.
func (c *claimant) called(why string) {
	c.b.Helper()
	began := time.Now()
	select {
	case <-c.turns:
	case <-time.After(10 * time.Second):
		c.b.Fatalf("%s was not called within 10 s: %s", c.name, why)
	}
	c.b.passed += time.Since(began)
}

// line has names wait for the lease of a new record that anna holds.
func (b *bench) line(names ...string) (anna *claimant, waiting []*claimant) {
	b.Helper()
	w := b.write(b.handle(session.Hash{}), "x")
	w.Idle, w.Total = time.Hour, time.Hour
	b.want(b.create(w), session.StatusDone, "creating a record under a fresh hash has to work")
	h := w.StoreHandle
	anna = b.claimant(h, "anna")
	anna.wants(session.StatusDone, "a free lease has to be given")
	for _, name := range names {
		c := b.claimant(h, name)
		c.wants(session.StatusLeased, "two handlers of one conversation would answer it twice")
		waiting = append(waiting, c)
	}
	return anna, waiting
}

func lineInOrder(b *bench) {
	anna, line := b.line("ben", "carl", "dora")
	anna.free()
	for i, c := range line {
		c.called("the lease is free, and it is the first of those who wait")
		for _, later := range line[i+1:] {
			later.wants(session.StatusLeased, "it was let in before its turn")
		}
		c.wants(session.StatusDone, "it is its turn")
		w := b.write(c.h, c.name)
		w.Rev, w.Lease, w.Free = b.peek(c.h).Record.Rev, c.name, true
		b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusDone, "the holder may save")
	}
	b.claimant(anna.h, "emil").wants(session.StatusDone, "all have been served")
}

func lineNewcomer(b *bench) {
	anna, line := b.line("ben")
	anna.free()
	zoe := b.claimant(anna.h, "zoe")
	zoe.wants(session.StatusLeased, "a newcomer took the lease from one who waited")
	b.want(b.take(anna.h, "yves", 1), session.StatusLeased, "one who does not wait took the lease from one who waited")
	line[0].called("the lease is free")
	line[0].wants(session.StatusDone, "it is its turn")
	line[0].free()
	zoe.called("the lease is free")
	zoe.wants(session.StatusDone, "it is its turn")
}

func lineAskedAgain(b *bench) {
	anna, line := b.line("ben", "carl")
	line[0].wants(session.StatusLeased, "the lease is held")
	anna.free()
	line[0].called("who asks again keeps the place, as after a lost reply")
	line[0].wants(session.StatusDone, "it is its turn")
	line[0].wants(session.StatusDone, "the holder of a lease renews it by taking it again; a repeated call is a retry")
	line[0].free()
	line[1].called("the lease is free")
}

func lineGivenUp(b *bench) {
	anna, line := b.line("ben", "carl")
	line[0].free()
	anna.free()
	line[1].called("the one before it has given up")
	line[1].wants(session.StatusDone, "it is its turn")
	line[1].free()
	b.claimant(anna.h, "dora").wants(session.StatusDone, "a waiter that has given up keeps its place")
}

func lineTurnGivenUp(b *bench) {
	anna, line := b.line("ben", "carl")
	anna.free()
	line[0].called("the lease is free")
	line[0].free()
	line[1].called("the one before it has given up its turn")
	line[1].wants(session.StatusDone, "it is its turn")
}

func lineTurnNotTaken(b *bench) {
	anna, line := b.line("ben", "carl")
	anna.free()
	line[0].called("the lease is free")
	line[1].called("the one before it did not take the lease within StoreTurnTime")
	line[1].wants(session.StatusDone, "it is its turn")
	line[0].wants(session.StatusLeased, "its turn is over")
	line[1].free()
	line[0].called("who asks after its turn waits at the end of the line")
	line[0].wants(session.StatusDone, "it is its turn")
}

func lineAfterLapse(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.want(b.take(rec.StoreHandle, "anna", 3), session.StatusDone, "a free lease has to be given")
	ben := b.claimant(rec.StoreHandle, "ben")
	ben.wants(session.StatusLeased, "the lease is held")
	b.pass(2)
	ben.wants(session.StatusLeased, "the lease has not ended yet")
	ben.called("the lease has ended by itself, as of a process that died")
	ben.wants(session.StatusDone, "it is its turn")
}

func lineAfterDelete(b *bench) {
	anna, line := b.line("ben", "carl")
	b.remove(session.StoreRemove{Handles: []session.Hash{anna.h.Hash}})
	line[0].called("the lease went with the record")
	line[0].wants(session.StatusMissing, "the record is gone")
	create := b.write(anna.h, "ben's")
	create.Lease, create.LeaseFor, create.Turn = "ben", 8*b.suite.unit(), line[0].turn
	b.want(b.create(create), session.StatusDone, "it is its turn to begin anew")
	line[1].wants(session.StatusLeased, "the conversation was begun anew by one before it")
	line[0].free()
	line[1].called("the lease is free")
	b.wantPayload(line[1].ask(), "ben's", "who comes next sees what was begun")
}

func lineAfterExpiry(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.want(b.take(rec.StoreHandle, "anna", 60), session.StatusDone, "a free lease has to be given")
	var line []*claimant
	for _, name := range []string{"ben", "carl", "dora"} {
		c := b.claimant(rec.StoreHandle, name)
		c.wants(session.StatusLeased, "the lease is held")
		line = append(line, c)
	}
	b.pass(10.5) // longer than the record lives, and less than the lease
	for i, c := range line {
		c.called("the record has lapsed, and its lease with it, or the one before has left")
		w := b.write(rec.StoreHandle, c.name)
		w.Lease, w.LeaseFor, w.Turn = c.name, 60*b.suite.unit(), c.turn
		w.Idle, w.Total = time.Hour, time.Hour
		if r := b.create(w); r.Status != session.StatusDone && r.Status != session.StatusExists {
			b.Fatalf("%s: answered %v, want the lease in its turn", c.name, r.Status)
		}
		for _, later := range line[i+1:] {
			later.wants(session.StatusLeased, "it was let in before its turn")
		}
		c.free()
	}
}

func linesApart(b *bench) {
	anna, line := b.line("ben")
	other, theirs := b.line("carl")
	anna.free()
	line[0].called("the lease is free")
	theirs[0].wants(session.StatusLeased, "its record is another one")
	other.free()
	theirs[0].called("the lease is free")
	theirs[0].wants(session.StatusDone, "it is its turn")
	line[0].wants(session.StatusDone, "it is its turn")
}
