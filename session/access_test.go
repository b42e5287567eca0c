// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestCreatedSessionsAreFoundByTheirToken(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	s := create(t, m, 3, session.ForSubject("ann"))
	id, err := session.ParseID(s.ID.Token())
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got.Data.Items != 3 || got.Subject != "ann" || got.ID != s.ID || !got.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("got %+v, want what was created: %+v", got, s)
	}
}

func TestUnknownIDsAreNotAdopted(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	forged, err := session.ParseID(strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Get":       func() error { _, err := m.Get(t.Context(), forged); return err },
		"Peek":      func() error { _, err := m.Peek(t.Context(), forged); return err },
		"Touch":     func() error { _, err := m.Touch(t.Context(), forged); return err },
		"Update":    func() error { _, err := m.Update(t.Context(), forged, func(*cart) error { return nil }); return err },
		"Exclusive": func() error { return m.Exclusive(t.Context(), forged, nothing) },
	} {
		if err := call(); !errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrExpired) {
			t.Errorf("%s of an unknown id: %v, want ErrNotFound", name, err)
		}
	}
	if n, _ := m.Count(t.Context()); n != 0 {
		t.Errorf("%d sessions exist after a forged id was used, want none", n)
	}
}

func TestEachOperationTakesTheRoundTripsThatAreDocumented(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	ctx := t.Context()
	s := create(t, m, 1)
	conversation := session.Conversation{Channel: "sms", Peer: "1"}
	large := cart{Notes: map[string]string{"x": strings.Repeat("x", 1000)}}
	nothing := func(*cart) error { return nil }
	handle := func(context.Context, *session.Session[cart]) error { return nil }
	for _, c := range []struct {
		name string
		call func() error
		want string
	}{
		{"Create", func() error { _, err := m.Create(ctx, cart{}, session.ForSubject("ann")); return err }, "Create"},
		{"Get", func() error { _, err := m.Get(ctx, s.ID); return err }, "Load"},
		{"Peek", func() error { _, err := m.Peek(ctx, s.ID); return err }, "Load"},
		{"Touch", func() error { _, err := m.Touch(ctx, s.ID); return err }, "Load"},
		{"Save", func() error { return m.Save(ctx, s) }, "Save"},
		{"Update", func() error { _, err := m.Update(ctx, s.ID, nothing); return err }, "Load Save"},
		{"Exclusive", func() error { return m.Exclusive(ctx, s.ID, handle) }, "Load Save"},
		{"Open that creates", func() error { _, _, err := m.Open(ctx, conversation, cart{}); return err }, "Create"},
		{"Open that finds", func() error { _, _, err := m.Open(ctx, conversation, cart{}); return err }, "Create"},
		{"Open with much data that finds", func() error { _, _, err := m.Open(ctx, conversation, large); return err }, "Load"},
		{"Open with much data that creates", func() error {
			_, _, err := m.Open(ctx, session.Conversation{Channel: "sms", Peer: "2"}, large)
			return err
		}, "Load Create"},
		{"Converse that creates", func() error { return m.Converse(ctx, session.Conversation{Channel: "sms", Peer: "3"}, cart{}, handle) }, "Create Save"},
		{"Converse that finds", func() error { return m.Converse(ctx, session.Conversation{Channel: "sms", Peer: "3"}, cart{}, handle) }, "Create Save"},
		{"Count", func() error { _, err := m.Count(ctx); return err }, "Count"},
		{"DeleteSubject", func() error { _, err := m.DeleteSubject(ctx, "ann"); return err }, "Delete"},
		{"Delete", func() error { return m.Delete(ctx, s.ID) }, "Delete"},
		{"Sweep", func() error { _, err := m.Sweep(ctx); return err }, "Claim Count"},
	} {
		store.trips()
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := strings.Join(store.trips(), " "); got != c.want {
			t.Errorf("%s asked the store for %q, want %q", c.name, got, c.want)
		}
	}
}

func TestGetRecordsActivityAndPeekDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		got, peeked := create(t, m, 1), create(t, m, 2)
		for range 2 {
			time.Sleep(6 * time.Minute)
			if _, err := m.Get(t.Context(), got.ID); err != nil {
				t.Fatalf("a session in use ended: %v", err)
			}
			_, err := m.Peek(t.Context(), peeked.ID)
			if early := time.Since(peeked.CreatedAt) < 10*time.Minute; early != (err == nil) {
				t.Fatalf("Peek after %v: %v", time.Since(peeked.CreatedAt), err)
			}
		}
	})
}

func TestTouchReturnsWhenTheSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStage()
		m := newManager(t, store, config{})
		s := create(t, m, 1)
		time.Sleep(time.Minute)
		expires, err := m.Touch(t.Context(), s.ID)
		if want := time.Now().Add(10 * time.Minute); err != nil || !expires.Equal(want) {
			t.Errorf("Touch says %v, %v, want %v", expires, err, want)
		}
		if l := store.loads[len(store.loads)-1]; !l.Bare {
			t.Error("Touch fetched the payload")
		}
		time.Sleep(time.Second)
		if again, _ := m.Touch(t.Context(), s.ID); !again.Equal(expires) {
			t.Error("a touch within TouchEvery of the last one was recorded")
		}
	})
}

func TestExpiredSessionsAreDistinguishedFromUnknownOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		s := create(t, m, 1)
		time.Sleep(10 * time.Minute)
		_, err := m.Get(t.Context(), s.ID)
		if !errors.Is(err, session.ErrExpired) || !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get of an expired session: %v, want ErrExpired, which is ErrNotFound", err)
		}
		if err := m.Save(t.Context(), s); !errors.Is(err, session.ErrExpired) {
			t.Errorf("Save of an expired session: %v, want ErrExpired", err)
		}
	})
}

func TestOpenGivesOneSessionPerConversation(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	conversation := session.Conversation{Channel: "sms", Peer: "1"}
	var mu sync.Mutex
	creations := 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, created, err := m.Open(t.Context(), conversation, cart{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if created {
				creations++
			}
		})
	}
	wg.Wait()
	if n, _ := m.Count(t.Context()); creations != 1 || n != 1 {
		t.Errorf("%d callers created the conversation and %d sessions exist, want 1 and 1", creations, n)
	}
	got, err := m.Get(t.Context(), conversation.ID())
	if err != nil || got.Conversation != conversation {
		t.Errorf("Get by the id of its conversation: %+v, %v, want its Conversation, too", got, err)
	}
}

func TestOpenReplacesAnExpiredConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memsession.New(), config{})
		conversation := session.Conversation{Channel: "sms", Peer: "1"}
		_, _, _ = m.Open(t.Context(), conversation, cart{Items: 1})
		time.Sleep(11 * time.Minute)
		s, created, err := m.Open(t.Context(), conversation, cart{Items: 2})
		if err != nil || !created || s.Data.Items != 2 {
			t.Errorf("Open after the timeout: %+v, %v, %v, want a new session", s, created, err)
		}
	})
}

func TestOpenDoesNotShareTheInitialData(t *testing.T) {
	m := newManager(t, memsession.New(), config{})
	template := cart{Notes: map[string]string{"greeting": "hello"}}
	s, _, err := m.Open(t.Context(), session.Conversation{Channel: "sms", Peer: "1"}, template)
	if err != nil {
		t.Fatal(err)
	}
	s.Data.Notes["greeting"] = "changed"
	if template.Notes["greeting"] != "hello" {
		t.Error("changing one conversation changed the template of all")
	}
}

func TestDeleteIsIdempotent(t *testing.T) {
	seen := &recorder{}
	m := newManager(t, memsession.New(), config{Observer: seen})
	s := create(t, m, 1)
	for range 2 {
		if err := m.Delete(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := seen.reasons(); !slices.Equal(got, []session.EndReason{session.ReasonDeleted}) {
		t.Errorf("reported %v, want one end", got)
	}
}

func TestLargeDataIsRefused(t *testing.T) {
	m := newManager(t, memsession.New(), config{MaxBytes: 100})
	large := cart{Notes: map[string]string{"secret": strings.Repeat("hush", 50)}}
	_, err := m.Create(t.Context(), large)
	if !errors.Is(err, session.ErrTooLarge) || strings.Contains(err.Error(), "hush") {
		t.Errorf("Create of too much: %v, want ErrTooLarge without the data", err)
	}
	s := create(t, m, 1)
	s.Data = large
	if err := m.Save(t.Context(), s); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Save of too much: %v, want ErrTooLarge", err)
	}
	if _, _, err := m.Open(t.Context(), session.Conversation{Channel: "a", Peer: "b"}, large); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Open with too much: %v, want ErrTooLarge", err)
	}
	unlimited := newManager(t, memsession.New(), config{MaxBytes: -1})
	if _, err := unlimited.Create(t.Context(), cart{Notes: map[string]string{"x": strings.Repeat("x", 1<<20)}}); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

func TestArgumentsThatMakeNoSenseReachNoStore(t *testing.T) {
	store := newStage()
	m := newManager(t, store, config{})
	ctx := t.Context()
	s := create(t, m, 1)
	conversation, _, _ := m.Open(ctx, session.Conversation{Channel: "a", Peer: "b"}, cart{})
	store.trips()
	long := strings.Repeat("x", 1025)
	for name, call := range map[string]func() error{
		"Get of the zero ID":        func() error { _, err := m.Get(ctx, session.ID{}); return err },
		"Delete of the zero ID":     func() error { return m.Delete(ctx, session.ID{}) },
		"Exclusive for the zero ID": func() error { return m.Exclusive(ctx, session.ID{}, nothing) },
		"Save of nothing":           func() error { return m.Save(ctx, nil) },
		"Save of a made up session": func() error { return m.Save(ctx, &session.Session[cart]{ID: s.ID}) },
		"Save with another subject": func() error { changed := *s; changed.Subject = "bob"; return m.Save(ctx, &changed) },
		"Save with another Conversation": func() error {
			changed := *conversation
			changed.Conversation.Peer = "c"
			return m.Save(ctx, &changed)
		},
		"Update with nothing to do":    func() error { _, err := m.Update(ctx, s.ID, nil); return err },
		"Exclusive with nothing to do": func() error { return m.Exclusive(ctx, s.ID, nil) },
		"Converse with nothing to do":  func() error { return m.Converse(ctx, conversation.Conversation, cart{}, nil) },
		"Open without a peer": func() error {
			s, created, err := m.Open(ctx, session.Conversation{Channel: "a"}, cart{})
			if s != nil || created {
				t.Errorf("made %+v, %t", s, created)
			}
			return err
		},
		"Open with a NUL": func() error {
			_, _, err := m.Open(ctx, session.Conversation{Channel: "a", Peer: "b\x00c"}, cart{})
			return err
		},
		"Converse without a Conversation": func() error { return m.Converse(ctx, session.Conversation{}, cart{}, nothing) },
		"a subject too long":              func() error { _, err := m.Create(ctx, cart{}, session.ForSubject(long)); return err },
		"an empty subject":                func() error { _, err := m.DeleteSubject(ctx, ""); return err },
		"Bind to no subject":              func() error { return m.Bind(ctx, s, "") },
		"Bind of nothing":                 func() error { return m.Bind(ctx, nil, "ann") },
		"Rotate of nothing":               func() error { return m.Rotate(ctx, nil) },
		"Rotate of a made up one":         func() error { return m.Rotate(ctx, &session.Session[cart]{}) },
		"Rotate of a conversation":        func() error { return m.Rotate(ctx, conversation) },
		"BySubject of no subject": func() error {
			for _, err := range m.BySubject(ctx, "") {
				return err
			}
			return nil
		},
	} {
		if err := call(); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if got := store.trips(); len(got) != 0 {
		t.Errorf("the store was asked for %v", got)
	}
}
