// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func idle(context.Context, *session.Session[cart]) error { return nil }

func TestMessagesAreHandledInTheOrderOfArrivalInAllProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		managers := []*manager{newManager(t, store, config{}), newManager(t, store, config{}), newManager(t, store, config{})}
		var order []int
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				_ = managers[i%3].Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error {
					time.Sleep(time.Second)
					order = append(order, i)
					return nil
				})
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 30 {
			t.Errorf("handled in order %v", order)
		}
	})
}

func TestAProcessWithMuchWorkStarvesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		busy, other := newManager(t, store, config{}), newManager(t, store, config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 30 {
				_ = busy.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error {
					time.Sleep(200 * time.Millisecond)
					return nil
				})
			}
		})
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		_ = other.Converse(t.Context(), chat, cart{}, idle)
		if took := time.Since(start); took > 150*time.Millisecond {
			t.Errorf("waited %v for the one message before it", took)
		}
		wg.Wait()
	})
}

func TestAMessageAsksTwiceHoweverLongItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen, store := &recorder{}, memsession.New()
		m := newManager(t, store, config{Observer: seen})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_ = m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error { time.Sleep(time.Second); return nil })
			})
		}
		wg.Wait()
		for i, e := range seen.of(session.OpExclusive) {
			if e.Attempts > 2 || e.Result != session.ResultOK {
				t.Errorf("message %d is reported as %+v, want two attempts", i, e)
			}
		}
	})
}

func TestAWaitThatEndsIsAlwaysErrBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen, store := &recorder{}, newStage()
		m := newManager(t, store, config{Observer: seen})
		var wg sync.WaitGroup
		_ = m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error {
			for i := range 300 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i)*time.Millisecond)
					defer cancel()
					if err := m.Converse(ctx, chat, cart{}, idle); !errors.Is(err, session.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("a wait that ended: %v, want ErrBusy and the deadline", err)
					}
				})
			}
			wg.Wait()
			return nil
		})
		busy := 0
		for _, e := range seen.of(session.OpExclusive) {
			if e.Result == session.ResultBusy {
				busy++
			}
		}
		if busy != 300 {
			t.Errorf("%d of 300 waits that ended are reported as busy", busy)
		}
	})
}

func TestAWaiterThatGaveUpIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		_ = m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error {
			for range 5 {
				wg.Go(func() { _ = m.Converse(ctx, chat, cart{}, idle) })
			}
			synctest.Wait()
			cancel()
			wg.Wait()
			return nil
		})
		start := time.Now()
		if err := m.Converse(t.Context(), chat, cart{}, idle); err != nil || time.Since(start) != 0 {
			t.Errorf("after 5 gave up, the next waited %v: %v", time.Since(start), err)
		}
	})
}

func TestWaitingWithinTheHandlerIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		m, other, twin := newManager(t, store, config{}), newManager(t, store, config{Name: "others"}), newManager(t, store, config{Timeout: time.Minute})
		start := time.Now()
		err := m.Converse(t.Context(), chat, cart{}, func(ctx context.Context, s *session.Session[cart]) error {
			return other.Converse(ctx, chat, cart{}, func(ctx context.Context, _ *session.Session[cart]) error {
				for name, call := range map[string]func() error{
					"Converse":  func() error { return m.Converse(ctx, chat, cart{}, idle) },
					"Exclusive": func() error { return m.Exclusive(ctx, s.ID, idle) },
					"its twin":  func() error { return twin.Converse(ctx, chat, cart{}, idle) },
					"Update":    func() error { _, err := m.Update(ctx, s.ID, func(*cart) error { return nil }); return err },
				} {
					if err := call(); !errors.Is(err, session.ErrInvalid) {
						t.Errorf("%s within: %v, want ErrInvalid", name, err)
					}
				}
				return m.Converse(ctx, session.Conversation{Channel: "sms", Peer: "2"}, cart{}, idle)
			})
		})
		if err != nil || time.Since(start) != 0 {
			t.Errorf("took %v: %v", time.Since(start), err)
		}
	})
}

func TestAContextThatOutlivesItsHandlerMayWait(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	var kept context.Context
	_ = m.Converse(t.Context(), chat, cart{}, func(ctx context.Context, _ *session.Session[cart]) error {
		kept = context.WithoutCancel(ctx)
		return nil
	})
	if err := m.Converse(kept, chat, cart{}, idle); err != nil {
		t.Error(err)
	}
}

func TestDeletingWithinTheHandlerEndsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		var got []string
		var wg sync.WaitGroup
		for _, name := range []string{"first", "second"} {
			wg.Go(func() {
				err := m.Converse(t.Context(), chat, cart{}, func(ctx context.Context, s *session.Session[cart]) error {
					if got = append(got, name); s.Data.Items != 0 {
						t.Errorf("%s has the data of a session that was deleted: %+v", name, s.Data)
					}
					s.Data.Items = 7
					err := m.Delete(ctx, s.ID)
					time.Sleep(time.Minute)
					return err
				})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("handled %v", got)
		}
		if _, err := m.Peek(t.Context(), chat.ID()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("after both deleted it: %v", err)
		}
	})
}

func TestEndingASubjectWithinTheHandlerEndsWell(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1, session.ForSubject("ann"))
	err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
		_, err := m.DeleteSubject(ctx, "ann")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s = create(t, m, 1, session.ForSubject("ann"))
	err = m.Exclusive(t.Context(), s.ID, func(ctx context.Context, s *session.Session[cart]) error {
		s.Data.Items = 2
		_, err := m.DeleteSubject(ctx, "ann", s.ID)
		return err
	})
	if got, _ := m.Peek(t.Context(), s.ID); err != nil || got == nil || got.Data.Items != 2 {
		t.Errorf("a handler that spared its session: %+v, %v", got, err)
	}
}

func TestALeaseWhoseOutcomeIsUnknownIsGivenBack(t *testing.T) {
	for name, answers := range map[string]bool{"the request arrived": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStage()
				m := newManager(t, store, config{})
				s := create(t, m, 1)
				hang := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
				store.on(func(ctx context.Context, call string) error {
					store.on(hang)
					if answers {
						_, _ = store.Store.Load(ctx, store.loads[0])
					}
					return hang(ctx, call)
				})
				time.AfterFunc(400*time.Millisecond, func() { store.on(nil) })
				if err := m.Exclusive(t.Context(), s.ID, idle); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("Exclusive with a store that hangs: %v, want ErrUnavailable", err)
				}
				time.Sleep(time.Second)
				start := time.Now()
				if err := m.Exclusive(t.Context(), s.ID, idle); err != nil || time.Since(start) != 0 {
					t.Errorf("the next waited %v for a lease that no one has: %v", time.Since(start), err)
				}
			})
		})
	}
}

func TestALeaseWhoseSaveFailedIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error {
			store.on(func(context.Context, string) error { return errDown })
			return nil
		})
		time.Sleep(400 * time.Millisecond)
		store.on(nil)
		time.Sleep(time.Second)
		start := time.Now()
		if err := m.Exclusive(t.Context(), s.ID, idle); err != nil || time.Since(start) != 0 {
			t.Errorf("the next waited %v for a lease that no one has: %v", time.Since(start), err)
		}
	})
}

func TestGivingBackEndsWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{Lease: 3 * time.Second})
		s := create(t, m, 1)
		store.on(func(context.Context, string) error { return errDown })
		_ = m.Exclusive(t.Context(), s.ID, idle)
		start := time.Now()
		store.trips()
		time.Sleep(time.Hour)
		if n := len(store.trips()); n < 5 || n > 30 {
			t.Errorf("gave back %d times in %v, want some, and an end", n, time.Since(start))
		}
	})
}

// However many there are, and however long a call of the store may take.
func TestGivingBackManyLeasesEndsWithThem(t *testing.T) {
	for _, timeout := range []time.Duration{250 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			store := newStage()
			m := newManager(t, store, config{Lease: time.Second, Timeout: timeout})
			s := create(t, m, 1)
			store.on(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for range 100 {
				go m.Exclusive(ctx, s.ID, idle)
			}
			time.Sleep(3 * time.Second)
			store.trips()
			time.Sleep(2 * time.Hour)
			if n := len(store.trips()); n != 0 {
				t.Errorf("with a Timeout of %v %d calls for leases that are over", timeout, n)
			}
		})
	}
}

func TestStopEndsGivingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		store.on(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		_ = m.Exclusive(t.Context(), s.ID, idle)
		synctest.Wait() // a call that gives back hangs
		start := time.Now()
		if err := m.Stop(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("Stop took %v: %v", time.Since(start), err)
		}
		store.trips()
		time.Sleep(time.Minute)
		if n := len(store.trips()); n != 0 {
			t.Errorf("%d calls after Stop", n)
		}
		store.on(nil)
		if err := m.Exclusive(t.Context(), s.ID, idle); err != nil {
			t.Errorf("after Stop: %v", err)
		}
	})
}

func TestAKilledHandlersPlaceIsFreeAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		s := create(t, newManager(t, store, config{}), 1)
		killed := &stage{Store: store}
		dying := newManager(t, killed, config{Lease: 2 * time.Second})
		var wg sync.WaitGroup
		ctx, end := context.WithCancel(t.Context())
		wg.Go(func() {
			_ = dying.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error {
				killed.on(func(context.Context, string) error { return errDown })
				<-ctx.Done()
				return nil
			})
		})
		synctest.Wait()
		start := time.Now()
		if err := newManager(t, store, config{}).Exclusive(t.Context(), s.ID, idle); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("waited %v for a lease of 2 s: %v", time.Since(start), err)
		}
		end()
		wg.Wait()
		time.Sleep(5 * time.Second) // what the killed one still tries
	})
}

func TestResultsOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			want session.Result
			fn   func(m *manager, store *stage, ctx context.Context, s *session.Session[cart]) error
		}{
			{session.ResultOK, func(*manager, *stage, context.Context, *session.Session[cart]) error { return nil }},
			{session.ResultFuncFailed, func(*manager, *stage, context.Context, *session.Session[cart]) error { return errDown }},
			{session.ResultFuncFailed, func(*manager, *stage, context.Context, *session.Session[cart]) error { return session.ErrUnavailable }},
			{session.ResultFuncFailed, func(*manager, *stage, context.Context, *session.Session[cart]) error { return session.ErrBusy }},
			{session.ResultUnavailable, func(_ *manager, store *stage, _ context.Context, _ *session.Session[cart]) error {
				store.on(func(context.Context, string) error { return errDown })
				return nil
			}},
			{session.ResultLeaseLost, func(_ *manager, store *stage, ctx context.Context, s *session.Session[cart]) error {
				giveAway(ctx, store)
				return nil
			}},
		} {
			seen, store := &recorder{}, newStage()
			m := newManager(t, store, config{Observer: seen})
			_ = m.Exclusive(t.Context(), create(t, m, 1).ID, func(ctx context.Context, s *session.Session[cart]) error {
				return c.fn(m, store, ctx, s)
			})
			if got := seen.of(session.OpExclusive)[0].Result; got != c.want {
				t.Errorf("reported as %v, want %v", got, c.want)
			}
			time.Sleep(time.Minute) // what it still tries
		}
	})
}
