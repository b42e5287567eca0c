// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestConflictCarriesTheCurrentSession(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	mine := create(t, m, 1)
	theirs, _ := m.Get(t.Context(), mine.ID)
	theirs.Data.Items = 2
	if err := m.Save(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	mine.Data.Items = 3
	err := m.Save(t.Context(), mine)
	conflict, ok := errors.AsType[*session.ConflictError[cart]](err)
	if !ok || !errors.Is(err, session.ErrConflict) {
		t.Fatalf("a late Save: %v, want a ConflictError", err)
	}
	if conflict.Current.Data.Items != 2 {
		t.Errorf("the conflict carries %+v, want what was saved first", conflict.Current.Data)
	}
	conflict.Current.Data.Items += 3
	if err := m.Save(t.Context(), conflict.Current); err != nil {
		t.Errorf("the merged session cannot be saved: %v", err)
	}
}

func TestSaveNeverBringsBackADeletedSession(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	for range 1000 {
		s := create(t, m, 1)
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Save(t.Context(), s) })
		wg.Go(func() { _ = m.Delete(t.Context(), s.ID) })
		wg.Wait()
		if _, err := m.Peek(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
			t.Fatalf("the session is back: %v", err)
		}
	}
	if n, _ := m.Count(t.Context()); n != 0 {
		t.Errorf("%d sessions are left, want 0", n)
	}
}

func TestSaveFromBeforeARestartOfTheConversationIsRefused(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	conversation := session.Conversation{Channel: "sms", Peer: "1"}
	old, _, _ := m.Open(t.Context(), conversation, cart{Items: 1})
	_ = m.Delete(t.Context(), conversation.ID())
	fresh, created, err := m.Open(t.Context(), conversation, cart{Items: 2})
	if err != nil || !created {
		t.Fatalf("Open after Delete: created %v, %v", created, err)
	}
	if err := m.Save(t.Context(), old); !errors.Is(err, session.ErrConflict) {
		t.Errorf("Save of the old conversation: %v, want ErrConflict", err)
	}
	if got, _ := m.Peek(t.Context(), fresh.ID); got == nil || got.Data.Items != 2 {
		t.Errorf("the new conversation is %+v, want it untouched", got)
	}
}

func TestUpdatesAreNeverLost(t *testing.T) {
	store := memsession.New()
	managers := []*manager{newManager(t, store, config{}), newManager(t, store, config{}), newManager(t, store, config{}), newManager(t, store, config{})}
	s := create(t, managers[0], 0)
	const workers, each = 64, 10
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for range each {
				if _, err := managers[i%len(managers)].Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := managers[0].Peek(t.Context(), s.ID)
	if err != nil || got.Data.Items != workers*each {
		t.Errorf("%d increments give %+v, %v", workers*each, got, err)
	}
}

func TestUpdateTriesUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		store.on(func(context.Context, string) error { time.Sleep(rand.N(20 * time.Millisecond)); return nil })
		m := newManager(t, store, config{})
		s := create(t, m, 0)
		const writers, each = 16, 20
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if _, err := m.Update(ctx, s.ID, func(c *cart) error { c.Items++; return nil }); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if got, err := m.Peek(t.Context(), s.ID); err != nil || got.Data.Items != writers*each {
			t.Errorf("%d increments give %+v, %v", writers*each, got, err)
		}
	})
}

func TestAnUpdateTakesItsTurnAfterThreeConflicts(t *testing.T) {
	store, seen := newStage(), &recorder{}
	m := newManager(t, store, config{Observer: seen})
	other := newManager(t, store.Store, config{})
	s := create(t, m, 0)
	got, err := m.Update(t.Context(), s.ID, func(c *cart) error {
		c.Items += 100
		err := other.Save(t.Context(), s) // another writer, who is always first
		if err != nil && !errors.Is(err, session.ErrBusy) {
			t.Error(err)
		}
		return nil
	})
	if err != nil || got.Data.Items != 100 {
		t.Errorf("Update returned %+v, %v", got, err)
	}
	if e := seen.of(session.OpUpdate); len(e) != 1 || e[0].Attempts != 4 {
		t.Errorf("reported as %+v, want 4 attempts", e)
	}
}

func TestAnUpdateWaitsForAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = m.Exclusive(t.Context(), s.ID, func(_ context.Context, s *session.Session[cart]) error {
				time.Sleep(3 * time.Second)
				s.Data.Items = 10
				return nil
			})
		})
		synctest.Wait()
		got, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil })
		if err != nil || got.Data.Items != 11 {
			t.Errorf("an Update beside a handler: %+v, %v", got, err)
		}
		wg.Wait()
	})
}

func TestUpdateStopsWaitingWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := create(t, m, 0)
		_, err := m.Update(ctx, s.ID, func(*cart) error {
			_, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil })
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("an Update whose caller has gone: %v, want its cancellation", err)
		}
	})
}

func TestAnUpdateThatRunsOutOfTimeSaysThatOthersWereBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 0)
		update := func(change func() error) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := m.Update(ctx, s.ID, func(*cart) error { return change() })
			return err
		}
		tries := 0
		err := update(func() error {
			if tries++; tries > 1 {
				time.Sleep(time.Second)
				return nil
			}
			return m.Save(t.Context(), s)
		})
		if !errors.Is(err, session.ErrConflict) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("an Update that others kept from its end: %v, want ErrConflict and the deadline", err)
		}
		_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error {
			err = update(func() error { return nil })
			return nil
		})
		if !errors.Is(err, session.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("an Update beside a long handler: %v, want ErrBusy and the deadline", err)
		}
	})
}

// After a conflict, too: ErrConflict says that nothing was saved.
func TestAnUpdateWhoseLastReplyIsLostIsNoConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m, other := newManager(t, store, config{}), newManager(t, store.Store, config{})
		s := create(t, m, 0)
		saves := 0
		store.on(func(ctx context.Context, call string) error {
			if call != "Save" {
				return nil
			}
			if saves++; saves == 1 {
				return other.Save(ctx, s)
			}
			_, _ = store.Store.Save(ctx, store.writes[len(store.writes)-1])
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.Update(ctx, s.ID, func(c *cart) error { c.Items++; return nil })
		if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrConflict) {
			t.Errorf("an Update that may have been saved: %v, want ErrUnavailable and no ErrConflict", err)
		}
	})
}

func TestAnErrorOfTheUpdateFunctionSavesNothing(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	mine := errors.New("no")
	if _, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items = 9; return mine }); err != mine {
		t.Errorf("Update returned %v, want the function's own error", err)
	}
	if got, _ := m.Peek(t.Context(), s.ID); got.Data.Items != 1 {
		t.Errorf("the data is %+v, want it unchanged", got.Data)
	}
}

func TestAnUpdateThatSavesNothingIsNoActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1)
		time.Sleep(5 * time.Minute)
		_, _ = m.Update(t.Context(), s.ID, func(*cart) error { return errors.New("no") })
		if got, err := m.Peek(t.Context(), s.ID); err != nil || !got.LastActivity.Equal(s.LastActivity) {
			t.Errorf("active at %v, %v, want %v", got.LastActivity, err, s.LastActivity)
		}
	})
}
