// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestASaveThatFailsIsTheErrorOfExclusive(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	s := create(t, m, 1)
	store.on(func(_ context.Context, call string) error {
		if call == "Save" {
			return errDown
		}
		return nil
	})
	err := m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { return nil })
	if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, errDown) {
		t.Errorf("Exclusive whose save failed: %v, want ErrUnavailable", err)
	}
}

func TestALeaseIsGivenBackWithoutReadingThePayload(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	s := create(t, m, 1)
	_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { return errDown })
	if last := store.loads[len(store.loads)-1]; last.LeaseFor != 0 || last.Lease == "" || !last.Bare {
		t.Errorf("the last request is %+v, want one that frees the lease and asks for no payload", last)
	}
}

func TestAPanicOfTheStoreIsReportedAsAFailure(t *testing.T) {
	seen, store := &recorder{}, newStage()
	m := newManager(t, store, config{Observer: seen})
	s := create(t, m, 1)
	store.on(func(context.Context, string) error { panic("boom") })
	func() {
		defer func() { _ = recover() }()
		_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { return nil })
	}()
	if got := seen.of(session.OpExclusive); len(got) != 1 || got[0].Err == nil {
		t.Errorf("reported %+v, want a failure", got)
	}
}

// A context that is never cancelled keeps its timer.
func TestEveryContextOfAStoresCallEndsWithTheCall(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	s := create(t, m, 1)
	var mu sync.Mutex
	var all []context.Context
	store.on(func(ctx context.Context, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, ctx)
		return nil
	})
	failing := errors.New("no")
	_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { return failing })
	_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { return nil })
	s, err := m.Get(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Save(t.Context(), s)
	_ = m.Rotate(t.Context(), s)
	_, _ = m.Sweep(t.Context())
	_ = m.Delete(t.Context(), s.ID)
	mu.Lock()
	defer mu.Unlock()
	if len(all) < 9 {
		t.Fatalf("saw only %d calls", len(all))
	}
	for i, ctx := range all {
		if ctx.Err() == nil {
			t.Errorf("the context of call %d of %d goes on", i+1, len(all))
		}
	}
}

func TestASessionThatAHandlerKeptIsSavedAsAnyOther(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	var kept *session.Session[cart]
	err := m.Exclusive(t.Context(), create(t, m, 1).ID, func(_ context.Context, s *session.Session[cart]) error { kept = s; return nil })
	if err != nil {
		t.Fatal(err)
	}
	kept.Data.Items = 2
	if err := m.Save(t.Context(), kept); err != nil {
		t.Errorf("Save after Exclusive, without its lease: %v", err)
	}
}

// belated is a store whose replies are on their way for some time.
type belated struct {
	session.Store
	load, claim func() time.Duration
}

func (s belated) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	defer func() { time.Sleep(s.load()) }()
	return s.Store.Load(ctx, l)
}

func (s belated) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
	defer func() { time.Sleep(s.claim()) }()
	return s.Store.Claim(ctx, c)
}

func TestALeaseThatWasTakenSlowlyIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, loads := memsession.New(), 0
		m := newManager(t, belated{Store: store, load: func() time.Duration {
			if loads++; loads == 1 {
				return 9 * time.Second // of the 10 that the lease lasts
			}
			return 0
		}}, config{})
		other := newManager(t, store, config{})
		s := create(t, other, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.AfterFunc(time.Second, func() {
			if err := other.Exclusive(ctx, s.ID, idle); err != nil {
				t.Error(err)
			}
		})
		err := m.Exclusive(ctx, s.ID, func(ctx context.Context, s *session.Session[cart]) error {
			time.Sleep(3 * time.Second)
			return m.Save(ctx, s)
		})
		if err != nil {
			t.Errorf("the other handler came in between: %v", err)
		}
		synctest.Wait() // until the other has had its turn
	})
}
