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

// calls are those that read the session of an id.
func calls(t *testing.T) map[string]func(*manager, session.ID) error {
	ctx := t.Context()
	return map[string]func(*manager, session.ID) error{
		"Get":  func(m *manager, id session.ID) error { _, err := m.Get(ctx, id); return err },
		"Peek": func(m *manager, id session.ID) error { _, err := m.Peek(ctx, id); return err },
		"Update": func(m *manager, id session.ID) error {
			_, err := m.Update(ctx, id, func(*cart) error { return nil })
			return err
		},
		"Exclusive": func(m *manager, id session.ID) error { return m.Exclusive(ctx, id, nothing) },
	}
}

func TestADamagedSessionCostsOneErrorAndNoMore(t *testing.T) {
	for name, call := range calls(t) {
		for _, policy := range []session.CorruptPolicy{session.DiscardCorrupt, session.QuarantineCorrupt} {
			store, seen := newStage(), &recorder{}
			m := newManager(t, store, config{Observer: seen, OnCorrupt: policy})
			s := create(t, m, 1)
			store.Store.(*memsession.Store).Damage(store.writes[0].StoreHandle)
			err := call(m, s.ID)
			corrupt, ok := errors.AsType[*session.CorruptError](err)
			if !ok || corrupt.Reason != session.ReasonCorrupted || !errors.Is(err, session.ErrNotFound) || strings.Contains(err.Error(), card) {
				t.Errorf("%s of a damaged record: %v, want a CorruptError that is ErrNotFound", name, err)
			}
			if err := call(m, s.ID); !errors.Is(err, session.ErrNotFound) || errors.As(err, &corrupt) {
				t.Errorf("%s once more: %v, want a plain ErrNotFound", name, err)
			}
			if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonCorrupted}) {
				t.Errorf("%s reported %v, want corrupted once", name, got)
			}
			c, _ := store.Count(t.Context(), "carts")
			if want := int64(policy); c.Quarantined != want || c.Active != 0 {
				t.Errorf("%s left %+v with policy %v", name, c, policy)
			}
		}
	}
}

func TestWhatOneInstanceCannotDecodeStaysForTheOthers(t *testing.T) {
	reads := calls(t)
	reads["Get of an expected conversation"] = func(m *manager, _ session.ID) error { _, err := m.Get(t.Context(), chat.ID()); return err }
	reads["Open"] = func(m *manager, _ session.ID) error { _, _, err := m.Open(t.Context(), chat, cart{}); return err }
	reads["Open with much data"] = func(m *manager, _ session.ID) error {
		_, _, err := m.Open(t.Context(), chat, cart{Notes: map[string]string{"x": strings.Repeat("x", 1000)}})
		return err
	}
	reads["Converse"] = func(m *manager, _ session.ID) error { return m.Converse(t.Context(), chat, cart{}, nothing) }
	reads["BySubject"] = func(m *manager, _ session.ID) error {
		for _, err := range m.BySubject(t.Context(), "ann") {
			return err
		}
		return nil
	}
	for name, read := range reads {
		for why, canary := range map[string]config{"a codec that refuses": {Codec: wrongKey{}}, "a codec that panics": {Codec: wrongKey{panics: true}}, "a type of an earlier version": {}} {
			store, seen := memsession.New(), &recorder{}
			good := newManager(t, store, config{Version: 1})
			s := create(t, good, 7, session.ForSubject("ann"))
			_, _, _ = good.Open(t.Context(), chat, cart{Items: 8})
			canary.Observer, canary.OnCorrupt = seen, session.QuarantineCorrupt
			m := newManager(t, store, canary)
			for range 2 {
				err := read(m, s.ID)
				corrupt, ok := errors.AsType[*session.CorruptError](err)
				if !ok || corrupt.Reason != session.ReasonUndecodable || errors.Is(err, session.ErrNotFound) || strings.Contains(err.Error(), card) {
					t.Errorf("%s with %s: %v, want a CorruptError that is undecodable and not ErrNotFound", name, why, err)
				}
			}
			if n := len(seen.of(session.OpUndecodable)); n != 2 || len(seen.reasons()) != 0 {
				t.Errorf("%s with %s: reported %d undecodable and %v ended, want 2 and none", name, why, n, seen.reasons())
			}
			got, err := good.Get(t.Context(), s.ID)
			if err != nil || got.Data.Items != 7 {
				t.Errorf("after %s with %s another instance reads %+v, %v", name, why, got, err)
			}
			if err := good.Converse(t.Context(), chat, cart{}, nothing); err != nil {
				t.Errorf("after %s with %s another instance handles the conversation: %v", name, why, err)
			}
		}
	}
}

// wrongKey is a codec that cannot read what the others write.
type wrongKey struct{ panics bool }

func (wrongKey) Encode(v any) ([]byte, error) {
	b, err := session.JSON{}.Encode(v)
	return append([]byte{0xff}, b...), err
}

func (c wrongKey) Decode(data []byte, v any) error {
	if data[0] == 0xff {
		return session.JSON{}.Decode(data[1:], v)
	}
	if c.panics {
		panic(card)
	}
	return errors.New(card)
}

func TestDeletingDoesNotRead(t *testing.T) {
	store := memsession.New()
	s := create(t, newManager(t, store, config{}), 1)
	m := newManager(t, store, config{Codec: wrongKey{}})
	if err := m.Delete(t.Context(), s.ID); err != nil {
		t.Errorf("Delete of a session that no one can read: %v", err)
	}
	if n, _ := m.Count(t.Context()); n != 0 {
		t.Error("it is still there")
	}
}

func TestOpenReplacesADamagedConversation(t *testing.T) {
	for _, size := range []int{1, 1000} {
		store, seen := newStage(), &recorder{}
		m := newManager(t, store, config{Observer: seen})
		data := cart{Items: 2, Notes: map[string]string{"x": strings.Repeat("x", size)}}
		_, _, _ = m.Open(t.Context(), chat, cart{Items: 1})
		store.Store.(*memsession.Store).Damage(store.writes[0].StoreHandle)
		s, created, err := m.Open(t.Context(), chat, data)
		if err != nil || !created || s.Data.Items != 2 {
			t.Errorf("Open over a damaged record: %+v, %v, %v, want a new session at once", s, created, err)
		}
		if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonCorrupted}) {
			t.Errorf("reported %v, want corrupted", got)
		}
	}
}

// spoiling finds each record unreadable that it is to create.
type spoiling struct{ session.Store }

func (spoiling) Create(context.Context, session.StoreWrite) (session.StoreReply, error) {
	return session.StoreReply{Status: session.StatusBroken, Reason: session.ReasonCorrupted}, nil
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

func TestAConflictWithAnUnreadableRecordIsReportedAsSuch(t *testing.T) {
	store := memsession.New()
	m, other := newManager(t, store, config{}), newManager(t, store, config{Codec: binaryCodec{}})
	s := create(t, m, 1)
	theirs, _ := other.Get(t.Context(), s.ID)
	if err := other.Save(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	err := m.Save(t.Context(), s)
	if _, ok := errors.AsType[*session.CorruptError](err); !ok {
		t.Errorf("Save over a newer record that no one can read: %v, want a CorruptError", err)
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
}

// late is data that JSON reads back only as long as Any is empty.
type late struct{ Any fmt.Stringer }

func TestDataThatCannotBeReadBackIsRefusedByEachWrite(t *testing.T) {
	m, err := session.New(memsession.New(), session.Config[late]{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Create(t.Context(), late{})
	if err != nil {
		t.Fatal(err)
	}
	odd := late{Any: chat.ID()}
	for name, call := range map[string]func() error{
		"Create": func() error { _, err := m.Create(t.Context(), odd); return err },
		"Open":   func() error { _, _, err := m.Open(t.Context(), chat, odd); return err },
		"Save":   func() error { s.Data = odd; return m.Save(t.Context(), s) },
		"Update": func() error {
			_, err := m.Update(t.Context(), s.ID, func(l *late) error { *l = odd; return nil })
			return err
		},
		"Exclusive": func() error {
			return m.Exclusive(t.Context(), s.ID, func(_ context.Context, s *session.Session[late]) error { s.Data = odd; return nil })
		},
		"Bind": func() error { s.Data = odd; return m.Bind(t.Context(), s, "ann") },
	} {
		if err := call(); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if got, err := m.Get(t.Context(), s.ID); err != nil || got.Data.Any != nil {
		t.Errorf("the session is %+v, %v, want it as it was", got, err)
	}
}
