// SPDX-License-Identifier: MIT

package sessiontest

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/holdfast-go/holdfast/session"
)

// useless is a store that answers everything, and nothing of it is true.
type useless struct {
	status session.Status
	n      int
	err    error
}

func (u useless) reply() (session.Reply, error) { return session.Reply{Status: u.status}, u.err }

func (u useless) Create(context.Context, session.WriteRequest) (session.Reply, error) {
	return u.reply()
}
func (u useless) Load(context.Context, session.LoadRequest) (session.Reply, error)  { return u.reply() }
func (u useless) Save(context.Context, session.WriteRequest) (session.Reply, error) { return u.reply() }
func (u useless) Move(context.Context, session.Handle, session.WriteRequest) (session.Reply, error) {
	return u.reply()
}
func (u useless) Delete(context.Context, session.RemoveRequest) (session.RemoveReply, error) {
	return session.RemoveReply{Removed: make([]session.Record, max(u.n, 0))}, u.err
}
func (u useless) List(context.Context, string, session.Hash) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		for range u.n {
			if !yield(session.Record{}, u.err) {
				return
			}
		}
	}
}
func (u useless) Claim(context.Context, session.ClaimRequest) (session.ClaimReply, error) {
	return session.ClaimReply{}, u.err
}
func (u useless) Quarantined(context.Context, string) iter.Seq2[session.Quarantined, error] {
	return func(yield func(session.Quarantined, error) bool) {
		for range u.n {
			if !yield(session.Quarantined{}, u.err) {
				return
			}
		}
	}
}
func (u useless) Restore(context.Context, string, string) (session.Status, error) {
	return u.status, u.err
}
func (u useless) Count(context.Context, string) (session.CountReply, error) {
	return session.CountReply{Active: int64(u.n), Backlog: int64(u.n)}, u.err
}

func TestAUselessStoreFails(t *testing.T) {
	cases := (&suite{virtual: true, corrupt: func(testing.TB, session.Store, session.Handle) {}}).cases()
	for name, c := range map[string]struct {
		store  useless
		passes int // cases at most: those that compare nothing with nothing
	}{
		"does not answer":    {useless{err: errors.New("no answer"), n: 1}, 0},
		"finds nothing":      {useless{status: session.Missing}, 0},
		"is always leased":   {useless{status: session.Leased, n: 3}, 0},
		"is always outdated": {useless{status: session.Stale}, 0},
		"does everything":    {useless{status: session.Done, n: 1}, 9},
		"has done nothing":   {useless{status: session.Done}, 8},
	} {
		failed := failures(t, func() session.Store { return &fault{Store: c.store} })
		if passed := len(cases) - len(failed); passed > c.passes {
			t.Errorf("a store that %s passes %d of %d cases, all but %v", name, passed, len(cases), failed)
		}
	}
}
