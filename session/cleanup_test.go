// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// broken is a codec that fails to decode, as after a change of the data's type.
type broken struct{ session.JSON }

func (broken) Decode([]byte, any) error { return errors.New("unknown field: 4111 1111 1111 1111") }

func TestSweepEndsWhatHasExpiredAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{Observer: seen})
		busy := create(t, m, 1)
		for range 3 {
			create(t, m, 2)
		}
		for range 7 {
			time.Sleep(9 * time.Minute)
			_, _ = m.Get(t.Context(), busy.ID)
		}
		create(t, m, 3)
		r := sweep(t, m)
		want := map[session.EndReason]int{session.ReasonIdle: 3, session.ReasonAbsolute: 1}
		if !maps.Equal(r.Ended, want) || r.Active != 1 || r.Backlog != 0 || !r.Complete {
			t.Errorf("reported %+v, want %v ended, 1 active, nothing left", r, want)
		}
		for _, e := range seen.of(session.OpEnded) {
			if wantAge := map[session.EndReason]time.Duration{session.ReasonIdle: 10 * time.Minute, session.ReasonAbsolute: time.Hour}[e.Reason]; e.Age != wantAge {
				t.Errorf("a session that ended %v is reported to be %v old, want %v", e.Reason, e.Age, wantAge)
			}
		}
		if n := len(seen.of(session.OpEnded)); n != 4 {
			t.Errorf("%d ends were reported, want 4", n)
		}
	})
}

func TestCleanupRemovesDamagedSessions(t *testing.T) {
	for _, policy := range []session.CorruptPolicy{session.DiscardCorrupt, session.QuarantineCorrupt} {
		synctest.Test(t, func(t *testing.T) {
			store, seen := newStage(), &recorder{}
			called := 0
			m := newManager(t, store, config{Observer: seen, OnCorrupt: policy, OnExpire: func(context.Context, session.Expired[cart]) error { called++; return nil }})
			create(t, m, 1)
			store.Store.(*memsession.Store).Damage(store.writes[0].StoreHandle)
			create(t, m, 1)
			time.Sleep(11 * time.Minute)
			alive := create(t, m, 1)

			r := sweep(t, m)
			want := map[session.EndReason]int{session.ReasonCorrupted: 1, session.ReasonIdle: 1}
			if !maps.Equal(r.Ended, want) || r.Active != 1 || r.Backlog != 0 || !r.Complete {
				t.Errorf("%v: reported %+v, want %v ended and 1 active", policy, r, want)
			}
			reasons := seen.reasons()
			slices.Sort(reasons)
			if !slices.Equal(reasons, []session.EndReason{session.ReasonIdle, session.ReasonCorrupted}) {
				t.Errorf("%v: reported %v, want each by its reason", policy, reasons)
			}
			if called != 1 {
				t.Errorf("%v: OnExpire was called %d times, want once, for the one that can be read", policy, called)
			}
			if n, _ := store.Count(t.Context(), "carts"); n.Quarantined != int64(policy) {
				t.Errorf("%v: %d in quarantine", policy, n.Quarantined)
			}
			if _, err := m.Get(t.Context(), alive.ID); err != nil {
				t.Errorf("%v: a healthy session is gone: %v", policy, err)
			}
		})
	}
}

func TestACleanupLeavesWhatItCannotDecodeToOtherInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, seen := memsession.New(), &recorder{}
		var handled []int
		handle := func(_ context.Context, e session.Expired[cart]) error {
			handled = append(handled, e.Data.Items)
			return nil
		}
		good := newManager(t, store, config{OnExpire: handle})
		canary := newManager(t, store, config{Observer: seen, Codec: broken{}, OnExpire: handle})
		create(t, good, 7)
		time.Sleep(11 * time.Minute)
		if r := sweep(t, canary); len(r.Ended) != 0 || r.Backlog != 1 || r.CallbackErrors != 0 || len(seen.of(session.OpUndecodable)) != 1 {
			t.Errorf("the canary reported %+v, want one that is left and reported as undecodable", r)
		}
		time.Sleep(10 * time.Minute)
		if r := sweep(t, good); r.Ended[session.ReasonIdle] != 1 || !slices.Equal(handled, []int{7}) {
			t.Errorf("the other instance handled %v and reported %+v", handled, r)
		}
	})
}

func TestAnExpiredSessionThatNoInstanceDecodesIsGivenUpAfterItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		create(t, newManager(t, store, config{}), 7)
		m := newManager(t, store, config{OnCorrupt: session.QuarantineCorrupt, Codec: broken{}, OnExpire: func(context.Context, session.Expired[cart]) error { return nil }})
		time.Sleep(10 * time.Minute)
		expired, dead := time.Now(), 0
		for dead == 0 {
			if r := sweep(t, m); r.Dead == 1 {
				dead = int(time.Since(expired).Minutes())
			}
			time.Sleep(time.Minute)
		}
		if c, _ := store.Count(t.Context(), "carts"); dead < 60 || dead > 130 || c.Quarantined != 1 || c.Backlog != 0 {
			t.Errorf("given up after %d minutes, counted %+v; want the Grace of an hour to pass first, then the quarantine", dead, c)
		}
	})
}

// binaryCodec writes what JSON cannot read.
type binaryCodec struct{ session.JSON }

func (binaryCodec) Encode(any) ([]byte, error) { return []byte{0xff, 0}, nil }
func (binaryCodec) Decode([]byte, any) error   { return nil }

func TestAnExpiredSessionThatWasDeletedIsNotPassedToOnExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{OnExpire: func(_ context.Context, e expired) error {
			t.Errorf("passed %+v", e)
			return nil
		}})
		s := create(t, m, 1)
		create(t, m, 2, session.ForSubject("ann"))
		time.Sleep(11 * time.Minute)
		_, err := m.DeleteSubject(t.Context(), "ann")
		if err := errors.Join(err, m.Delete(t.Context(), s.ID)); err != nil {
			t.Fatal(err)
		}
		if r := sweep(t, m); len(r.Ended) != 0 {
			t.Errorf("swept %+v, want nothing", r)
		}
	})
}

func TestTheReportIsTheCallersOwn(t *testing.T) {
	var seen recorder
	m := newManager(t, memsession.New(), config{Observer: &seen})
	r := sweep(t, m)
	r.Ended[session.ReasonIdle] = 99
	if got := seen.of(session.OpCleanup)[0].Report.Ended; len(got) != 0 {
		t.Errorf("changing the report changed what an observer has received: %v", got)
	}
}

func TestACycleGoesOnWhileThereIsMoreForAnIntervalAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{CleanupBatch: 5, CleanupInterval: time.Minute})
		for range 1200 {
			create(t, m, 1)
		}
		time.Sleep(11 * time.Minute)
		store.on(func(_ context.Context, call string) error {
			if call == "Claim" {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		if r := sweep(t, m); !r.Complete || r.Backlog != 0 || r.Ended[session.ReasonIdle] != 1200 {
			t.Errorf("reported %+v, want all 1200 in 240 batches", r)
		}
		for range 1200 {
			create(t, m, 1)
		}
		time.Sleep(11 * time.Minute)
		store.on(func(_ context.Context, call string) error {
			if call == "Claim" {
				time.Sleep(time.Second)
			}
			return nil
		})
		if r := sweep(t, m); r.Complete || r.Backlog != 900 {
			t.Errorf("reported %+v, want 60 batches of 5 in a minute, and the rest left", r)
		}
	})
}

func TestABurstOfExpiriesIsReportedInOneCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported atomic.Int64
		m := newManager(t, memsession.New(), config{CleanupBatch: 5, OnExpire: func(context.Context, session.Expired[cart]) error {
			reported.Add(1)
			return nil
		}})
		for range 4000 {
			create(t, m, 1)
		}
		time.Sleep(31 * time.Minute)
		m.Start()
		synctest.Wait()
		_ = m.Stop(t.Context())
		if n := reported.Load(); n != 4000 {
			t.Errorf("%d of 4000 expiries were reported; the rest would pass Grace while others come", n)
		}
	})
}

func TestSweepReportsWhatItDidAlthoughTheStoreFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, seen := newStage(), &recorder{}
		m := newManager(t, store, config{Observer: seen, CleanupBatch: 2})
		for range 5 {
			create(t, m, 1)
		}
		sweep(t, m)
		time.Sleep(11 * time.Minute)
		create(t, m, 1)
		claims := 0
		store.on(func(_ context.Context, call string) error {
			if call == "Claim" {
				if claims++; claims == 2 {
					return errDown
				}
			}
			return nil
		})
		r, err := m.Sweep(t.Context())
		if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("Sweep returned %v, want ErrUnavailable with its cause", err)
		}
		if r.Ended[session.ReasonIdle] != 2 || r.Active != 1 || r.Backlog != 3 || r.Complete {
			t.Errorf("reported %+v, want the 2 that were done, 1 active and 3 left", r)
		}
		store.on(func(context.Context, string) error { return errDown })
		if r, _ = m.Sweep(t.Context()); r.Active != 1 {
			t.Errorf("without an answer Active is %d, want the last known 1", r.Active)
		}
		cycles := seen.of(session.OpCleanup)
		if len(cycles) != 3 || cycles[1].Result != session.ResultUnavailable || cycles[2].Report.Active != 1 {
			t.Errorf("reported %+v, want three cycles, two of them unavailable", cycles)
		}
	})
}

func TestRescoredAndVanishedSessionsAreReported(t *testing.T) {
	store, seen := newStage(), &recorder{}
	store.claim = func(session.StoreClaimed) session.StoreClaimed {
		return session.StoreClaimed{Rescored: 2, Due: []session.StoreDue{{Reason: session.ReasonVanished}}}
	}
	m := newManager(t, store, config{Observer: seen, OnExpire: func(context.Context, session.Expired[cart]) error {
		t.Error("OnExpire was called for a session without data")
		return nil
	}})
	if r := sweep(t, m); r.Rescored != 2 || r.Ended[session.ReasonVanished] != 1 {
		t.Errorf("reported %+v", r)
	}
	if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonVanished}) {
		t.Errorf("reported %v", got)
	}
}

// Catches a cycle that does not take over the count (cleanup.go: r.Active = c.Active).
func TestCleanupUpdatesTheActiveSessionsMetricEveryCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{Observer: seen, CleanupJitter: -1, IdleTimeout: time.Hour})
		m.Start()
		var want []int64
		for i := range int64(4) {
			synctest.Wait()
			want = append(want, i)
			if got := m.Stats(); got.Active != i || !got.LastCycle.Equal(time.Now()) || !got.LastComplete.Equal(time.Now()) || !got.Running {
				t.Errorf("after cycle %d the stats are %+v", i, got)
			}
			create(t, m, 1)
			time.Sleep(10 * time.Minute)
		}
		synctest.Wait()
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = append(want, 4)
		var got []int64
		for _, e := range seen.of(session.OpCleanup) {
			got = append(got, e.Report.Active)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the cycles reported %v active sessions, want %v", got, want)
		}
	})
}
