// SPDX-License-Identifier: MIT

package sessiontest

import (
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func cleanupCases() []conformanceCase {
	return []conformanceCase{
		{"ClaimFindsOnlyWhatIsDue", claimOnlyDue},
		{"ClaimWithoutPayloadRemoves", claimRemoves},
		{"ClaimIsOldestFirst", claimOldestFirst},
		{"AClaimIsOneCallersUntilItRunsOut", claimIsExclusive},
		{"SettledWithRetryComesBackLater", settleRetry},
		{"ManyCleanersShareTheWork", manyCleaners},
		{"CountHasActiveAndBacklog", countHas},
		{"ANewRecordRemovesWhatNoClaimCameForInTime", createForgets},
	}
}

func claimOnlyDue(b *bench) {
	b.created(b.handle(session.Hash{}), "old")
	b.pass(6)
	young := b.created(b.handle(session.Hash{}), "young")
	if got := b.claim(session.StoreClaim{For: time.Minute}); len(got.Due) != 0 {
		b.Fatalf("%d records are due although none has lapsed", len(got.Due))
	}
	b.pass(5)
	got := b.claim(session.StoreClaim{For: time.Minute})
	if len(got.Due) != 1 || got.Due[0].Reason != session.ReasonIdle {
		b.Fatalf("due are %+v, want the old one, ended idle", got.Due)
	}
	b.want(b.peek(young.StoreHandle), session.StatusDone, "the cleanup took a live session")
}

func claimRemoves(b *bench) {
	rec := b.created(b.handle(b.owner()), "x")
	b.pass(11)
	due := b.claim(session.StoreClaim{For: time.Minute}).Due
	if len(due) != 1 || due[0].Hash != rec.Hash {
		b.Fatalf("due are %+v, want the one that lapsed", due)
	}
	b.want(b.peek(rec.StoreHandle), session.StatusMissing, "a record claimed without payload is gone at once")
	if c := b.count(); c.Active != 0 || c.Backlog != 0 {
		b.Errorf("counted %+v after everything was removed", c)
	}
	if again := b.claim(session.StoreClaim{For: time.Minute}).Due; len(again) != 0 {
		b.Errorf("it was reported a second time: %+v", again)
	}
}

func claimOldestFirst(b *bench) {
	var want []session.Hash
	for range 4 {
		h := b.handle(session.Hash{})
		h.Hash[0] = 7 // a store that is split keeps the order within a partition
		want = append(want, b.created(h, "x").Hash)
		b.pass(0.5)
	}
	b.pass(11)
	for _, size := range []int{1, 2} {
		got := b.claim(session.StoreClaim{For: time.Minute, Max: size})
		if len(got.Due) != size || !got.More {
			b.Fatalf("a claim of %d gave %d, more %v; want a full batch and more to come", size, len(got.Due), got.More)
		}
		for _, d := range got.Due {
			if d.Hash != want[0] {
				b.Fatal("not the oldest first: under load the oldest would never be reached")
			}
			want = want[1:]
		}
	}
	if got := b.claim(session.StoreClaim{For: time.Minute, Max: 2}); len(got.Due) != 1 || got.Due[0].Hash != want[0] {
		b.Errorf("the last claim gave %+v, want the youngest", got.Due)
	}
}

func claimIsExclusive(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "reported")
	b.pass(11)
	c := session.StoreClaim{For: 2 * b.suite.unit(), Payload: true}
	first := b.claim(c).Due
	if len(first) != 1 || first[0].Attempt != 1 || string(first[0].Payload) != "reported" {
		b.Fatalf("claimed %+v, want the payload at its first attempt", first)
	}
	if d := first[0]; !d.CreatedAt.Equal(rec.CreatedAt) || !d.ExpiresAt.Equal(rec.ExpiresAt) || !d.LastActivity.Equal(rec.LastActivity) {
		b.Errorf("claimed %+v, want the times of %+v", d.StoreRecord, rec)
	}
	if again := b.claim(c).Due; len(again) != 0 {
		b.Fatal("two callers have the same claim: an abandoned booking is followed up twice")
	}
	b.pass(2.5)
	second := b.claim(c).Due
	if len(second) != 1 || second[0].Attempt != 2 || second[0].Rev != first[0].Rev || string(second[0].Payload) != "reported" {
		b.Fatalf("claimed %+v after the claim ran out, want the same record at its second attempt: its claimant may have died", second)
	}
	b.settle(session.StoreSettle{StoreHandle: second[0].StoreHandle, Rev: second[0].Rev})
	b.pass(2.5)
	if again := b.claim(c).Due; len(again) != 0 {
		b.Fatal("a settled record was reported again")
	}
	if c := b.count(); c.Backlog != 0 {
		b.Errorf("the backlog counts %d after everything was settled", c.Backlog)
	}
}

func settleRetry(b *bench) {
	b.created(b.handle(session.Hash{}), "x")
	b.pass(11)
	c := session.StoreClaim{For: 2 * b.suite.unit(), Payload: true}
	due := b.due(c)
	b.settle(session.StoreSettle{StoreHandle: due.StoreHandle, Rev: due.Rev, Retry: 5 * b.suite.unit()})
	b.pass(3)
	if n := len(b.claim(c).Due); n != 0 {
		b.Fatalf("%d records are due before their retry is", n)
	}
	if n := b.count().Backlog; n != 1 {
		b.Errorf("the backlog counts %d, want the one that waits for its retry", n)
	}
	b.pass(2.5)
	if again := b.claim(c).Due; len(again) != 1 || again[0].Attempt != 2 {
		b.Fatalf("claimed %+v, want the record at its second attempt", again)
	}
}

func manyCleaners(b *bench) {
	const records, cleaners = 60, 4
	for i := range records {
		b.created(b.handle(session.Hash{}), fmt.Sprint(i))
	}
	b.pass(11)
	var mu sync.Mutex
	reported := map[session.Hash]int{}
	var wg sync.WaitGroup
	for range cleaners {
		wg.Go(func() {
			var done []session.StoreSettle
			for {
				got, err := b.store.Claim(b.Context(), session.StoreClaim{Space: b.space, Settle: done, Max: 7, For: time.Minute, Payload: true})
				if err != nil || len(got.Due) == 0 {
					return
				}
				done = nil
				mu.Lock()
				for _, d := range got.Due {
					reported[d.Hash]++
					done = append(done, session.StoreSettle{StoreHandle: d.StoreHandle, Rev: d.Rev})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(reported) != records {
		b.Errorf("%d of %d records were reported", len(reported), records)
	}
	for h, n := range reported {
		if n != 1 {
			b.Errorf("record %x was reported %d times", h[:4], n)
		}
	}
}

func countHas(b *bench) {
	if c := b.count(); c != (session.StoreCount{}) {
		b.Errorf("an empty store counts %+v", c)
	}
	for range 3 {
		b.created(b.handle(session.Hash{}), "old")
	}
	b.pass(6)
	b.created(b.handle(session.Hash{}), "young")
	if c := b.count(); c.Active != 4 || c.Backlog != 0 {
		b.Errorf("counted %+v, want 4 active", c)
	}
	b.pass(6)
	c := b.count()
	if c.Active != 1 || c.Backlog != 3 {
		b.Errorf("counted %+v, want 1 active and 3 in the backlog", c)
	}
	if u := b.suite.unit(); c.Oldest < u || c.Oldest > 5*u {
		b.Errorf("the oldest of the backlog has been due for %v, want about %v", c.Oldest, 2*u)
	}
	b.claim(session.StoreClaim{For: time.Minute, Payload: true, Max: 1})
	if got := b.count().Backlog; got != 3 {
		b.Errorf("the backlog is %d while one of 3 is claimed, want 3 until it is settled", got)
	}
}

func createForgets(b *bench) {
	create := func(payload string, idle float64) {
		w := b.write(b.handle(session.Hash{}), payload)
		w.Hash[0], w.Keep = 7, b.suite.unit() // a store that is split does this within a partition
		w.Idle = time.Duration(idle * float64(b.suite.unit()))
		b.want(b.create(w), session.StatusDone, "creating a record under a fresh hash has to work")
	}
	create("old", 1)
	create("live", 30)
	b.pass(16) // stores may round Keep up, and forget a second later
	create("new", 10)
	if c := b.count(); c.Active != 2 || c.Backlog != 0 {
		b.Errorf("counted %+v, want 2 active and no backlog: without a cleanup, memory would grow for ever", c)
	}
}
