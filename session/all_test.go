// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// crowd makes 150 sessions: of subjects, of no one and of conversations.
func crowd(t *testing.T, m *manager) {
	for i := range 50 {
		create(t, m, 1)
		create(t, m, 2, session.ForSubject([]string{"ann", "bob"}[i%2]))
		if _, _, err := m.Open(t.Context(), session.Conversation{Channel: "web", Peer: string(rune('A' + i))}, cart{Items: 3}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAllYieldsEverySessionOfTheManager(t *testing.T) {
	store := memsession.New()
	m := newManager(t, store, config{})
	crowd(t, m)
	create(t, newManager(t, store, config{Name: "others"}), 1000)
	sum, subjects, chats := 0, 0, 0
	for s, err := range m.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		sum += s.Data.Items
		if s.Subject != "" {
			subjects++
		}
		if s.Conversation.Channel != "" {
			chats++
		}
		if s.ID.Token() != "" {
			t.Error("a listed id has a token")
		}
	}
	if sum != 50*(1+2+3) || subjects != 50 || chats != 50 {
		t.Errorf("%d items, %d of subjects, %d of conversations; want 300, 50 and 50", sum, subjects, chats)
	}
	for range m.All(t.Context()) {
		break // stopping early is fine
	}
}

func TestDeleteAllEndsEverySessionAndReportsIt(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen})
	crowd(t, m)
	if n, err := m.DeleteAll(t.Context()); n != 150 || err != nil {
		t.Errorf("ended %d, %v, want 150", n, err)
	}
	if n, err := m.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
	if got := len(seen.reasons()); got != 150 {
		t.Errorf("%d ends were reported, want 150", got)
	}
}

func TestDeleteAllCountsWhatItEndedBeforeAnError(t *testing.T) {
	for failing := range 3 { // of the three calls for 150 sessions
		store, calls := newStage(), 0
		m := newManager(t, store, config{})
		crowd(t, m)
		outage := errors.New("down")
		store.on(func(_ context.Context, call string) error {
			if call != "Delete" {
				return nil
			}
			if calls++; calls == failing+1 {
				return outage
			}
			return nil
		})
		n, err := m.DeleteAll(t.Context())
		if left, _ := m.Count(t.Context()); n != 64*failing || left != int64(150-n) || !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, outage) {
			t.Errorf("call %d failed: ended %d, %v, and %d are left", failing+1, n, err, left)
		}
	}
}

func TestExportIsWhatIsStoredAboutASubjectAsJSON(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	crowd(t, m)
	create(t, m, 7, session.ForSubject("cara"))
	text, err := m.Export(t.Context(), "cara")
	var got []struct {
		Session   string
		ExpiresAt string
		Data      cart
	}
	if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil || len(got) != 1 || got[0].Data.Items != 7 || len(got[0].Session) != 32 || got[0].ExpiresAt == "" {
		t.Errorf("exported %s, %v", text, err)
	}
	if text, err := m.Export(t.Context(), "dan"); string(text) != "[]" || err != nil {
		t.Errorf("of a subject without sessions: %s, %v, want an empty array", text, err)
	}
	if _, err := m.Export(t.Context(), ""); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("of no subject: %v, want ErrInvalid", err)
	}
}
