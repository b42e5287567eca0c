// SPDX-License-Identifier: MIT

package sessiontest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// bench is one case at work: a store, a space of its own, and calls that stop
// the case when the store does not answer.
type bench struct {
	testing.TB
	suite *suite
	store session.Store
	space string
	idle  time.Duration
	total time.Duration

	began  time.Time
	passed time.Duration // what the case has waited for since
	late   time.Duration // how far the clock was ahead of that at most
}

func newBench(t testing.TB, s *suite, store session.Store) *bench {
	return &bench{
		TB: t, suite: s, store: store, space: fmt.Sprintf("case%x", rand.Uint64()),
		idle: 10 * s.unit(), total: 30 * s.unit(), began: time.Now(),
	}
}

// ctx bounds one call, so that a store that hangs fails its case.
func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	b.Cleanup(cancel)
	return ctx
}

// pass lets n units of time go by. Real stores have clocks of their own:
// there is nothing to wait for but time.
func (b *bench) pass(n float64) {
	b.look()
	d := time.Duration(n * float64(b.suite.unit()))
	time.Sleep(d)
	b.passed += d
}

// look notes how late it is.
func (b *bench) look() { b.late = max(b.late, time.Since(b.began)-b.passed) }

// slipped reports whether the case has been so late that a deadline may have
// passed before its time. A little less than half a unit is enough for that:
// stores round.
func (b *bench) slipped() bool {
	b.look()
	return b.late > 2*b.suite.unit()/5
}

// handle returns a fresh handle whose hash begins with the owner's partition.
func (b *bench) handle(owner session.Hash) session.StoreHandle {
	h := session.StoreHandle{Space: b.space, Owner: owner}
	for i := range h.Hash {
		h.Hash[i] = byte(rand.Uint32())
	}
	if owner != (session.Hash{}) {
		h.Hash[0] = owner[0]
	}
	return h
}

func (b *bench) owner() session.Hash { return b.handle(session.Hash{}).Hash }

func (b *bench) write(h session.StoreHandle, payload string) session.StoreWrite {
	return session.StoreWrite{
		StoreRecord: session.StoreRecord{StoreHandle: h, Payload: []byte(payload), Idle: b.idle},
		Nonce:       rand.Uint64() | 1, Total: b.total, Keep: time.Hour,
	}
}

func (b *bench) create(w session.StoreWrite) session.StoreReply {
	b.Helper()
	return b.must(b.store.Create(b.ctx(), w))
}

// created makes a record that has to be new.
func (b *bench) created(h session.StoreHandle, payload string) session.StoreRecord {
	b.Helper()
	r := b.create(b.write(h, payload))
	b.want(r, session.StatusDone, "creating a record under a fresh hash has to work")
	return r.Record
}

func (b *bench) load(l session.StoreLoad) session.StoreReply {
	b.Helper()
	return b.must(b.store.Load(b.ctx(), l))
}

func (b *bench) peek(h session.StoreHandle) session.StoreReply {
	b.Helper()
	return b.load(session.StoreLoad{StoreHandle: h})
}

func (b *bench) touch(h session.StoreHandle) session.StoreReply {
	b.Helper()
	return b.load(session.StoreLoad{StoreHandle: h, Touch: true})
}

// over is a write of payload at h over the revision of rec.
func (b *bench) over(rec session.StoreRecord, h session.StoreHandle, payload string) session.StoreWrite {
	w := b.write(h, payload)
	w.Rev = rec.Rev
	return w
}

// save writes payload over the revision of rec.
func (b *bench) save(rec session.StoreRecord, payload string) session.StoreReply {
	b.Helper()
	return b.must(b.store.Save(b.ctx(), b.over(rec, rec.StoreHandle, payload)))
}

func (b *bench) remove(d session.StoreRemove) int {
	b.Helper()
	return len(b.removed(d).Removed)
}

func (b *bench) removed(d session.StoreRemove) session.StoreRemoved {
	b.Helper()
	d.Space = b.space
	r, err := b.store.Delete(b.ctx(), d)
	if err != nil {
		b.Fatalf("Delete: the store did not answer: %v", err)
	}
	if r.Incomplete {
		b.Fatal("Delete says that records may be missing in an index, although none was lost")
	}
	return r
}

func (b *bench) claim(c session.StoreClaim) session.StoreClaimed {
	b.Helper()
	c.Space = b.space
	if c.Max == 0 {
		c.Max = 100
	}
	got, err := b.store.Claim(b.ctx(), c)
	if err != nil {
		b.Fatalf("Claim: the store did not answer: %v", err)
	}
	return got
}

// due claims the one record that is due.
func (b *bench) due(c session.StoreClaim) session.StoreDue {
	b.Helper()
	due := b.claim(c).Due
	if len(due) != 1 {
		b.Fatalf("due are %+v, want one", due)
	}
	return due[0]
}

func (b *bench) settle(s ...session.StoreSettle) {
	b.Helper()
	got, err := b.store.Claim(b.ctx(), session.StoreClaim{Space: b.space, Settle: s})
	if err != nil || len(got.Due) > 0 {
		b.Fatalf("a Claim that only settles answered %+v, %v, want nothing", got, err)
	}
}

func (b *bench) count() session.StoreCount {
	b.Helper()
	c, err := b.store.Count(b.ctx(), b.space)
	if err != nil {
		b.Fatalf("Count: the store did not answer: %v", err)
	}
	return c
}

func (b *bench) list(owner session.Hash) map[session.Hash]string {
	b.Helper()
	got := map[session.Hash]string{}
	for rec, err := range b.store.List(b.ctx(), session.StoreList{Space: b.space, Owner: owner}) {
		if err != nil {
			b.Fatalf("List: the store did not answer: %v", err)
		}
		got[rec.Hash] = string(rec.Payload)
	}
	return got
}

func (b *bench) must(r session.StoreReply, err error) session.StoreReply {
	b.Helper()
	if err != nil {
		b.Fatalf("the store did not answer: %v", err)
	}
	if r.Retry != 0 && r.Status != session.StatusLeased {
		b.Fatalf("answered %v with Retry %v, which belongs to leased", r.Status, r.Retry)
	}
	if r.Touched && r.Status != session.StatusDone && r.Status != session.StatusExists {
		b.Fatalf("answered %v and Touched, though nothing was touched", r.Status)
	}
	return r
}

// want fails the case unless the reply has the status; why says what breaks
// for users otherwise.
func (b *bench) want(r session.StoreReply, status session.StoreStatus, why string) {
	b.Helper()
	if r.Status != status {
		b.Fatalf("answered %v, want %v: %s", r.Status, status, why)
	}
}

func (b *bench) wantPayload(r session.StoreReply, payload, why string) {
	b.Helper()
	if string(r.Record.Payload) != payload {
		b.Fatalf("payload %q, want %q: %s", r.Record.Payload, payload, why)
	}
}

// gone reports whether a reply says that the record cannot be had, be it
// because it lapsed or because it is not there any more.
func gone(r session.StoreReply) bool {
	return r.Status == session.StatusLapsed || r.Status == session.StatusMissing
}
