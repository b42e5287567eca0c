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
	status session.StoreStatus
	n      int
	err    error
}

func (u useless) reply() (session.StoreReply, error) {
	return session.StoreReply{Status: u.status}, u.err
}

func (u useless) Create(context.Context, session.StoreWrite) (session.StoreReply, error) {
	return u.reply()
}
func (u useless) Load(context.Context, session.StoreLoad) (session.StoreReply, error) {
	return u.reply()
}
func (u useless) Save(context.Context, session.StoreWrite) (session.StoreReply, error) {
	return u.reply()
}
func (u useless) Move(context.Context, session.StoreHandle, session.StoreWrite) (session.StoreReply, error) {
	return u.reply()
}
func (u useless) Delete(context.Context, session.StoreRemove) (session.StoreRemoved, error) {
	return session.StoreRemoved{Removed: make([]session.StoreRecord, max(u.n, 0))}, u.err
}
func (u useless) List(context.Context, session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return func(yield func(session.StoreRecord, error) bool) {
		for range u.n {
			if !yield(session.StoreRecord{}, u.err) {
				return
			}
		}
	}
}
func (u useless) Claim(context.Context, session.StoreClaim) (session.StoreClaimed, error) {
	return session.StoreClaimed{}, u.err
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
func (u useless) Restore(context.Context, string, string) (session.StoreStatus, error) {
	return u.status, u.err
}
func (u useless) Count(context.Context, string) (session.StoreCount, error) {
	return session.StoreCount{Active: int64(u.n), Backlog: int64(u.n)}, u.err
}

func TestAUselessStoreFails(t *testing.T) {
	cases := (&suite{virtual: true, corrupt: func(testing.TB, session.Store, session.StoreHandle) {}}).cases()
	for name, c := range map[string]struct {
		store  useless
		passes int // cases at most: those that compare nothing with nothing
	}{
		"does not answer":    {useless{err: errors.New("no answer"), n: 1}, 0},
		"finds nothing":      {useless{status: session.StatusMissing}, 0},
		"is always leased":   {useless{status: session.StatusLeased, n: 3}, 0},
		"is always outdated": {useless{status: session.StatusStale}, 0},
		"does everything":    {useless{status: session.StatusDone, n: 1}, 9},
		"has done nothing":   {useless{status: session.StatusDone}, 8},
	} {
		failed := failures(t, func() session.Store { return &fault{Store: c.store} })
		if passed := len(cases) - len(failed); passed > c.passes {
			t.Errorf("a store that %s passes %d of %d cases, all but %v", name, passed, len(cases), failed)
		}
	}
}
