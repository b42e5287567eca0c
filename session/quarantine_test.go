// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// quarantined returns the only entry.
func quarantined(t *testing.T, m *manager) session.Quarantined {
	t.Helper()
	var all []session.Quarantined
	for q, err := range m.Quarantined(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, q)
	}
	if len(all) != 1 {
		t.Fatalf("in quarantine are %+v, want one", all)
	}
	return all[0]
}

func TestTheQuarantineCanBeListedAndRestored(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{OnCorrupt: session.QuarantineCorrupt})
	s := create(t, m, 7)
	store.Store.(*memsession.Store).Damage(store.writes[0].StoreHandle)
	_, _ = m.Get(t.Context(), s.ID)
	q := quarantined(t, m)
	if len(q.Payload) == 0 || q.At.IsZero() || !q.CreatedAt.Equal(s.CreatedAt) {
		t.Errorf("listed %+v, want the record with its bytes and times", q)
	}
	if err := m.Restore(t.Context(), q.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Get(t.Context(), s.ID); err != nil || got.Data.Items != 7 {
		t.Errorf("restored is %+v, %v", got, err)
	}
	if err := m.Restore(t.Context(), q.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a second Restore: %v, want ErrNotFound", err)
	}
}

func TestAnExpiredSessionThatWasGivenUpCanBeHandledAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail, handled := errors.New("no"), 0
		m := newManager(t, memsession.New(), config{OnCorrupt: session.QuarantineCorrupt, OnExpire: func(context.Context, session.Expired[cart]) error {
			handled++
			return fail
		}})
		create(t, m, 7)
		time.Sleep(11 * time.Minute)
		for range 5 {
			sweep(t, m)
			time.Sleep(10 * time.Minute)
		}
		fail = nil
		if err := m.Restore(t.Context(), quarantined(t, m).ID); err != nil {
			t.Fatal(err)
		}
		if r := sweep(t, m); handled != 6 || r.Ended[session.ReasonIdle] != 1 {
			t.Errorf("OnExpire was called %d times, and reported was %+v; want a sixth call that succeeds", handled, r)
		}
	})
}

func TestRestoreSaysWhyNot(t *testing.T) {
	for status, want := range map[session.StoreStatus]error{session.StatusMissing: session.ErrNotFound, session.StatusExists: session.ErrConflict, session.StatusBroken: session.ErrInvalid} {
		err := newManager(t, restoring{memsession.New(), status, nil}, config{}).Restore(t.Context(), "x")
		if !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", status, err, want)
		}
	}
	m := newManager(t, restoring{memsession.New(), 0, errDown}, config{})
	if err := m.Restore(t.Context(), "x"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("without a store: %v", err)
	}
}

type restoring struct {
	session.StoreQuarantine
	status session.StoreStatus
	err    error
}

func (r restoring) Restore(context.Context, string, string) (session.StoreStatus, error) {
	return r.status, r.err
}

// plain has what a Store needs, and no quarantine.
type plain struct{ session.Store }

func TestAStoreWithoutAQuarantineIsRefusedWhereOneIsNeeded(t *testing.T) {
	store := plain{memsession.New()}
	if _, err := session.New(store, config{Name: "carts", OnCorrupt: session.QuarantineCorrupt}); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), "OnCorrupt") {
		t.Errorf("New answered %v, want a ConfigError for OnCorrupt", err)
	}
	m := newManager(t, store, config{})
	for _, err := range m.Quarantined(t.Context()) {
		if !errors.Is(err, session.ErrInvalid) {
			t.Errorf("Quarantined: %v, want ErrInvalid", err)
		}
	}
	if err := m.Restore(t.Context(), "x"); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("Restore: %v, want ErrInvalid", err)
	}
}

func TestAListOfTheQuarantineLastsAsLongAsItsContextAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		store.on(func(ctx context.Context, _ string) error { return sleepFor(ctx, 5*time.Second) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, err := range m.Quarantined(ctx) {
			t.Errorf("with a deadline of 10 s: %v", err)
		}
		for _, err := range m.Quarantined(t.Context()) {
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("without a deadline: %v, want ErrUnavailable after 2.5 s", err)
			}
		}
	})
}
