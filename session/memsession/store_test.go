// SPDX-License-Identifier: MIT

package memsession_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestStoreConforms(t *testing.T) {
	damage := func(_ testing.TB, s session.Store, h session.StoreHandle) { s.(*memsession.Store).Damage(h) }
	sessiontest.Run(t, func(testing.TB) session.Store { return memsession.New() },
		sessiontest.Virtual(), sessiontest.Corrupt(damage), sessiontest.Schedules(10_000))
}

// write is a record with a new hash.
func write(n int) session.StoreWrite {
	w := session.StoreWrite{Nonce: uint64(n), Keep: time.Hour}
	w.Space, w.Idle = "x", time.Minute
	w.Hash[0], w.Hash[1], w.Hash[2] = byte(n>>16), byte(n>>8), byte(n)
	return w
}

func TestMemoryIsBoundedWithoutCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memsession.New()
		for i := range 5000 {
			if _, err := s.Create(t.Context(), write(i+1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if c, _ := s.Count(t.Context(), "x"); c.Active+c.Backlog > 70 {
			t.Errorf("%d records are kept, want those of the last 61 minutes", c.Active+c.Backlog)
		}
	})
}

func TestTheQuarantineIsBounded(t *testing.T) {
	s := memsession.New()
	for i := range 20 {
		w := write(i + 1)
		w.Payload = make([]byte, 1<<20)
		_, _ = s.Create(t.Context(), w)
		s.Damage(w.StoreHandle)
		_, _ = s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Quarantine: true})
	}
	if c, _ := s.Count(t.Context(), "x"); c.Quarantined != 15 {
		t.Errorf("%d in quarantine, want the latest 16 MiB, entries included", c.Quarantined)
	}
}

func TestNothingIsDoneUnderAContextThatHasEnded(t *testing.T) {
	s := memsession.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(s.Create(ctx, write(1)))
	add(s.Load(ctx, session.StoreLoad{}))
	add(s.Save(ctx, write(1)))
	add(s.Move(ctx, session.StoreHandle{}, write(2)))
	add(s.Delete(ctx, session.StoreRemove{}))
	add(s.Claim(ctx, session.StoreClaim{}))
	add(s.Count(ctx, "x"))
	add(s.Restore(ctx, "x", "y"))
	for _, err := range s.List(ctx, session.StoreList{Space: "x"}) {
		add(nil, err)
	}
	for _, err := range s.Quarantined(ctx, "x") {
		add(nil, err)
	}
	for i, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d of 10: %v, want the context's error", i, err)
		}
	}
	if c, _ := s.Count(t.Context(), "x"); len(errs) != 10 || c.Active != 0 {
		t.Errorf("%d answers, %d records; want 10 and none", len(errs), c.Active)
	}
}

func TestMovingOntoARecordOverwritesNothing(t *testing.T) {
	s := memsession.New()
	a, _ := s.Create(t.Context(), write(1))
	_, _ = s.Create(t.Context(), write(2))
	w := write(2)
	w.Nonce, w.Rev = 3, a.Record.Rev
	if r, _ := s.Move(t.Context(), a.Record.StoreHandle, w); r.Status != session.StatusExists {
		t.Errorf("a move onto another record answers %v, want exists", r.Status)
	}
	s.Damage(w.StoreHandle)
	if r, _ := s.Move(t.Context(), a.Record.StoreHandle, w); r.Status != session.StatusBroken {
		t.Errorf("a move onto a broken record answers %v, want broken", r.Status)
	}
	if r, _ := s.Move(t.Context(), a.Record.StoreHandle, w); r.Status != session.StatusDone {
		t.Errorf("once the broken record is gone a move answers %v, want done", r.Status)
	}
}
