// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

func TestWithoutAClientEveryCallIsInvalid(t *testing.T) {
	var none *redis.Client
	for _, client := range []redis.UniversalClient{nil, none} {
		s, w, ctx := New(client, nil, WithPrefix("app"), nil), newWrite("x"), t.Context()
		elsewhere := session.StoreHandle{Space: space, Hash: newHash(8)}
		for what, call := range map[string]func() error{
			"Create":      func() error { _, err := s.Create(ctx, w); return err },
			"Load":        func() error { _, err := s.Load(ctx, session.StoreLoad{StoreHandle: w.StoreHandle}); return err },
			"Save":        func() error { _, err := s.Save(ctx, w); return err },
			"Move":        func() error { _, err := s.Move(ctx, w.StoreHandle, w); return err },
			"Move across": func() error { _, err := s.Move(ctx, elsewhere, w); return err },
			"Delete": func() error {
				_, err := s.Delete(ctx, session.StoreRemove{Handles: []session.Hash{w.Hash}})
				return err
			},
			"Delete an owner's": func() error { _, err := s.Delete(ctx, session.StoreRemove{Owner: w.Hash}); return err },
			"Check":             func() error { _, err := s.Check(ctx); return err },
			"Claim":             func() error { _, err := s.Claim(ctx, session.StoreClaim{Max: 1}); return err },
			"Settle":            func() error { return s.settle(ctx, space, []session.StoreSettle{{StoreHandle: w.StoreHandle}}) },
			"Count":             func() error { _, err := s.Count(ctx, space); return err },
			"List": func() (err error) {
				for _, err = range s.List(ctx, session.StoreList{Space: space, Owner: w.Hash}) {
				}
				return err
			},
		} {
			if err := call(); !errors.Is(err, session.ErrInvalid) || !strings.HasSuffix(err.Error(), "session: invalid: redissession.New needs a client") {
				t.Errorf("%s on a %T: %v, want ErrInvalid that names the client", what, client, err)
			}
		}
	}
}

func TestAManagerSaysWhatItsStoreLacks(t *testing.T) {
	if _, err := session.New((*Store)(nil), session.Config[note]{Name: "x"}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("New with a nil store: %v, want ErrInvalid", err)
	}
	store := New(nil)
	m, err := session.New(store, session.Config[note]{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, created := m.Create(t.Context(), note{})
	_, deleted := m.DeleteSubject(t.Context(), "ann")
	_, swept := m.Sweep(t.Context())
	handle := func(context.Context, *session.Session[note]) error { return nil }
	for what, err := range map[string]error{
		"Create": created, "DeleteSubject": deleted, "Sweep": swept,
		"Converse": m.Converse(t.Context(), session.Conversation{Channel: "a", Peer: "b"}, note{}, handle),
	} {
		if !errors.Is(err, session.ErrInvalid) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrInvalid and not ErrUnavailable", what, err)
		}
	}
	if n := len(store.inbox.waiting); n != 0 {
		t.Errorf("%d calls that no one makes any more wait for their turn", n)
	}
}
