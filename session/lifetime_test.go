// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestALoginBeginsTheAbsoluteAgeAnew(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, memsession.New(), config{IdleTimeout: -1, AbsoluteTimeout: time.Hour, BindKeepsAge: keeps})
			s := create(t, m, 1)
			born := s.CreatedAt
			time.Sleep(50 * time.Minute)
			if err := m.Bind(t.Context(), s, "ann"); err != nil {
				t.Fatal(err)
			}
			if s.CreatedAt.Equal(born) != keeps {
				t.Errorf("keeps %v: after the login it was created at %v, before at %v", keeps, s.CreatedAt, born)
			}
			time.Sleep(20 * time.Minute)
			if _, err := m.Peek(t.Context(), s.ID); errors.Is(err, session.ErrExpired) != keeps {
				t.Errorf("keeps %v: 20 minutes after the login: %v", keeps, err)
			}
			time.Sleep(40 * time.Minute)
			if _, err := m.Peek(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("keeps %v: an hour after the login: %v, want its end", keeps, err)
			}
		})
	}
}

func TestEachSessionMayHaveALifetimeOfItsOwn(t *testing.T) {
	const none = time.Duration(-1)
	for name, c := range map[string]struct {
		create, bind          session.CreateOption
		idle, absolute, after time.Duration // after the login: idle without use, absolute with use
		config                time.Duration // its IdleTimeout
	}{
		"Config's":                {nil, nil, 10 * time.Minute, time.Hour, time.Minute, 0},
		"remembered":              {nil, session.Lifetime(100*time.Hour, 300*time.Hour), 100 * time.Hour, 300 * time.Hour, time.Minute, 0},
		"short":                   {session.Lifetime(time.Minute, 5*time.Minute), nil, time.Minute, 5 * time.Minute, 30 * time.Second, 0},
		"only absolute, shorter":  {session.Lifetime(0, 3*time.Minute), nil, 3 * time.Minute, 3 * time.Minute, time.Minute, 0},
		"only absolute, longer":   {nil, session.Lifetime(0, 2*time.Hour), 10 * time.Minute, 2 * time.Hour, time.Minute, 0},
		"without idle timeout":    {nil, session.Lifetime(-1, 0), time.Hour, time.Hour, time.Minute, 0},
		"Config's again at login": {session.Lifetime(-1, 300*time.Hour), session.DefaultLifetime(), 10 * time.Minute, time.Hour, time.Minute, 0},
		"at login as at first":    {session.Lifetime(20*time.Minute, 3*time.Hour), session.Lifetime(0, 0), 20 * time.Minute, 3 * time.Hour, time.Minute, 0},
		"Config's none":           {nil, nil, time.Hour, time.Hour, time.Minute, none},
		"Config's none, longer":   {session.Lifetime(0, 3*time.Hour), nil, 3 * time.Hour, 3 * time.Hour, time.Minute, none},
		"its own none, longer":    {nil, session.Lifetime(0, 3*time.Hour), 3 * time.Hour, 3 * time.Hour, time.Minute, none},
		"its own, not Config's":   {session.Lifetime(time.Minute, 0), session.Lifetime(0, 3*time.Hour), time.Minute, 3 * time.Hour, time.Second, none},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, memsession.New(), config{IdleTimeout: c.config})
			login := func() (*session.Session[cart], time.Time) {
				s := create(t, m, 1, c.create)
				time.Sleep(c.after)
				if err := errors.Join(m.Bind(t.Context(), s, "ann", c.bind), m.Rotate(t.Context(), s)); err != nil {
					t.Fatal(err)
				}
				return s, time.Now()
			}
			s, _ := login()
			time.Sleep(c.idle - time.Second)
			_, before := m.Peek(t.Context(), s.ID)
			time.Sleep(time.Second)
			if _, after := m.Peek(t.Context(), s.ID); before != nil || after == nil {
				t.Errorf("%s: a second before the idle timeout of %v: %v; at it: %v", name, c.idle, before, after)
			}
			s, began := login()
			for err := error(nil); err == nil; _, err = m.Get(t.Context(), s.ID) {
				time.Sleep(c.idle / 3)
			}
			if lasted := time.Since(began); lasted < c.absolute || lasted > c.absolute+c.idle/3 {
				t.Errorf("%s: in use it ends %v after the login, want %v", name, lasted, c.absolute)
			}
		})
	}
}

func TestLifetimesThatMakeNoSenseAreRefused(t *testing.T) {
	store := newStage()
	m, endless := newManager(t, store, config{}), newManager(t, store, config{IdleTimeout: -1})
	s := create(t, m, 1)
	store.trips()
	if _, err := endless.Create(t.Context(), cart{}, session.Lifetime(0, -1)); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("Create without an absolute timeout, where Config has no idle one: %v, want ErrInvalid", err)
	}
	for name, opt := range map[string]session.CreateOption{
		"none at all":             session.Lifetime(-1, -1),
		"idle longer than all":    session.Lifetime(2*time.Hour, 0),
		"less than a millisecond": session.Lifetime(time.Microsecond, 0),
		"more than fifty years":   session.Lifetime(0, 500_000*time.Hour),
	} {
		if _, err := m.Create(t.Context(), cart{}, opt); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("Create with %s: %v, want ErrInvalid", name, err)
		}
		if err := m.Bind(t.Context(), s, "ann", opt); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("Bind with %s: %v, want ErrInvalid", name, err)
		}
	}
	if err := m.Bind(t.Context(), s, "ann", session.ForSubject("ann")); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("Bind with a second subject: %v, want ErrInvalid", err)
	}
	if got := store.trips(); len(got) != 0 {
		t.Errorf("the store was asked for %v", got)
	}
}

func TestOfTwoManagersTheTimeoutsOfTheRecordCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memsession.New()
		short := newManager(t, store, config{IdleTimeout: time.Minute, AbsoluteTimeout: time.Hour})
		long := newManager(t, store, config{IdleTimeout: 10 * time.Hour, AbsoluteTimeout: 100 * time.Hour})
		s := create(t, short, 1)
		other := create(t, long, 1)
		time.Sleep(40 * time.Second)
		for _, touch := range []func() error{
			func() error { _, err := long.Get(t.Context(), s.ID); return err },
			func() error { _, err := short.Get(t.Context(), other.ID); return err },
			func() error {
				_, err := long.Update(t.Context(), s.ID, func(c *cart) error { c.Items++; return nil })
				return err
			},
			func() error { return short.Exclusive(t.Context(), other.ID, nothing) },
		} {
			if err := touch(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(61 * time.Second)
		if _, err := long.Peek(t.Context(), s.ID); !errors.Is(err, session.ErrExpired) {
			t.Errorf("another manager has made the session longer: %v", err)
		}
		time.Sleep(9 * time.Hour)
		if _, err := short.Peek(t.Context(), other.ID); err != nil {
			t.Errorf("another manager has made the session shorter: %v", err)
		}
	})
}

// TouchEvery is Config's; a session with a shorter idle timeout is touched more often.
func TestASessionInUseDoesNotEndHoweverShortItsOwnIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{IdleTimeout: 10 * time.Hour, AbsoluteTimeout: 100 * time.Hour, TouchEvery: time.Hour})
		s := create(t, m, 1, session.Lifetime(time.Minute, 0))
		for range 100 {
			time.Sleep(20 * time.Second)
			if _, err := m.Get(t.Context(), s.ID); err != nil {
				t.Fatalf("after %v of use: %v", time.Since(s.CreatedAt), err)
			}
		}
		err := m.Exclusive(t.Context(), s.ID, func(ctx context.Context, _ *session.Session[cart]) error { return sleepFor(ctx, 5*time.Minute) })
		if err != nil {
			t.Errorf("a handler that takes longer than the idle timeout: %v", err)
		}
	})
}

func sleepFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
