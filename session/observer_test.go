// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestEachOperationIsOneEvent(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen})
	ctx := t.Context()
	s := create(t, m, 1)
	_, _ = m.Get(ctx, s.ID)
	_, _ = m.Peek(ctx, s.ID)
	_, _ = m.Touch(ctx, s.ID)
	_ = m.Save(ctx, s)
	_, _ = m.Update(ctx, s.ID, func(*cart) error { return nil })
	_ = m.Exclusive(ctx, s.ID, func(context.Context, *session.Session[cart]) error { return nil })
	_, _, _ = m.Open(ctx, chat, cart{})
	_ = m.Converse(ctx, chat, cart{}, func(context.Context, *session.Session[cart]) error { return nil })
	s, _ = m.Get(ctx, s.ID)
	_ = m.Rotate(ctx, s)
	_ = m.Bind(ctx, s, "ann")
	_ = m.Delete(ctx, s.ID)
	_, _ = m.Get(ctx, s.ID)
	_, _ = m.Sweep(ctx)
	var got []string
	for _, e := range seen.events {
		text := e.Op.String() + " " + e.Result.String()
		if e.Op == session.OpEnded {
			text = "ended " + e.Reason.String()
		}
		if e.Fresh {
			text += " fresh"
		}
		got = append(got, text)
		if e.Source == nil || e.Source.Name() != "carts" {
			t.Errorf("%s has source %v", text, e.Source)
		}
	}
	want := []string{
		"new success", "create success", "get success", "peek success", "touch success", "save success", "update success", "exclusive success",
		"open success fresh", "exclusive success", "get success", "ended rotated", "rotate success", "ended rotated", "bind success",
		"ended deleted", "delete success", "get not_found", "cleanup success",
	}
	if !slices.Equal(got, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEventsHoldNoSecrets(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen, MaxBytes: 50})
	s, _ := m.Create(t.Context(), cart{Notes: map[string]string{"a": card}}, session.ForSubject("ann@example.org"))
	token := s.ID.Token()
	_, _ = m.Get(t.Context(), s.ID)
	old := *s
	_ = m.Save(t.Context(), s)
	_ = m.Save(t.Context(), &old)
	_ = m.Delete(t.Context(), s.ID)
	_, _ = m.Get(t.Context(), s.ID)
	for _, e := range seen.events {
		e.Source = nil
		text := fmt.Sprintf("%+v", e)
		for _, secret := range []string{token, card, "ann@example.org"} {
			if strings.Contains(text, secret) && (secret != "ann@example.org" || e.Op != session.OpEnded) {
				t.Errorf("the event %s contains %q", text, secret)
			}
		}
	}
}

type panicky struct{ reported int }

func (p *panicky) ObserveSession(context.Context, session.Event) { p.reported++; panic("boom") }

func TestAPanickingObserverIsContainedAndCounted(t *testing.T) {
	first, second := &panicky{}, &recorder{}
	m := newManager(t, memsession.New(), config{Observer: session.Observers(nil, first, second)})
	create(t, m, 1)
	if got := m.Stats().ObserverPanics; got != 2 || first.reported != 2 || len(second.events) != 2 {
		t.Errorf("%d panics counted, %d and %d reported; want 2 each", got, first.reported, len(second.events))
	}
}

func TestAnObserverMayUseTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *manager
		var inside bool
		calls := 0
		m = newManager(t, memsession.New(), config{Observer: observerFunc(func(ctx context.Context, e session.Event) {
			if inside || e.Op == session.OpNew {
				return
			}
			inside = true
			defer func() { inside = false }()
			calls++
			e.Source.Stats()
			nothing := func(context.Context, *session.Session[cart]) error { return nil }
			if err := m.Converse(ctx, chat, cart{}, nothing); err != nil {
				t.Errorf("Converse inside %v: %v", e.Op, err)
			}
			if _, err := m.Sweep(ctx); err != nil {
				t.Errorf("Sweep inside %v: %v", e.Op, err)
			}
		})})
		s := create(t, m, 1)
		if err := m.Converse(t.Context(), chat, cart{}, func(context.Context, *session.Session[cart]) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := m.Rotate(t.Context(), s); err != nil {
			t.Error(err)
		}
		sweep(t, m)
		if calls < 4 {
			t.Errorf("%d events were reported", calls)
		}
	})
}

type observerFunc func(context.Context, session.Event)

func (f observerFunc) ObserveSession(ctx context.Context, e session.Event) { f(ctx, e) }

func TestOutcomesHaveTheirResult(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen, MaxBytes: 40, MaxPerSubject: 1})
	ctx := t.Context()
	s := create(t, m, 1, session.ForSubject("ann"))
	old := *s
	_ = m.Save(ctx, s)
	_ = m.Save(ctx, &old)
	s.Data.Notes = map[string]string{"x": strings.Repeat("x", 100)}
	_ = m.Save(ctx, s)
	_ = m.Save(ctx, nil)
	_ = m.Exclusive(ctx, s.ID, func(ctx context.Context, inner *session.Session[cart]) error {
		old.Data = cart{}
		return m.Save(ctx, &old)
	})
	var got []string
	for _, e := range seen.of(session.OpSave) {
		got = append(got, e.Result.String())
	}
	if want := []string{"success", "conflict", "too_large", "invalid", "busy"}; !slices.Equal(got, want) {
		t.Errorf("saves ended %v, want %v", got, want)
	}
	_, _ = m.Create(ctx, cart{}, session.ForSubject("ann"))
	if e := seen.of(session.OpCreate); e[len(e)-1].Result != session.ResultFull {
		t.Errorf("a Create over the limit ended %v", e[len(e)-1].Result)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = m.Update(ctx, s.ID, func(*cart) error { panic("boom") })
	}()
	if e := seen.of(session.OpUpdate); len(e) != 1 || e[0].Result != session.ResultFuncFailed || e[0].Err == nil {
		t.Errorf("an Update that panicked is reported as %+v", e)
	}
	store := memsession.New()
	s = create(t, newManager(t, store, config{}), 1)
	_, _ = newManager(t, store, config{Observer: seen, Codec: broken{}}).Get(ctx, s.ID)
	if e := seen.of(session.OpGet); e[len(e)-1].Result != session.ResultCorrupt {
		t.Errorf("a record that cannot be read is reported as %v", e[len(e)-1].Result)
	}
	refusing := newStage()
	refusing.on(func(context.Context, string) error { return fmt.Errorf("%w: no client", session.ErrInvalid) })
	if _, err := newManager(t, refusing, config{Observer: seen}).Get(ctx, s.ID); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("a store that refuses to work: %v, want its ErrInvalid", err)
	}
	if e := seen.of(session.OpGet); e[len(e)-1].Result != session.ResultFailed {
		t.Errorf("that is reported as %v, want a failure, which is no mistake of the caller", e[len(e)-1].Result)
	}
}

func TestNamesOfValuesAreStable(t *testing.T) {
	var got []string
	for _, c := range session.EndReasons() {
		got = append(got, c.String())
	}
	got = append(got, session.EvictIdlest.String(), session.QuarantineCorrupt.String(), session.StatusBroken.String(), session.Op(99).String(), session.OpCleanup.String(), session.ResultUnavailable.String())
	want := []string{"idle", "absolute", "deleted", "evicted", "rotated", "vanished", "corrupted", "invalid_format",
		"evict_idlest", "quarantine", "broken", "unknown", "cleanup", "unavailable"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestErrorsBeginWithThePackagesName(t *testing.T) {
	for _, err := range []error{
		session.ErrNotFound, session.ErrExpired, session.ErrConflict, session.ErrBusy, session.ErrLeaseLost, session.ErrTooLarge, session.ErrFull,
		session.ErrInvalid, session.ErrUnavailable, session.ErrClosed, &session.ConflictError[cart]{}, &session.CorruptError{}, &session.ConfigError{},
	} {
		if !strings.HasPrefix(err.Error(), "session: ") {
			t.Errorf("%q", err)
		}
	}
	if !errors.Is(session.ErrExpired, session.ErrNotFound) {
		t.Error("ErrExpired is not ErrNotFound")
	}
}
