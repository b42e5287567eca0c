// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// card is what must never show in an error.
const card = "4111 1111 1111 1111"

func TestAnUnreadableSessionThatOthersRemovedIsNotReportedAsEnded(t *testing.T) {
	store, seen := newStage(), &recorder{}
	s := create(t, newManager(t, store, config{}), 1)
	m := newManager(t, store, config{Observer: seen, Codec: broken{}})
	store.on(func(ctx context.Context, call string) error {
		if call == "Delete" {
			_, _ = store.Store.Delete(ctx, session.RemoveRequest{Space: "carts", Handles: []session.Hash{store.writes[0].Hash}})
		}
		return nil
	})
	if _, err := m.Get(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if got := seen.reasons(); len(got) != 0 {
		t.Errorf("reported %v for a session that another process ended", got)
	}
}

func TestAnUnreadableSessionCostsOneErrorAndNoMore(t *testing.T) {
	calls := map[string]func(*manager, *session.Session[cart]) error{
		"Get":  func(m *manager, s *session.Session[cart]) error { _, err := m.Get(t.Context(), s.ID); return err },
		"Peek": func(m *manager, s *session.Session[cart]) error { _, err := m.Peek(t.Context(), s.ID); return err },
		"Update": func(m *manager, s *session.Session[cart]) error {
			_, err := m.Update(t.Context(), s.ID, func(*cart) error { return nil })
			return err
		},
		"Exclusive": func(m *manager, s *session.Session[cart]) error { return m.Exclusive(t.Context(), s.ID, nothing) },
	}
	for name, call := range calls {
		for _, policy := range []session.CorruptPolicy{session.DiscardCorrupt, session.QuarantineCorrupt} {
			for _, reason := range []session.EndReason{session.Corrupted, session.InvalidFormat} {
				store, seen := newStage(), &recorder{}
				m := newManager(t, store, config{Observer: seen, OnCorrupt: policy})
				s := create(t, m, 1)
				if reason == session.Corrupted {
					store.Store.(*memsession.Store).Damage(store.writes[0].Handle)
				} else {
					m = newManager(t, store, config{Observer: seen, OnCorrupt: policy, Codec: broken{}})
				}
				err := call(m, s)
				corrupt, ok := errors.AsType[*session.CorruptError](err)
				if !ok || corrupt.Reason != reason || !errors.Is(err, session.ErrNotFound) || strings.Contains(err.Error(), card) {
					t.Errorf("%s of a record that is %v: %v, want a CorruptError that is ErrNotFound", name, reason, err)
				}
				if err := call(m, s); !errors.Is(err, session.ErrNotFound) || errors.As(err, &corrupt) {
					t.Errorf("%s once more: %v, want a plain ErrNotFound", name, err)
				}
				if got := seen.reasons(); !slices.Equal(got, []session.EndReason{reason}) {
					t.Errorf("%s told %v, want %v once", name, got, reason)
				}
				c, _ := store.Count(t.Context(), "carts")
				if want := int64(policy); c.Quarantined != want || c.Active != 0 {
					t.Errorf("%s left %+v with policy %v", name, c, policy)
				}
			}
		}
	}
}

func TestDeletingDoesNotRead(t *testing.T) {
	store := memsession.New()
	s := create(t, newManager(t, store, config{}), 1)
	m := newManager(t, store, config{Codec: panicking{}})
	if err := m.Delete(t.Context(), s.ID); err != nil {
		t.Errorf("Delete of a session that nobody can read: %v", err)
	}
	if n, _ := m.Count(t.Context()); n != 0 {
		t.Error("it is still there")
	}
}

func TestOpenReplacesAnUnreadableConversation(t *testing.T) {
	for _, size := range []int{1, 1000} {
		store, seen := newStage(), &recorder{}
		m := newManager(t, store, config{Observer: seen})
		data := cart{Items: 2, Notes: map[string]string{"x": strings.Repeat("x", size)}}
		for _, spoil := range []func(){
			func() { store.Store.(*memsession.Store).Damage(store.writes[len(store.writes)-1].Handle) },
			func() {
				other := newManager(t, store, config{Codec: binaryCodec{}})
				_ = m.Delete(t.Context(), chat.ID())
				_, _, _ = other.Open(t.Context(), chat, cart{})
			},
		} {
			_, _, _ = m.Open(t.Context(), chat, cart{Items: 1})
			spoil()
			s, created, err := m.Open(t.Context(), chat, data)
			if err != nil || !created || s.Data.Items != 2 {
				t.Errorf("Open over an unreadable record: %+v, %v, %v, want a new session at once", s, created, err)
			}
		}
		if got := seen.reasons(); !slices.Contains(got, session.Corrupted) || !slices.Contains(got, session.InvalidFormat) {
			t.Errorf("told %v, want both reasons", got)
		}
	}
}

// spoiling finds each record unreadable that it is to create.
type spoiling struct{ session.Store }

func (spoiling) Create(context.Context, session.WriteRequest) (session.Reply, error) {
	return session.Reply{Status: session.Broken, Reason: session.Corrupted}, nil
}

func TestOpenGivesUpOnAStoreThatSpoilsEverything(t *testing.T) {
	_, _, err := newManager(t, spoiling{memsession.New()}, config{}).Open(t.Context(), chat, cart{})
	if _, corrupt := errors.AsType[*session.CorruptError](err); !corrupt {
		t.Errorf("%v, want a CorruptError", err)
	}
}

func TestNothingIsLeftThatTheCodecCannotRead(t *testing.T) {
	for name, codec := range map[string]session.Codec{"refuses": broken{}, "panics": panicking{}} {
		store := newStage()
		m := newManager(t, store, config{Codec: codec})
		fail := func(context.Context, *session.Session[cart]) error { t.Error("handled"); return nil }
		_, err := m.Create(t.Context(), cart{})
		if got := store.trips(); len(got) != 0 {
			t.Errorf("a codec that %s: Create asked the store for %v", name, got)
		}
		_, _, opened := m.Open(t.Context(), chat, cart{})
		for what, err := range map[string]error{"Create": err, "Open": opened, "Converse": m.Converse(t.Context(), chat, cart{}, fail)} {
			if !errors.Is(err, session.ErrInvalid) || errors.Is(err, session.ErrNotFound) {
				t.Errorf("a codec that %s: %s: %v, want ErrInvalid", name, what, err)
			}
		}
		if n, err := m.Count(t.Context()); n != 0 || err != nil {
			t.Errorf("a codec that %s: %d sessions are left, %v", name, n, err)
		}
	}
}

func TestWhatSomebodySavedMeanwhileIsNotDiscarded(t *testing.T) {
	store := newStage()
	good, bad := newManager(t, store, config{}), newManager(t, store, config{Codec: broken{}})
	s := create(t, good, 1)
	store.on(func(ctx context.Context, call string) error {
		if call == "Delete" { // between the bad read and its removal
			store.on(nil)
			_, err := good.Update(ctx, s.ID, func(c *cart) error { c.Items = 2; return nil })
			return err
		}
		return nil
	})
	if _, err := bad.Get(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get with a codec that cannot read: %v", err)
	}
	if got, err := good.Get(t.Context(), s.ID); err != nil || got.Data.Items != 2 {
		t.Errorf("the newer save is gone: %+v, %v", got, err)
	}
}

func TestAConflictWithAnUnreadableRecordIsToldAsSuch(t *testing.T) {
	store := memsession.New()
	m, other := newManager(t, store, config{}), newManager(t, store, config{Codec: binaryCodec{}})
	s := create(t, m, 1)
	theirs, _ := other.Get(t.Context(), s.ID)
	if err := other.Save(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	err := m.Save(t.Context(), s)
	if _, ok := errors.AsType[*session.CorruptError](err); !ok {
		t.Errorf("Save over a newer record that nobody can read: %v, want a CorruptError", err)
	}
}

// awkward is data that JSON cannot encode.
type awkward struct{ Do func() }

type panicking struct{ session.JSON }

func (panicking) Encode(v any) ([]byte, error) { panic(fmt.Sprint(card, v)) }
func (panicking) Decode([]byte, any) error     { panic(card) }

type failing struct{ session.JSON }

func (failing) Encode(any) ([]byte, error) { return nil, errors.New(card) }

func TestACodecThatFailsOrPanicsWritesNothing(t *testing.T) {
	for name, codec := range map[string]session.Codec{"panic": panicking{}, "error": failing{}} {
		store := newStage()
		m := newManager(t, store, config{Codec: codec})
		_, err := m.Create(t.Context(), cart{})
		if !errors.Is(err, session.ErrInvalid) || strings.Contains(err.Error(), card) {
			t.Errorf("%s: %v, want ErrInvalid without the data", name, err)
		}
		if got := store.trips(); len(got) != 0 {
			t.Errorf("%s: the store was asked for %v", name, got)
		}
	}
	m, err := session.New(memsession.New(), session.Config[awkward]{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Create(t.Context(), awkward{Do: func() {}}); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), "UnsupportedTypeError") {
		t.Errorf("data that cannot be encoded: %v, want ErrInvalid that says why", err)
	}
	store := memsession.New()
	s := create(t, newManager(t, store, config{}), 1)
	if _, err := newManager(t, store, config{Codec: panicking{}}).Get(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a codec that panics while decoding: %v, want a CorruptError", err)
	}
}
