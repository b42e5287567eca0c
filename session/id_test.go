// SPDX-License-Identifier: MIT

package session_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestTokensAreLongRandomAndURLSafe(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	seen := map[string]bool{}
	for range 1000 {
		token := create(t, m, 0).ID.Token()
		if len(token) != 43 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("token %q, want 43 characters of base64url", token)
		}
		if seen[token] {
			t.Fatal("a token came twice")
		}
		seen[token] = true
	}
}

func TestParseIDRefusesWhatIsNoToken(t *testing.T) {
	good := strings.Repeat("A", 43)
	for name, token := range map[string]string{
		"empty": "", "truncated": good[1:], "too long": good + "A", "padded": good[:42] + "=", "standard alphabet": "+/" + good[2:],
		"line break": "\n" + good[1:], "bits beyond the end": good[:42] + "B", "not ASCII": "é" + good[2:], "NUL": "\x00" + good[1:],
	} {
		id, err := session.ParseID(token)
		if !errors.Is(err, session.ErrInvalid) || !id.IsZero() {
			t.Errorf("%s: %v, %v, want ErrInvalid", name, id, err)
		}
		if len(token) > 10 && strings.Contains(err.Error(), token[:10]) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
}

func TestIDsAreRedactedHoweverTheyArePrinted(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	token := s.ID.Token()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", s.ID, "session", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", s.ID, "session", s)
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(asJSON) + fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v", s.ID, s.ID, s.ID, s.ID, s.ID, s.ID, s.ID, s, *s, *s)
	raw := fmt.Sprintf("%x", token[:8])
	if strings.Contains(all, token) || strings.Contains(all, raw) || strings.Contains(all, token[:12]) {
		t.Errorf("the token shows in %s", all)
	}
	if want := s.ID.String(); len(want) != len("session:")+8 || !strings.Contains(log.String(), want) {
		t.Errorf("%q should stand in the log, and be short", want)
	}
	if got := (session.ID{}).String(); got != "session:none" {
		t.Errorf("the zero ID prints %q", got)
	}
}

func TestKeysHaveNoToken(t *testing.T) {
	id := session.Conversation{Channel: "sms", Peer: "1"}.ID()
	if id.Token() != "" || id.IsZero() {
		t.Errorf("a conversation's id has token %q, want none", id.Token())
	}
}

func TestKeysAreNotAmbiguous(t *testing.T) {
	if (session.Conversation{Channel: "ab", Peer: "c"}).ID() == (session.Conversation{Channel: "a", Peer: "bc"}).ID() {
		t.Error("two conversations have one id")
	}
}

func TestStoresSeeNeitherTokensNorSubjects(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	s := create(t, m, 1, session.ForSubject("ann@example.org"))
	w := store.writes[0]
	if bytes.Contains([]byte(s.ID.Token()), w.Hash[:]) || strings.Contains(string(w.Owner[:]), "ann") || w.Hash[0] != w.Owner[0] {
		t.Errorf("the store sees hash %x of owner %x, want hashes in one partition", w.Hash, w.Owner)
	}
	other := newManager(t, store, config{Name: "other"})
	create(t, other, 1, session.ForSubject("ann@example.org"))
	if store.writes[1].Owner == w.Owner {
		t.Error("one subject has one hash in all spaces: sessions of different managers can be linked")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(strings.Repeat("A", 43))
	f.Add("")
	f.Add(session.Conversation{Channel: "a", Peer: "b"}.ID().String())
	f.Fuzz(func(t *testing.T, token string) {
		id, err := session.ParseID(token)
		if err != nil {
			if !id.IsZero() || !errors.Is(err, session.ErrInvalid) {
				t.Fatalf("refused with %v, %v", id, err)
			}
			return
		}
		if id.Token() != token {
			t.Fatalf("%q reads as %q: two tokens stand for one session", token, id.Token())
		}
	})
}
