// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/spantest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// within records in which span each event is observed, and each load is made.
type within struct {
	session.Store
	events, loads []string
}

func (w *within) ObserveSession(ctx context.Context, e session.Event) {
	switch got := spantest.Within(ctx); {
	case e.Op == session.OpEnded, e.Op == session.OpNew, got == "session."+e.Op.String():
	default:
		w.events = append(w.events, e.Op.String()+" within "+got)
	}
}

func (w *within) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	w.loads = append(w.loads, spantest.Within(ctx))
	return w.Store.Load(ctx, l)
}

func TestEachOperationIsASpanAroundItsCallsAndItsEvent(t *testing.T) {
	w := &within{Store: memsession.New()}
	var seen spantest.Recorder
	m := newManager(t, w, config{Trace: seen.Trace, Observer: w})
	s := create(t, m, 1)
	fail := errors.New("sold out")
	inside := func(ctx context.Context, _ *session.Session[cart]) error {
		if got := spantest.Within(ctx); got != "session.exclusive" {
			t.Errorf("the function runs within %q", got)
		}
		return nil
	}
	for op, do := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error { _, err := m.Create(ctx, cart{}); return err },
		"open":   func(ctx context.Context) error { _, _, err := m.Open(ctx, chat, cart{}); return err },
		"get":    func(ctx context.Context) error { _, err := m.Get(ctx, s.ID); return err },
		"peek":   func(ctx context.Context) error { _, err := m.Peek(ctx, session.ID{}); return err },
		"touch":  func(ctx context.Context) error { _, err := m.Touch(ctx, s.ID); return err },
		"save":   func(ctx context.Context) error { return m.Save(ctx, nil) },
		"update": func(ctx context.Context) error {
			_, err := m.Update(ctx, s.ID, func(*cart) error { return fail })
			return err
		},
		"exclusive": func(ctx context.Context) error { return m.Exclusive(ctx, s.ID, inside) },
		"rotate":    func(ctx context.Context) error { return m.Rotate(ctx, nil) },
		"bind":      func(ctx context.Context) error { return m.Bind(ctx, nil, "ann") },
		"delete":    func(ctx context.Context) error { _, err := m.DeleteSubject(ctx, "ben"); return err },
		"cleanup":   func(ctx context.Context) error { _, err := m.Sweep(ctx); return err },
	} {
		t.Run(op, func(t *testing.T) {
			seen.Take()
			w.loads, w.events = nil, nil
			err := do(t.Context())
			if got := seen.Take(); len(got) != 1 || got[0] != (spantest.Span{Op: "session." + op, Name: "carts", Ends: 1, Err: err}) {
				t.Errorf("spans %+v, returned %v", got, err)
			}
			if slices.ContainsFunc(w.loads, func(in string) bool { return in != "session."+op }) || w.events != nil {
				t.Errorf("loaded within %v, observed %v", w.loads, w.events)
			}
		})
	}
}

func TestASpanEndsThoughTheFunctionPanics(t *testing.T) {
	var seen spantest.Recorder
	m := newManager(t, memsession.New(), config{Trace: seen.Trace})
	s := create(t, m, 1)
	seen.Take()
	func() {
		defer func() { _ = recover() }()
		_ = m.Exclusive(t.Context(), s.ID, func(context.Context, *session.Session[cart]) error { panic("boom") })
	}()
	if got := seen.Take(); len(got) != 1 || got[0].Ends != 1 || got[0].Err == nil {
		t.Errorf("%+v", got)
	}
}
