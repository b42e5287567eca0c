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

func TestAfterARotationTheOldIDLeadsToTheSessionForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1, session.ForSubject("ann"))
		first, before := s.ID, *s
		if err := errors.Join(m.Rotate(t.Context(), s), m.Rotate(t.Context(), s)); err != nil {
			t.Fatal(err)
		}
		got, err := m.Get(t.Context(), first)
		if err != nil || got.Subject != "ann" || got.ID.Token() != "" {
			t.Fatalf("a request with the old token gets %+v, %v, want ann's session without a token", got, err)
		}
		got.Data.Items = 2
		if err := m.Save(t.Context(), got); err != nil {
			t.Errorf("its save: %v", err)
		}
		if _, err := m.Update(t.Context(), first, func(c *cart) error { c.Items += 3; return nil }); err != nil {
			t.Errorf("its update: %v", err)
		}
		err = m.Exclusive(t.Context(), first, func(ctx context.Context, s *session.Session[cart]) error { s.Data.Items += 5; return nil })
		if err != nil {
			t.Errorf("its exclusive handling: %v", err)
		}
		if _, err := m.Touch(t.Context(), first); err != nil {
			t.Errorf("its touch: %v", err)
		}
		now, err := m.Get(t.Context(), s.ID)
		if err != nil || now.Data.Items != 10 || now.ID != s.ID {
			t.Errorf("under the new id there is %+v, %v, want what was saved by the old one", now, err)
		}
		conflict, ok := errors.AsType[*session.ConflictError[cart]](m.Save(t.Context(), &before))
		if !ok || conflict.Current.Data.Items != 10 {
			t.Errorf("a save of what was read before the rotation: %+v, want a conflict with the current session", conflict)
		}
		if err := m.Save(t.Context(), conflict.Current); err != nil {
			t.Errorf("the merged session cannot be saved: %v", err)
		}
		if n, _ := m.Count(t.Context()); n != 1 {
			t.Errorf("%d sessions are counted, want 1", n)
		}
		time.Sleep(10 * time.Second)
		if _, err := m.Get(t.Context(), first); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("after the grace the old id: %v, want ErrNotFound", err)
		}
		if _, err := m.Get(t.Context(), s.ID); err != nil {
			t.Errorf("the session itself: %v", err)
		}
	})
}

func TestAfterALoginTheOldIDShowsWhatWasBeforeAndNoMore(t *testing.T) {
	for _, subject := range []string{"", "ben"} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, memsession.New(), config{})
			s := create(t, m, 1, session.ForSubject(subject))
			planted, before := s.ID, *s
			s.Data.Items = 2
			if err := m.Bind(t.Context(), s, "ann"); err != nil {
				t.Fatal(err)
			}
			got, err := m.Get(t.Context(), planted)
			if err != nil || got.Data.Items != 1 || got.Subject != "" {
				t.Fatalf("the old id shows %+v, %v, want the data from before and no subject", got, err)
			}
			if _, err := m.Touch(t.Context(), planted); err != nil {
				t.Errorf("Touch: %v", err)
			}
			for name, err := range map[string]error{
				"Save":                   m.Save(t.Context(), got),
				"Save of an older copy":  m.Save(t.Context(), &before),
				"Rotate":                 m.Rotate(t.Context(), got),
				"Bind":                   m.Bind(t.Context(), got, "mallory"),
				"Bind of an older copy":  m.Bind(t.Context(), &before, "mallory"),
				"Exclusive":              m.Exclusive(t.Context(), planted, nothing),
				"Update by the old id":   update(t, m, planted),
				"Update by an older one": update(t, m, before.ID),
			} {
				if !errors.Is(err, session.ErrReadOnly) {
					t.Errorf("%s: %v, want ErrReadOnly", name, err)
				}
			}
			if err := m.Delete(t.Context(), planted); err != nil {
				t.Error(err)
			}
			if now, err := m.Get(t.Context(), s.ID); err != nil || now.Subject != "ann" || now.Data.Items != 2 {
				t.Errorf("the login is %+v, %v: who planted the id has harmed it", now, err)
			}
			if _, err := m.Get(t.Context(), planted); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("the deleted old id: %v, want ErrNotFound", err)
			}
		})
	}
}

func update(t *testing.T, m *manager, id session.ID) error {
	_, err := m.Update(t.Context(), id, func(c *cart) error { c.Items = 99; return nil })
	return err
}

func TestTheEndOfASessionEndsTheGraceOfItsOldIDs(t *testing.T) {
	for name, end := range map[string]func(m *manager, s *session.Session[cart], old session.ID) error{
		"Delete":        func(m *manager, s *session.Session[cart], _ session.ID) error { return m.Delete(t.Context(), s.ID) },
		"DeleteSubject": func(m *manager, _ *session.Session[cart], _ session.ID) error { return deleteSubject(t, m) },
		"Rotate and Delete": func(m *manager, s *session.Session[cart], _ session.ID) error {
			return errors.Join(m.Rotate(t.Context(), s), m.Delete(t.Context(), s.ID))
		},
		"another login and its Delete": func(m *manager, s *session.Session[cart], _ session.ID) error {
			return errors.Join(m.Bind(t.Context(), s, "bob"), m.Delete(t.Context(), s.ID))
		},
	} {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1)
		visit := s.ID
		if err := m.Bind(t.Context(), s, "ann"); err != nil {
			t.Fatal(err)
		}
		login := s.ID
		if err := errors.Join(m.Rotate(t.Context(), s), end(m, s, login)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, id := range map[string]session.ID{"from before the login": visit, "from before the rotation": login, "latest": s.ID} {
			if got, err := m.Get(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("after %s the id %s shows %+v, %v", name, what, got, err)
			}
		}
	}
}

func deleteSubject(t *testing.T, m *manager) error {
	n, err := m.DeleteSubject(t.Context(), "ann")
	if n != 1 {
		t.Errorf("deleted %d, want 1", n)
	}
	return err
}

func TestALogoutByTheOldIDOfARotationLogsOut(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen})
	s := create(t, m, 1, session.ForSubject("ann"))
	old := s.ID
	if err := errors.Join(m.Rotate(t.Context(), s), m.Delete(t.Context(), old)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the session lives on: %v", err)
	}
	if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonRotated, session.ReasonDeleted}) {
		t.Errorf("reported %v", got)
	}
}

func TestLoggingOutElsewhereByTheOldIDOfARotationSparesTheSession(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1, session.ForSubject("ann"))
	create(t, m, 2, session.ForSubject("ann"))
	old := s.ID
	if err := m.Rotate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n, err := m.DeleteSubject(t.Context(), "ann", old); n != 1 || err != nil {
		t.Errorf("ended %d, %v, want the other one", n, err)
	}
	if _, err := m.Get(t.Context(), s.ID); err != nil {
		t.Errorf("the session of the request: %v", err)
	}
}

func TestWithoutRotateGraceOldIDsAreWorthlessAtOnce(t *testing.T) {
	m := newManager(t, memsession.New(), config{RotateGrace: -1})
	s := create(t, m, 1)
	first := s.ID
	_ = m.Rotate(t.Context(), s)
	second := s.ID
	_ = m.Bind(t.Context(), s, "ann")
	for _, id := range []session.ID{first, second} {
		if _, err := m.Get(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("an old id: %v, want ErrNotFound", err)
		}
	}
}

func TestNoGraceOutlivesTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{RotateGrace: time.Hour})
		s := create(t, m, 1, session.Lifetime(time.Minute, time.Minute))
		visit := s.ID
		time.Sleep(30 * time.Second)
		if err := m.Bind(t.Context(), s, "ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if _, err := m.Get(t.Context(), visit); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the visitor's session has outlived its timeout: %v", err)
		}
		if _, err := m.Get(t.Context(), s.ID); err != nil {
			t.Errorf("the login: %v", err)
		}
	})
}

func TestASealedSessionIsReadByItsOldIDs(t *testing.T) {
	m := newManager(t, memsession.New(), sealing(key(1)))
	s := create(t, m, 1)
	visit := s.ID
	_ = m.Bind(t.Context(), s, "ann")
	login := s.ID
	_ = m.Rotate(t.Context(), s)
	for id, want := range map[session.ID]string{visit: "", login: "ann", s.ID: "ann"} {
		if got, err := m.Get(t.Context(), id); err != nil || got.Subject != want || got.Data.Items != 1 {
			t.Errorf("read %+v, %v, want subject %q", got, err, want)
		}
	}
}

// One who waits for a session while it gets another id handles it there.
func TestWhoWaitsDuringARotationHandlesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1)
		old := s.ID
		handling, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- m.Exclusive(t.Context(), old, func(context.Context, *session.Session[cart]) error {
				close(handling)
				time.Sleep(time.Second)
				return nil
			})
		}()
		<-handling
		waiting := make(chan error, 1)
		go func() {
			waiting <- m.Exclusive(t.Context(), old, func(_ context.Context, s *session.Session[cart]) error { s.Data.Items = 7; return nil })
		}()
		synctest.Wait()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Errorf("the one who waited: %v", err)
		}
		s, err := m.Get(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Rotate(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := m.Exclusive(t.Context(), old, func(_ context.Context, s *session.Session[cart]) error { s.Data.Items++; return nil }); err != nil {
			t.Errorf("by the old id: %v", err)
		}
		if got, err := m.Get(t.Context(), s.ID); err != nil || got.Data.Items != 8 {
			t.Errorf("read %+v, %v", got, err)
		}
	})
}

func TestAPlaceInLineOutlastsTheGraceOfTheIDThatItWasTakenBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{RotateGrace: 10 * time.Second})
		s := create(t, m, 1)
		old := s.ID
		if err := m.Rotate(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		ids := []session.ID{s.ID, old, s.ID}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				err := m.Exclusive(t.Context(), id, func(context.Context, *session.Session[cart]) error {
					time.Sleep(20 * time.Second)
					return nil
				})
				if ended := time.Since(s.CreatedAt); err != nil || ended != time.Duration(i+1)*20*time.Second {
					t.Errorf("handler %d ended after %v: %v", i, ended, err)
				}
			})
		}
		wg.Wait()
	})
}

// A handler that got its session by an id from before a rotation, which it goes on using.
func TestWithinTheHandlerTheOldIDOfARotationIsTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		call  func(ctx context.Context, m *manager, old session.ID) error
		want  error
		items int // that are left; 0 = the session has ended
	}{
		"Exclusive": {func(ctx context.Context, m *manager, old session.ID) error { return m.Exclusive(ctx, old, idle) }, session.ErrInvalid, 7},
		"Update": {func(ctx context.Context, m *manager, old session.ID) error {
			_, err := m.Update(ctx, old, func(*cart) error { return nil })
			return err
		}, session.ErrInvalid, 7},
		"Delete": {func(ctx context.Context, m *manager, old session.ID) error { return m.Delete(ctx, old) }, nil, 0},
		"DeleteSubject of the others": {func(ctx context.Context, m *manager, old session.ID) error {
			_, err := m.DeleteSubject(ctx, "ann", old)
			return err
		}, nil, 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, memsession.New(), config{})
			s := create(t, m, 1, session.ForSubject("ann"))
			first := s.ID
			_ = m.Rotate(t.Context(), s)
			old := s.ID
			_ = m.Rotate(t.Context(), s)
			start := time.Now()
			err := m.Exclusive(t.Context(), first, func(ctx context.Context, s *session.Session[cart]) error {
				s.Data.Items = 7
				if err := c.call(ctx, m, old); !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", name, err, c.want)
				}
				return nil
			})
			if err != nil {
				t.Errorf("the handler that called %s: %v", name, err)
			}
			_ = m.Exclusive(t.Context(), s.ID, idle)
			if took := time.Since(start); took != 0 {
				t.Errorf("%s kept callers waiting for %v", name, took)
			}
			if got, _ := m.Peek(t.Context(), s.ID); (got == nil) != (c.items == 0) || got != nil && got.Data.Items != c.items {
				t.Errorf("after %s there is %+v, want %d items", name, got, c.items)
			}
		})
	}
}
