// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// said is a conversation of ann's.
var said = session.Conversation{Channel: "sms", Peer: "1", Subject: "ann"}

// talk adds an item in a conversation.
func talk(t *testing.T, m *manager, c session.Conversation) error {
	t.Helper()
	return m.Converse(t.Context(), c, cart{}, func(_ context.Context, s *session.Session[cart]) error {
		s.Data.Items++
		return nil
	})
}

func TestWhatAPersonSaidIsFoundAndErasedByTheSubject(t *testing.T) {
	for name, cfg := range map[string]config{
		"plain": {}, "keyed": {IndexKey: make([]byte, 16)}, "sealed": {Codec: session.Sealed(session.JSON{}, make([]byte, 32))},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, memsession.New(), cfg)
			create(t, m, 5, session.ForSubject("ann"))
			for range 2 {
				if err := talk(t, m, said); err != nil {
					t.Fatal(err)
				}
			}
			found := 0
			for s, err := range m.BySubject(t.Context(), "ann") {
				if err != nil {
					t.Fatal(err)
				}
				if s.Conversation == said && s.Subject == "ann" && s.Data.Items == 2 {
					found++
					if err := m.Save(t.Context(), s); err != nil {
						t.Errorf("saving what was found: %v", err)
					}
				}
			}
			if found != 1 {
				t.Errorf("found %d times, want once", found)
			}
			if text, err := m.Export(t.Context(), "ann"); err != nil || !strings.Contains(string(text), `"Channel":"`+said.Channel+`","Peer":"`+said.Peer+`","Data":{"Items":2}`) {
				t.Errorf("exported %s, %v, want also with whom the person talked", text, err)
			}
			if n, err := m.DeleteSubject(t.Context(), "ann"); n != 2 || err != nil {
				t.Errorf("ended %d, %v, want the login and the conversation", n, err)
			}
			s, created, err := m.Open(t.Context(), said, cart{})
			if err != nil || !created || s.Data.Items != 0 || s.Subject != "ann" {
				t.Errorf("afterwards it is %+v, %v, want a new one", s, err)
			}
		})
	}
}

func TestAConversationOfAnotherSubjectIsAnotherOne(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	for _, subject := range []string{"", "ann", "ben"} {
		c := said
		c.Subject = subject
		if _, created, err := m.Open(t.Context(), c, cart{}); err != nil || !created {
			t.Errorf("%q: created %v, %v", subject, created, err)
		}
		if _, created, err := m.Open(t.Context(), c, cart{}); err != nil || created {
			t.Errorf("%q again: created %v, %v", subject, created, err)
		}
	}
}

func TestASubjectsConversationsCountTowardsItsLimit(t *testing.T) {
	seen := &recorder{}
	for policy, want := range map[session.FullPolicy]error{session.Reject: session.ErrFull, session.EvictIdlest: nil} {
		m := newManager(t, memsession.New(), config{MaxPerSubject: 1, WhenFull: policy, Observer: seen})
		create(t, m, 1, session.ForSubject("ann"))
		for _, c := range []session.Conversation{said, {Channel: "sms", Peer: "2", Subject: "ann"}} {
			if err := talk(t, m, c); !errors.Is(err, want) {
				t.Errorf("%v: %v, want %v", policy, err, want)
			}
		}
		if n, _ := m.Count(t.Context()); n != 1 {
			t.Errorf("%v: %d sessions, want 1", policy, n)
		}
	}
	if n := len(seen.reasons()); n != 2 {
		t.Errorf("%d evictions were reported, want 2", n)
	}
}

func TestASubjectThatIsErasedWithinItsConversationEndsIt(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	err := m.Converse(t.Context(), said, cart{}, func(ctx context.Context, s *session.Session[cart]) error {
		_, err := m.DeleteSubject(ctx, "ann")
		return err
	})
	if n, _ := m.Count(t.Context()); err != nil || n != 0 {
		t.Errorf("%v, and %d sessions are left", err, n)
	}
}

func TestAConversationIsNeverMoved(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	opened, _, err := m.Open(t.Context(), said, cart{})
	if err != nil {
		t.Fatal(err)
	}
	met := opened
	for s := range m.BySubject(t.Context(), "ann") {
		met = s
	}
	for _, s := range []*session.Session[cart]{opened, met} {
		for what, err := range map[string]error{
			"Rotate": m.Rotate(t.Context(), s), "Bind": m.Bind(t.Context(), s, "ben"), "Unbind": m.Unbind(t.Context(), s),
		} {
			if !errors.Is(err, session.ErrInvalid) {
				t.Errorf("%s: %v, want ErrInvalid", what, err)
			}
		}
	}
}

func TestAnUnboundSessionHasItsDataAndNoSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &recorder{}
		m := newManager(t, memsession.New(), config{MaxPerSubject: 1, Observer: seen})
		s := create(t, m, 3, session.ForSubject("ann"))
		login, born := s.ID, s.CreatedAt
		time.Sleep(time.Minute)
		if err := m.Unbind(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if s.ID == login || s.Subject != "" || s.Data.Items != 3 || !s.CreatedAt.Equal(born) {
			t.Errorf("unbound it is %+v, want another id, no subject, and the rest as it was", s)
		}
		for _, id := range []session.ID{s.ID, login} { // for Config.RotateGrace
			if got, err := m.Get(t.Context(), id); err != nil || got.Subject != "" || got.Data.Items != 3 {
				t.Errorf("read as %+v, %v", got, err)
			}
		}
		for s := range m.BySubject(t.Context(), "ann") {
			t.Errorf("the subject still has %+v", s)
		}
		create(t, m, 4, session.ForSubject("ann")) // there is room
		if n, err := m.DeleteSubject(t.Context(), "ann"); n != 1 || err != nil {
			t.Errorf("the subject's end ended %d, %v, want 1", n, err)
		}
		if err := m.Bind(t.Context(), s, "ben"); err != nil || s.Subject != "ben" {
			t.Errorf("bound again: %v", err)
		}
		if got, err := m.Get(t.Context(), login); err == nil && got.Subject != "" {
			t.Errorf("the id of the first login leads to the second: %+v", got)
		}
	})
}
