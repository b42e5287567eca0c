// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"iter"
	"sync/atomic"
)

// handling is one call of a function that has a session for itself, as the
// function's context knows it.
type handling struct {
	kind    *kind // of the manager
	hash    Hash
	subject Hash
	deleted atomic.Bool // from within
	over    atomic.Bool
	outer   *handling // in whose function this one was begun
}

type handlingKey struct{}

func handlingOf(ctx context.Context) *handling {
	h, _ := ctx.Value(handlingKey{}).(*handling)
	return h
}

// handlings yields the calls that handle one of m's sessions and in whose context ctx
// is.
func (m *Manager[T]) handlings(ctx context.Context) iter.Seq[*handling] {
	return func(yield func(*handling) bool) {
		for h := handlingOf(ctx); h != nil; h = h.outer {
			if h.kind.shares(m.kind) && !h.over.Load() && !h.deleted.Load() && !yield(h) {
				return
			}
		}
	}
}

// errWithin is for a call that would wait for the function in whose context it is.
var errWithin = invalid("waiting for a session in the context of the function that handles it")

// handled reports whether a function handles a session and ctx is its context.
func (m *Manager[T]) handled(ctx context.Context, session Hash) bool {
	for h := range m.handlings(ctx) {
		if h.hash == session {
			return true
		}
	}
	return false
}
