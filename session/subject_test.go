// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

func TestSubjectsCanBeListedAndLoggedOutElsewhere(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen})
	ann := session.ForSubject("ann")
	here := create(t, m, 1, ann)
	create(t, m, 2, ann)
	create(t, m, 3, ann)
	bob := create(t, m, 4, session.ForSubject("bob"))
	total := 0
	for s, err := range m.BySubject(t.Context(), "ann") {
		if err != nil {
			t.Fatal(err)
		}
		if s.Subject != "ann" || s.ID.Token() != "" {
			t.Errorf("listed %+v, want ann's, without its token", s)
		}
		if got, err := m.Peek(t.Context(), s.ID); err != nil || got.Data.Items != s.Data.Items {
			t.Errorf("a listed id does not find its session: %v", err)
		}
		s.Data.Items += 10
		if err := m.Save(t.Context(), s); err != nil {
			t.Errorf("a listed session cannot be saved: %v", err)
		}
		total += s.Data.Items
	}
	if total != 36 {
		t.Errorf("listed sessions sum up to %d, want 11 + 12 + 13", total)
	}
	if n, err := m.DeleteSubject(t.Context(), "ann", here.ID, bob.ID); n != 2 || err != nil {
		t.Errorf("logged out %d, %v, want 2", n, err)
	}
	for _, s := range []*session.Session[cart]{here, bob} {
		if _, err := m.Get(t.Context(), s.ID); err != nil {
			t.Errorf("an excepted session is gone: %v", err)
		}
	}
	if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonDeleted, session.ReasonDeleted}) {
		t.Errorf("reported %v, want two deleted", got)
	}
	for range m.BySubject(t.Context(), "bob") {
		break // stopping early is fine
	}
}

// twice is a store that yields each record twice, as Redis may when an index grows.
type twice struct{ session.Store }

func (s twice) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return func(yield func(session.StoreRecord, error) bool) {
		for rec, err := range s.Store.List(ctx, l) {
			for range 2 {
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

func TestASubjectsSessionIsListedOnce(t *testing.T) {
	m := newManager(t, twice{memsession.New()}, config{})
	create(t, m, 1, session.ForSubject("ann"))
	n := 0
	for range m.BySubject(t.Context(), "ann") {
		n++
	}
	if n != 1 {
		t.Errorf("listed %d times", n)
	}
}

func TestAnUnreadableSessionDoesNotHideTheSubjectsOthers(t *testing.T) {
	store := memsession.New()
	m := newManager(t, store, config{})
	odd := newManager(t, store, config{Codec: binaryCodec{}})
	create(t, m, 1, session.ForSubject("ann"))
	create(t, odd, 2, session.ForSubject("ann"))
	create(t, m, 3, session.ForSubject("ann"))
	good, bad := 0, 0
	for _, err := range m.BySubject(t.Context(), "ann") {
		if _, corrupt := errors.AsType[*session.CorruptError](err); corrupt {
			bad++
		} else if err == nil {
			good++
		}
	}
	if good != 2 || bad != 1 {
		t.Errorf("listed %d and %d unreadable, want 2 and 1", good, bad)
	}
}

func TestASubjectsLimitHolds(t *testing.T) {
	for _, policy := range []session.FullPolicy{session.Reject, session.EvictOldest, session.EvictIdlest} {
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{Observer: seen, MaxPerSubject: 3, WhenFull: policy})
		var full atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, err := m.Create(t.Context(), cart{}, session.ForSubject("ann")); errors.Is(err, session.ErrFull) {
					full.Add(1)
				}
			})
		}
		wg.Wait()
		n, _ := m.Count(t.Context())
		ended := len(seen.reasons())
		if n != 3 || int(full.Load())+ended != 13 || (policy == session.Reject) != (ended == 0) {
			t.Errorf("%v: %d sessions, %d refused, %d ended; want 3, and 13 refused or evicted", policy, n, full.Load(), ended)
		}
	}
}

func TestLoginChangesTheIDAndKeepsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{Observer: seen})
		s := create(t, m, 1)
		old, born := s.ID, s.CreatedAt
		time.Sleep(time.Minute)
		s.Data.Items = 2
		if err := m.Bind(t.Context(), s, "ann"); err != nil {
			t.Fatal(err)
		}
		if s.ID == old || s.ID.Token() == "" || s.Subject != "ann" || s.CreatedAt.Sub(born) != time.Minute {
			t.Errorf("after Bind it is %+v, want another id, ann's, created now", s)
		}
		if got, err := m.Get(t.Context(), old); err == nil && got.Subject != "" {
			t.Errorf("the id from before the login leads to it: %+v", got)
		}
		rotated := *s
		if err := m.Rotate(t.Context(), &rotated); err != nil {
			t.Fatal(err)
		}
		got, err := m.Get(t.Context(), rotated.ID)
		if err != nil || got.Data.Items != 2 || got.Subject != "ann" {
			t.Errorf("after Rotate it is %+v, %v", got, err)
		}
		if err := m.Rotate(t.Context(), s); !errors.Is(err, session.ErrConflict) {
			t.Errorf("the loser of two rotations: %v, want ErrConflict", err)
		}
		if err := m.Save(t.Context(), &rotated); err != nil {
			t.Errorf("Save after Rotate: %v", err)
		}
		if reasons := seen.reasons(); !slices.Equal(reasons, []session.EndReason{session.ReasonRotated, session.ReasonRotated}) {
			t.Errorf("reported %v, want two rotated", reasons)
		}
		if n, _ := m.Count(t.Context()); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
	})
}

func TestRotateLosesNoUpdate(t *testing.T) {
	m := newManager(t, memsession.New(), config{MaxPerSubject: 1})
	s := create(t, m, 1)
	if _, err := m.Update(t.Context(), s.ID, func(c *cart) error { c.Items = 2; return nil }); err != nil {
		t.Fatal(err)
	}
	err := m.Bind(t.Context(), s, "ann")
	conflict, ok := errors.AsType[*session.ConflictError[cart]](err)
	if !ok || conflict.Current.Data.Items != 2 {
		t.Fatalf("Bind of an old copy: %v, want a conflict with the current one", err)
	}
	create(t, m, 1, session.ForSubject("ann"))
	if err := m.Bind(t.Context(), conflict.Current, "ann"); !errors.Is(err, session.ErrFull) {
		t.Errorf("Bind over the limit: %v, want ErrFull", err)
	}
}

func TestStoreFailuresAreDistinguishedFromTheCallersOwn(t *testing.T) {
	store := newStage()
	seen := &recorder{}
	m := newManager(t, store, config{Observer: seen})
	s := create(t, m, 1, session.ForSubject("ann"))
	bound := create(t, m, 1)
	calls := map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := m.Create(ctx, cart{}); return err },
		"Open":   func(ctx context.Context) error { _, _, err := m.Open(ctx, chat, cart{}); return err },
		"Open with much data": func(ctx context.Context) error {
			_, _, err := m.Open(ctx, chat, cart{Notes: map[string]string{"x": string(make([]byte, 1000))}})
			return err
		},
		"Get":   func(ctx context.Context) error { _, err := m.Get(ctx, s.ID); return err },
		"Touch": func(ctx context.Context) error { _, err := m.Touch(ctx, s.ID); return err },
		"Save":  func(ctx context.Context) error { return m.Save(ctx, s) },
		"Update": func(ctx context.Context) error {
			_, err := m.Update(ctx, s.ID, func(*cart) error { return nil })
			return err
		},
		"Exclusive":     func(ctx context.Context) error { return m.Exclusive(ctx, s.ID, nothing) },
		"Delete":        func(ctx context.Context) error { return m.Delete(ctx, s.ID) },
		"DeleteSubject": func(ctx context.Context) error { _, err := m.DeleteSubject(ctx, "ann"); return err },
		"Rotate":        func(ctx context.Context) error { return m.Rotate(ctx, bound) },
		"Count":         func(ctx context.Context) error { _, err := m.Count(ctx); return err },
		"Sweep":         func(ctx context.Context) error { _, err := m.Sweep(ctx); return err },
		"BySubject": func(ctx context.Context) error {
			for _, err := range m.BySubject(ctx, "ann") {
				return err
			}
			return nil
		},
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		store.on(func(context.Context, string) error { return errDown })
		if err := call(t.Context()); !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, errDown) {
			t.Errorf("%s without a store: %v, want ErrUnavailable with its cause", name, err)
		}
		store.on(nil)
		if err := call(canceled); !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s under a cancelled context: %v, want its cancellation only", name, err)
		}
	}
	for _, e := range seen.of(session.OpGet) {
		if e.Result != session.ResultUnavailable && e.Result != session.ResultCanceled {
			t.Errorf("a failed Get is reported as %v", e.Result)
		}
	}
}

func TestAHangingStoreCostsTheTimeoutAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		store.on(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		start := time.Now()
		_, err := m.Get(t.Context(), s.ID)
		if !errors.Is(err, session.ErrUnavailable) || time.Since(start) != 250*time.Millisecond {
			t.Errorf("Get took %v: %v, want ErrUnavailable after 250ms", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err = m.Get(ctx, s.ID); !errors.Is(err, session.ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("Get with a deadline took %v: %v, want ErrUnavailable at the deadline", time.Since(start), err)
		}
		start = time.Now()
		if _, err = m.Sweep(t.Context()); !errors.Is(err, session.ErrUnavailable) || time.Since(start) != 5*time.Second {
			t.Errorf("Sweep took %v: %v, want ErrUnavailable after two calls of 2.5 s", time.Since(start), err)
		}
	})
}

// nothing is a function that has nothing to do.
func nothing(context.Context, *session.Session[cart]) error { return nil }

// hiding is a store that may have lost the places of some sessions.
type hiding struct{ session.Store }

func (h hiding) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	r, err := h.Store.Delete(ctx, d)
	r.Incomplete = true
	return r, err
}

func (h hiding) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return func(yield func(session.StoreRecord, error) bool) {
		for rec, err := range h.Store.List(ctx, l) {
			if !yield(rec, err) {
				return
			}
		}
		yield(session.StoreRecord{}, fmt.Errorf("%w: list", session.ErrIncomplete))
	}
}

func TestWhatASubjectMayHaveBesidesIsReportedBesideWhatWasFound(t *testing.T) {
	m := newManager(t, hiding{memsession.New()}, config{})
	s, err := m.Create(t.Context(), cart{}, session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	found, last := 0, error(nil)
	for _, err := range m.BySubject(t.Context(), "ann") {
		if last = err; err == nil {
			found++
		}
	}
	if found != 1 || !errors.Is(last, session.ErrIncomplete) {
		t.Errorf("listed %d, and then %v, want 1 and ErrIncomplete", found, last)
	}
	if text, err := m.Export(t.Context(), "ann"); !strings.Contains(string(text), "Session") || !errors.Is(err, session.ErrIncomplete) {
		t.Errorf("exported %s, %v, want the session and ErrIncomplete", text, err)
	}
	if n, err := m.DeleteSubject(t.Context(), "ann"); n != 1 || !errors.Is(err, session.ErrIncomplete) {
		t.Errorf("ended %d, %v, want 1 and ErrIncomplete", n, err)
	}
	if _, err := m.Get(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the session that was found: %v, want ErrNotFound", err)
	}
}

// slow is a store whose Delete takes most of a manager's Timeout.
type slow struct{ session.Store }

func (s slow) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	time.Sleep(200 * time.Millisecond)
	return s.Store.Delete(ctx, d)
}

func TestEachTripOfALogOutEverywhereHasItsOwnTimeAndAPauseAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, slow{memsession.New()}, config{MaxPerSubject: -1})
		for range 2500 {
			if _, err := m.Create(t.Context(), cart{}, session.ForSubject("ann")); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		n, err := m.DeleteSubject(t.Context(), "ann")
		if n != 2500 || err != nil || time.Since(start) != time.Second {
			t.Errorf("ended %d in %v, %v, want 2500 in three trips of 200 ms with a pause of 200 ms after the first two", n, time.Since(start), err)
		}
		for range 2500 {
			_, _ = m.Create(t.Context(), cart{}, session.ForSubject("ann"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if n, err := m.DeleteSubject(ctx, "ann"); n != 1000 || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("with 300 ms it ended %d, %v, want the 1000 of one trip, and ErrUnavailable", n, err)
		}
	})
}
