// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/holdfast-go/holdfast/lock"
)

// Holds yields the live holds that overlap q.Resource, or all of the group,
// each once, sorted by name, kind and beginning of their first part and by
// fence; q.Limit of them at most, if that is positive.
//
// It takes a round trip for each 256 parts held of the names asked for. All
// of a group is listed as it comes in and stops with the loop; what overlaps
// a resource is sorted first. It is no snapshot: a hold that comes or goes
// meanwhile may be in it or not. An error ends it.
func (s *Store) Holds(ctx context.Context, q lock.Query) iter.Seq2[lock.Hold, error] {
	return func(yield func(lock.Hold, error) bool) {
		l := listing{
			store: s, keys: s.keys(q.Space, q.Group), left: q.Limit, yield: yield,
			all: q.Resource.Name() == "", seen: make(map[string]struct{}),
		}
		if l.all {
			_ = l.walk(ctx, "-", "+", "") && l.flush()
			return
		}
		for p := range q.Resource.Parts() {
			name := p.Name() + "\x00"
			if !l.walk(ctx, "["+name, "("+name+"\xff", string(appendExtent(nil, p))) {
				return
			}
		}
		l.flush()
	}
}

// listing is one run of Holds. Its methods return false when it has ended.
type listing struct {
	store   *Store
	keys    []string
	left    int // to yield; 0 or less from the beginning = no limit
	yield   func(lock.Hold, error) bool
	all     bool                // of the group
	seen    map[string]struct{} // holds that may be met again
	waiting []lock.Hold         // to be sorted
}

// walk collects the holds between two places of the index.
func (l *listing) walk(ctx context.Context, from, to, wanted string) bool {
	for from != "" {
		answer, err := l.store.caller.Run(ctx, holdsScript, l.keys, from, to, pageSize, wanted)
		if err != nil {
			return l.fail(err)
		}
		r := open(answer)
		r.clock()
		from = next[string](r)
		if from != "" {
			from = "(" + from
		}
		for r.more() {
			one := r.list()
			place, _, err := splitMember(next[string](one))
			if err != nil {
				return l.fail(err)
			}
			hold, readable := one.hold(place)
			r.join(one)
			if !l.add(hold, readable) {
				return false
			}
		}
		if err := r.err(); err != nil {
			return l.fail(err)
		}
	}
	return true
}

// add takes a hold in, the first time it is met. In a listing of all, first
// parts come in order, so whatever begins elsewhere may go.
func (l *listing) add(h lock.Hold, readable bool) bool {
	if _, again := l.seen[h.ID]; again {
		return true
	}
	if !l.all || !readable || !single(h.Resource) {
		l.seen[h.ID] = struct{}{}
	}
	if l.all && len(l.waiting) > 0 && comparePlace(l.waiting[0].Resource, h.Resource) != 0 && !l.flush() {
		return false
	}
	l.waiting = append(l.waiting, h)
	return true
}

func single(r lock.Resource) bool {
	n := 0
	for range r.Parts() {
		n++
	}
	return n == 1
}

// flush yields what waits, sorted.
func (l *listing) flush() bool {
	slices.SortFunc(l.waiting, func(a, b lock.Hold) int {
		return cmp.Or(comparePlace(a.Resource, b.Resource), cmp.Compare(a.Fence, b.Fence))
	})
	for _, h := range l.waiting {
		l.left--
		if !l.yield(h, nil) || l.left == 0 {
			return false
		}
	}
	l.waiting = l.waiting[:0]
	return true
}

func (l *listing) fail(err error) bool {
	l.yield(lock.Hold{}, fmt.Errorf("redislock: holds: %w", err))
	return false
}
