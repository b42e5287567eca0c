// SPDX-License-Identifier: MIT

package sessiontest

import (
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func leaseCases() []conformanceCase {
	return []conformanceCase{
		{"ALeaseIsHeldByOne", leaseHeldByOne},
		{"RetakingTheOwnLeaseRenewsIt", leaseRetaken},
		{"ARenewalNeverTakesALostLease", leaseRenewal},
		{"SavesRespectTheLease", leaseSaves},
		{"ASaveWithALostLeaseIsRefused", leaseLostSave},
		{"AFreedLeaseIsFreeAtOnce", leaseFreed},
		{"CreateTakesTheLease", leaseOnCreate},
		{"RecreatedRecordsCarryNoLease", leaseRecreated},
		{"CreateWithoutALeaseFindsALeasedRecord", createOverLeased},
	}
}

func (b *bench) take(h session.StoreHandle, name string, units float64) session.StoreReply {
	b.Helper()
	return b.load(session.StoreLoad{StoreHandle: h, Lease: name, LeaseFor: time.Duration(units * float64(b.suite.unit()))})
}

func leaseHeldByOne(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	r := b.take(rec.StoreHandle, "anna", 4)
	b.want(r, session.StatusDone, "a free lease has to be given")
	b.wantPayload(r, "x", "lease and record come in one trip")
	r = b.take(rec.StoreHandle, "ben", 4)
	b.want(r, session.StatusLeased, "two handlers of one conversation would answer it twice")
	if r.Retry <= 0 || r.Retry > 4*b.suite.unit() {
		b.Errorf("Leased says to come back in %v, want the time that the lease has left (at most %v)", r.Retry, 4*b.suite.unit())
	}
	b.want(b.peek(rec.StoreHandle), session.StatusDone, "reading does not need the lease")
	b.pass(4.5)
	b.want(b.take(rec.StoreHandle, "ben", 2), session.StatusDone, "a lease whose holder died has to end by itself")
}

func leaseRetaken(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.want(b.take(rec.StoreHandle, "anna", 3), session.StatusDone, "a free lease has to be given")
	for range 3 {
		b.pass(2)
		b.want(b.take(rec.StoreHandle, "anna", 3), session.StatusDone, "the holder of a lease renews it by taking it again; a repeated call is a retry")
	}
	b.want(b.take(rec.StoreHandle, "ben", 3), session.StatusLeased, "a renewed lease was given to another caller")
}

func leaseRenewal(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	renew := session.StoreLoad{StoreHandle: rec.StoreHandle, Lease: "anna", LeaseFor: 2 * b.suite.unit(), Held: true, Bare: true}
	b.want(b.load(renew), session.StatusLeased, "a renewal of a lease that was never taken has to say that it is lost")
	b.want(b.take(rec.StoreHandle, "anna", 2), session.StatusDone, "a free lease has to be given")
	b.want(b.load(renew), session.StatusDone, "a renewal by the holder has to work")
	b.pass(2.5)
	b.want(b.load(renew), session.StatusLeased, "after a gap another caller may have been at work: a renewal must not hide that")
}

func leaseSaves(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	b.want(b.take(rec.StoreHandle, "anna", 8), session.StatusDone, "a free lease has to be given")
	b.want(b.save(rec, "ben's"), session.StatusLeased, "a Save by another caller changed a session under its exclusive handler")
	w := b.write(rec.StoreHandle, "anna's")
	w.Rev, w.Lease = rec.Rev, "anna"
	r := b.must(b.store.Save(b.ctx(), w))
	b.want(r, session.StatusDone, "the holder may save")
	b.want(b.take(rec.StoreHandle, "ben", 1), session.StatusLeased, "a Save without Free gave the lease back")
	w = b.over(r.Record, rec.StoreHandle, "anna's last")
	w.Lease, w.Free = "anna", true
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusDone, "the holder may save")
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusDone, "a client that lost the reply repeats the call: the lease that this very Save gave back is not missing")
	r = b.take(rec.StoreHandle, "ben", 1)
	b.want(r, session.StatusDone, "a Save with Free gives the lease back in the same step")
	b.wantPayload(r, "anna's last", "the next handler sees what the last one saved")
	theirs := b.write(rec.StoreHandle, "ben's")
	theirs.Rev, theirs.Lease = r.Record.Rev, "ben"
	b.want(b.must(b.store.Save(b.ctx(), theirs)), session.StatusDone, "the holder may save")
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusDone, "a handler that lost the reply to its last Save has not lost its lease, whatever caller has it since")
}

func leaseLostSave(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	b.want(b.take(rec.StoreHandle, "anna", 1), session.StatusDone, "a free lease has to be given")
	b.pass(1.5)
	w := b.write(rec.StoreHandle, "late")
	w.Rev, w.Lease = rec.Rev, "anna"
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusLeased, "a handler that was slower than its lease must not save")
	b.want(b.take(rec.StoreHandle, "ben", 4), session.StatusDone, "a lease whose holder died has to end by itself")
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusLeased, "a handler that lost its lease must not save")
	b.wantPayload(b.peek(rec.StoreHandle), "0", "a refused Save must write nothing")
}

func leaseFreed(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.want(b.take(rec.StoreHandle, "anna", 8), session.StatusDone, "a free lease has to be given")
	b.want(b.take(rec.StoreHandle, "carl", 0), session.StatusDone, "giving back what one does not hold is no failure")
	b.want(b.take(rec.StoreHandle, "ben", 1), session.StatusLeased, "another caller gave back a lease that was not theirs")
	b.want(b.take(rec.StoreHandle, "anna", 0), session.StatusDone, "LeaseFor 0 gives the lease back")
	b.want(b.take(rec.StoreHandle, "ben", 1), session.StatusDone, "a lease that was given back is free")
}

func leaseOnCreate(b *bench) {
	w := b.write(b.handle(session.Hash{}), "x")
	w.Lease, w.LeaseFor = "anna", 8*b.suite.unit()
	b.want(b.create(w), session.StatusDone, "creating a record under a fresh hash has to work")
	b.want(b.create(w), session.StatusDone, "a client that lost the reply repeats the call")
	other := b.write(w.StoreHandle, "y")
	other.Lease, other.LeaseFor = "ben", 8*b.suite.unit()
	b.want(b.create(other), session.StatusLeased, "a conversation that is being handled was opened a second time")
	b.want(b.take(w.StoreHandle, "anna", 0), session.StatusDone, "LeaseFor 0 gives the lease back")
	r := b.create(other)
	b.want(r, session.StatusExists, "Create over a record that exists takes its lease")
	b.wantPayload(r, "x", "Exists carries what is there")
	b.want(b.take(w.StoreHandle, "anna", 1), session.StatusLeased, "Create over a record that exists did not take its lease")
}

func leaseRecreated(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "x")
	b.want(b.take(rec.StoreHandle, "anna", 20), session.StatusDone, "a free lease has to be given")
	b.remove(session.StoreRemove{Handles: []session.Hash{rec.Hash}})
	fresh := b.created(rec.StoreHandle, "y")
	b.want(b.save(fresh, "z"), session.StatusDone, "a new session inherited the lease of the deleted one")
}

func createOverLeased(b *bench) {
	w := b.write(b.handle(session.Hash{}), "x")
	w.Lease, w.LeaseFor = "anna", 8*b.suite.unit()
	b.want(b.create(w), session.StatusDone, "creating a record under a fresh hash has to work")
	r := b.create(b.write(w.StoreHandle, "y"))
	b.want(r, session.StatusExists, "reading a conversation does not need its lease, whether by Load or by Create")
	b.wantPayload(r, "x", "Exists carries what is there")
	b.want(b.take(w.StoreHandle, "ben", 1), session.StatusLeased, "a Create without a lease took another caller's away")
}
