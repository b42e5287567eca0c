// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

var errDown = errors.New("connection refused")

var chat = session.Conversation{Channel: "sms", Peer: "1"}

type handler = func(context.Context, *session.Session[cart]) error

func TestOneHandlerAtATimeAcrossManagers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		managers := []*manager{newManager(t, store, config{}), newManager(t, store, config{}), newManager(t, store, config{})}
		var inside, handled atomic.Int32
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				err := managers[i%3].Converse(t.Context(), chat, cart{}, func(_ context.Context, s *session.Session[cart]) error {
					if inside.Add(1) != 1 {
						t.Error("two messages of one conversation are handled at once")
					}
					time.Sleep(3 * time.Second)
					s.Data.Items++
					inside.Add(-1)
					handled.Add(1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s, err := managers[0].Peek(t.Context(), chat.ID())
		if err != nil || s.Data.Items != 12 || handled.Load() != 12 {
			t.Errorf("12 messages left %+v, %v", s, err)
		}
	})
}

func TestMessagesAreHandledInTheOrderOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		var order []int
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_ = m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error {
					time.Sleep(time.Second)
					order = append(order, i)
					return nil
				})
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 8 {
			t.Errorf("handled in order %v", order)
		}
	})
}

func TestASlowHandlerKeepsItsLeaseAndItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		m, other := newManager(t, store, config{}), newManager(t, store, config{})
		err := m.Converse(t.Context(), chat, cart{}, func(ctx context.Context, s *session.Session[cart]) error {
			time.Sleep(25 * time.Minute) // longer than the lease and the idle timeout
			stranger, err := other.Peek(ctx, s.ID)
			if err != nil {
				return err
			}
			if err := other.Save(ctx, stranger); !errors.Is(err, session.ErrBusy) {
				t.Errorf("another caller saved under the handler: %v", err)
			}
			s.Data.Items = 7
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := m.Peek(t.Context(), chat.ID()); s.Data.Items != 7 {
			t.Errorf("saved %+v", s.Data)
		}
	})
}

func TestLosingTheLeaseEndsTheHandlerAndRefusesTheSave(t *testing.T) {
	const renewal = 10 * time.Second / 3
	for _, c := range []struct {
		name string
		lose func(t *testing.T, store *stage, m *manager, id session.ID)
		want time.Duration // how long the handler runs
	}{
		{"it was deleted", func(t *testing.T, _ *stage, m *manager, id session.ID) { _ = m.Delete(t.Context(), id) }, renewal},
		{"it passed, and may have been another caller's", func(t *testing.T, store *stage, _ *manager, _ session.ID) { giveAway(t.Context(), store) }, renewal},
		{"the store does not answer", func(_ *testing.T, store *stage, _ *manager, _ session.ID) {
			store.on(func(context.Context, string) error { return errDown })
		}, 10 * time.Second},
		{"the store hangs", func(_ *testing.T, store *stage, _ *manager, _ session.ID) {
			store.on(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		}, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStage()
				m := newManager(t, store, config{})
				s := create(t, m, 1)
				start := time.Now()
				err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
					s.Data.Items = 2
					c.lose(t, store, m, s.ID)
					select {
					case <-ctx.Done():
					case <-time.After(time.Minute):
					}
					if took := time.Since(start); took < c.want-time.Second || took > c.want+time.Second {
						t.Errorf("reported after %v, want about %v", took, c.want)
					}
					if !errors.Is(context.Cause(ctx), session.ErrLeaseLost) {
						t.Errorf("the cause is %v, want ErrLeaseLost", context.Cause(ctx))
					}
					store.on(nil)
					return nil // it did not notice: its work must not be saved all the same
				})
				if !errors.Is(err, session.ErrLeaseLost) {
					t.Errorf("Exclusive returned %v, want ErrLeaseLost", err)
				}
				if got, err := m.Peek(t.Context(), s.ID); err == nil && got.Data.Items != 1 {
					t.Error("the work of a handler without a lease was saved")
				}
			})
		})
	}
}

// giveAway ends the lease that the first load took.
func giveAway(ctx context.Context, store *stage) {
	store.mu.Lock()
	first := store.loads[0]
	store.mu.Unlock()
	_, _ = store.Store.Load(ctx, session.StoreLoad{StoreHandle: first.StoreHandle, Lease: first.Lease})
}

func TestAShortOutageDoesNotCostTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
			store.on(func(context.Context, string) error { return errDown })
			time.Sleep(6 * time.Second)
			store.on(nil)
			time.Sleep(time.Minute)
			return ctx.Err()
		})
		if err != nil {
			t.Errorf("an outage of 6 s ended a lease of 10 s: %v", err)
		}
	})
}

func TestALostRequestDoesNotCostTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := m.Exclusive(ctx, s.ID, func(ctx context.Context, s *session.Session[cart]) error {
			store.on(func(ctx context.Context, _ string) error { store.on(nil); <-ctx.Done(); return ctx.Err() })
			time.Sleep(time.Minute)
			return ctx.Err()
		})
		if err != nil {
			t.Errorf("one request without an answer ended the lease: %v", err)
		}
	})
}

func TestASaveWithALostLeaseIsRefusedByTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
			giveAway(ctx, store)
			return m.Save(ctx, s)
		})
		if !errors.Is(err, session.ErrLeaseLost) {
			t.Errorf("Save without the lease: %v, want ErrLeaseLost", err)
		}
	})
}

func TestAHandlerThatFailsSavesNothingAndFreesTheSession(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	mine := errors.New("no")
	endings := map[string]handler{
		"error": func(_ context.Context, s *session.Session[cart]) error { s.Data.Items = 9; return mine },
		"panic": func(_ context.Context, s *session.Session[cart]) error { s.Data.Items = 9; panic("boom") },
		"Goexit": func(_ context.Context, s *session.Session[cart]) error {
			s.Data.Items = 9
			runtime.Goexit()
			return nil
		},
	}
	for name, fn := range endings {
		done := make(chan error, 1)
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					done <- fmt.Errorf("%v", p)
				}
			}()
			done <- m.Exclusive(t.Context(), s.ID, fn)
		}()
		err := <-done
		if want := map[string]string{"error": "no", "panic": "boom"}[name]; want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: came out as %v", name, err)
		}
		next := m.Exclusive(t.Context(), s.ID, func(_ context.Context, s *session.Session[cart]) error {
			if s.Data.Items != 1 {
				t.Errorf("%s: saved %+v", name, s.Data)
			}
			return nil
		})
		if next != nil {
			t.Errorf("%s: the session is not free: %v", name, next)
		}
	}
}

func TestWaitingForATurnEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		m, other := newManager(t, store, config{}), newManager(t, store, config{})
		started, finish := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error { close(started); <-finish; return nil })
		})
		<-started
		for name, waiter := range map[string]*manager{"in this process": m, "in another one": other} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := waiter.Converse(ctx, chat, cart{}, func(context.Context, *session.Session[cart]) error { t.Error("it was let in"); return nil })
			cancel()
			if !errors.Is(err, session.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting %s: %v, want ErrBusy and the deadline", name, err)
			}
		}
		close(finish)
		wg.Wait()
		if err := m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error { return nil }); err != nil {
			t.Errorf("after one gave up waiting no one gets in any more: %v", err)
		}
	})
}

func TestWorkIsSavedAlthoughTheCallerHasGone(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := m.Converse(ctx, chat, cart{}, func(_ context.Context, s *session.Session[cart]) error {
		s.Data.Items = 5
		cancel()
		return nil
	})
	if s, _ := m.Peek(t.Context(), chat.ID()); err != nil || s.Data.Items != 5 {
		t.Errorf("the handler succeeded, but %+v, %v was kept", s, err)
	}
}

func TestInsideAHandlerTheSessionCanBeSavedButNotMoved(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
		s.Data.Items = 2
		if err := m.Save(ctx, s); err != nil {
			t.Errorf("Save inside: %v", err)
		}
		if err := m.Rotate(ctx, s); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("Rotate inside: %v, want ErrInvalid", err)
		}
		s.Data.Items++
		return nil
	})
	if got, _ := m.Peek(t.Context(), s.ID); err != nil || got.Data.Items != 3 {
		t.Errorf("kept %+v, %v, want both changes", got, err)
	}
}

func TestAHandlerMustLeaveTheSessionInItsPlace(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	err := m.Exclusive(t.Context(), s.ID, func(_ context.Context, s *session.Session[cart]) error {
		*s = session.Session[cart]{Data: cart{Items: 4}}
		return nil
	})
	if !errors.Is(err, session.ErrInvalid) || strings.Contains(err.Error(), "4") {
		t.Errorf("a replaced session: %v, want ErrInvalid", err)
	}
}

func TestACallerWhoLeavesWhileTheLeaseIsTakenBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		ctx, cancel := context.WithCancel(t.Context())
		store.on(func(ctx context.Context, call string) error {
			store.on(nil)
			if _, err := store.Store.Load(ctx, store.loads[0]); err != nil { // it arrives, but its answer does not
				t.Error(err)
			}
			cancel()
			return ctx.Err()
		})
		nothing := func(context.Context, *session.Session[cart]) error { return nil }
		if err := m.Exclusive(ctx, s.ID, nothing); !errors.Is(err, context.Canceled) {
			t.Errorf("Exclusive of a caller who left: %v", err)
		}
		start := time.Now()
		if err := m.Exclusive(t.Context(), s.ID, nothing); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the next one waited %v for a lease that no one uses", took)
		}
	})
}

func TestASessionBeingHandledDoesNotGoIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{IdleTimeout: 2 * time.Second, TouchEvery: 1900 * time.Millisecond})
		s, _, err := m.Open(t.Context(), chat, cart{})
		if err != nil {
			t.Fatal(err)
		}
		handle := func(ctx context.Context, s *session.Session[cart]) error {
			s.Data.Items++
			time.Sleep(5 * time.Second)
			return ctx.Err()
		}
		time.Sleep(1800 * time.Millisecond)
		if err := m.Exclusive(t.Context(), s.ID, handle); err != nil {
			t.Errorf("Exclusive for longer than the idle timeout: %v", err)
		}
		time.Sleep(1800 * time.Millisecond)
		if err := m.Converse(t.Context(), chat, cart{}, handle); err != nil {
			t.Errorf("Converse for longer than the idle timeout: %v", err)
		}
		time.Sleep(1800 * time.Millisecond)
		large := cart{Notes: map[string]string{"x": strings.Repeat("x", 1000)}}
		if err := m.Converse(t.Context(), chat, large, handle); err != nil {
			t.Errorf("Converse with much data for longer than the idle timeout: %v", err)
		}
		if s, err := m.Peek(t.Context(), chat.ID()); err != nil || s.Data.Items != 3 {
			t.Errorf("it has %+v, %v, want the work of all three", s, err)
		}
	})
}
