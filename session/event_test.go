// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestEventsHaveTheSizeOfThePayload(t *testing.T) {
	grow := func(c *cart) error { c.Items = 10_000; return nil }
	for op, call := range map[session.Op]func(*manager, *session.Session[cart]) error{
		session.OpCreate: func(*manager, *session.Session[cart]) error { return nil },
		session.OpOpen: func(m *manager, _ *session.Session[cart]) error {
			_, _, err := m.Open(t.Context(), chat, cart{Items: 100})
			return err
		},
		session.OpGet:  func(m *manager, s *session.Session[cart]) error { _, err := m.Get(t.Context(), s.ID); return err },
		session.OpPeek: func(m *manager, s *session.Session[cart]) error { _, err := m.Peek(t.Context(), s.ID); return err },
		session.OpSave: func(m *manager, s *session.Session[cart]) error { _ = grow(&s.Data); return m.Save(t.Context(), s) },
		session.OpUpdate: func(m *manager, s *session.Session[cart]) error {
			_, err := m.Update(t.Context(), s.ID, grow)
			return err
		},
		session.OpExclusive: func(m *manager, s *session.Session[cart]) error {
			return m.Exclusive(t.Context(), s.ID, func(_ context.Context, s *session.Session[cart]) error { return grow(&s.Data) })
		},
		session.OpRotate: func(m *manager, s *session.Session[cart]) error { return m.Rotate(t.Context(), s) },
		session.OpBind:   func(m *manager, s *session.Session[cart]) error { return m.Bind(t.Context(), s, "ann") },
	} {
		seen, store := &recorder{}, newStage()
		m := newManager(t, store, config{Observer: seen})
		if err := call(m, create(t, m, 1)); err != nil {
			t.Fatal(err)
		}
		want := len(store.writes[len(store.writes)-1].Payload)
		if got := seen.of(op); len(got) != 1 || got[0].Bytes != want {
			t.Errorf("%v is reported as %+v, want one event of %d bytes", op, got, want)
		}
	}
}

func TestEventsOfExclusiveHaveTheTimeOfWaiting(t *testing.T) {
	const busy, patience = 3 * time.Second, time.Second
	for name, inside := range map[string]bool{"in this process": true, "in another one": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen, store := &recorder{}, memsession.New()
				m := newManager(t, store, config{Observer: seen})
				first := m
				if !inside {
					first = newManager(t, store, config{})
				}
				s := create(t, m, 1)
				slow := func(context.Context, *session.Session[cart]) error { time.Sleep(busy); return nil }
				var wg sync.WaitGroup
				wg.Go(func() { _ = first.Exclusive(t.Context(), s.ID, slow) })
				synctest.Wait()
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					_ = m.Exclusive(ctx, s.ID, slow)
				})
				wg.Go(func() { _ = m.Exclusive(t.Context(), s.ID, slow) })
				wg.Wait()
				const poll = 50 * time.Millisecond // another process's lease is polled for
				want := map[session.Result][2]time.Duration{session.ResultBusy: {patience, patience}, session.ResultOK: {busy, 2 * busy}}
				for _, e := range seen.of(session.OpExclusive) {
					if e.Result == session.ResultOK && e.Waited == 0 {
						continue // the first one
					}
					waited, took := want[e.Result][0], want[e.Result][1]
					if e.Waited < waited || e.Waited > waited+poll || e.Took < took || e.Took > took+poll {
						t.Errorf("%v waited for %v and took %v, want %v and %v", e.Result, e.Waited, e.Took, waited, took)
					}
					delete(want, e.Result)
				}
				if len(want) > 0 {
					t.Errorf("no event of %v in %+v", want, seen.of(session.OpExclusive))
				}
			})
		})
	}
}

func TestEveryEndNamesTheSessionAndItsSubject(t *testing.T) {
	type end struct {
		Reason  session.EndReason
		Session session.Hash
		Subject string
	}
	for name, c := range map[string]struct {
		cfg config
		do  func(ctx context.Context, m *manager, s *session.Session[cart])
		end end // but for Session
	}{
		"logout":           {config{}, func(ctx context.Context, m *manager, s *session.Session[cart]) { _ = m.Delete(ctx, s.ID) }, end{session.ReasonDeleted, session.Hash{}, "ann"}},
		"of all sessions":  {config{}, func(ctx context.Context, m *manager, s *session.Session[cart]) { _, _ = m.DeleteSubject(ctx, "ann") }, end{session.ReasonDeleted, session.Hash{}, "ann"}},
		"rotation":         {config{}, func(ctx context.Context, m *manager, s *session.Session[cart]) { _ = m.Rotate(ctx, s) }, end{session.ReasonRotated, session.Hash{}, "ann"}},
		"login as another": {config{}, func(ctx context.Context, m *manager, s *session.Session[cart]) { _ = m.Bind(ctx, s, "ben") }, end{session.ReasonRotated, session.Hash{}, "ann"}},
		"eviction": {config{MaxPerSubject: 1, WhenFull: session.EvictOldest}, func(ctx context.Context, m *manager, s *session.Session[cart]) {
			_, _ = m.Create(ctx, cart{}, session.ForSubject("ann"))
		}, end{session.ReasonEvicted, session.Hash{}, "ann"}},
		"eviction by a login": {config{MaxPerSubject: 1, WhenFull: session.EvictOldest}, func(ctx context.Context, m *manager, s *session.Session[cart]) {
			other, _ := m.Create(ctx, cart{})
			_ = m.Bind(ctx, other, "ann")
		}, end{session.ReasonEvicted, session.Hash{}, "ann"}},
		"expiry": {config{OnExpire: func(context.Context, session.Expired[cart]) error { return nil }}, func(ctx context.Context, m *manager, s *session.Session[cart]) {
			time.Sleep(time.Hour)
			_, _ = m.Sweep(ctx)
		}, end{session.ReasonIdle, session.Hash{}, "ann"}},
		"expiry that no one reads": {config{}, func(ctx context.Context, m *manager, s *session.Session[cart]) {
			time.Sleep(time.Hour)
			_, _ = m.Sweep(ctx)
		}, end{session.ReasonIdle, session.Hash{}, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &recorder{}
				c.cfg.Observer = seen
				m := newManager(t, memsession.New(), c.cfg)
				s := create(t, m, 1, session.ForSubject("ann"))
				c.end.Session = m.Hash(s.ID)
				c.do(t.Context(), m, s)
				var got []end
				for _, e := range seen.of(session.OpEnded) {
					if e.Session == c.end.Session {
						got = append(got, end{e.Reason, e.Session, e.Subject})
					}
				}
				if len(got) != 1 || got[0] != c.end {
					t.Errorf("reported %+v, want %+v", got, c.end)
				}
			})
		})
	}
}
