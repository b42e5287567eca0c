// SPDX-License-Identifier: MIT

package session_test

import (
	"bytes"
	"encoding/base64"
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

// Printers call no method of what stands in an unexported field.
func TestIDsAreHiddenFromPrintersThatWalkThroughValues(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 1)
	byID := map[session.ID]session.ID{s.ID: s.ID}
	hidden := struct {
		id    session.ID
		ids   []session.ID
		array [1]session.ID
		byID  map[session.ID]session.ID
		deep  struct{ session session.Session[cart] }
		any   any
	}{s.ID, []session.ID{s.ID}, [1]session.ID{s.ID}, byID, struct{ session session.Session[cart] }{*s}, s.ID}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "hidden", hidden, "pointer", &hidden, "session", *s, "map", byID)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, hidden, &hidden)
	}
	asJSON, err := json.Marshal([]any{hidden, byID, *s})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(s.ID.Token())
	if err != nil {
		t.Fatal(err)
	}
	numbers := strings.Trim(fmt.Sprint(raw[4:12]), "[]")
	for _, secret := range []string{s.ID.Token()[:12], string(raw[4:12]), fmt.Sprintf("%x", raw[4:12]), numbers, strings.Trim(fmt.Sprintf("%#v", raw[4:12]), "[]byte{}")} {
		if all := out.String() + string(asJSON); strings.Contains(all, secret) {
			t.Errorf("the token shows as %q", secret)
		}
	}
	if again, _ := session.ParseID(s.ID.Token()); again != s.ID || byID[again] != s.ID {
		t.Error("ids do not compare by value")
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

func TestWithAnIndexKeyNoListOfNamesFindsASession(t *testing.T) {
	ctx := t.Context()
	hashes := map[session.Hash]string{}
	for name, indexKey := range map[string][]byte{"none": nil, "one": key(1), "another": key(2)} {
		store := newStage()
		m := newManager(t, store, config{IndexKey: indexKey})
		s := create(t, m, 1, session.ForSubject("ann"))
		_, _, _ = m.Open(ctx, chat, cart{Items: 2})
		hashes[store.writes[0].Owner], hashes[store.writes[1].Hash] = name, name
		if store.writes[0].Hash[0] != store.writes[0].Owner[0] {
			t.Errorf("%s: a session is not in its subject's partition", name)
		}
		n := 0
		for _, err := range m.BySubject(ctx, "ann") {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		got, err := m.Get(ctx, chat.ID())
		if n != 1 || err != nil || got.Data.Items != 2 {
			t.Errorf("%s: %d sessions of the subject and the conversation %+v, %v are found", name, n, got, err)
		}
		if err := errors.Join(m.Rotate(ctx, s), m.Save(ctx, s)); err != nil || store.writes[2].Hash[0] != store.writes[0].Hash[0] {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(hashes) != 6 {
		t.Errorf("the keys share hashes: %v", hashes)
	}
	_, err := session.New(memsession.New(), config{Name: "x", IndexKey: key(1)[:15]})
	if problem, ok := errors.AsType[*session.ConfigError](err); !ok || problem.Field != "IndexKey" || strings.Contains(err.Error(), string(key(1)[:4])) {
		t.Errorf("a short key: %v, want a ConfigError without the key", err)
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
