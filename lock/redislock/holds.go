// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
)

// Holds yields the live holds that overlap q.Resource, or all of the group,
// each once, sorted by name, kind and beginning of their first part and by
// fence; q.Limit of them at most, if that is positive.
//
// It takes a round trip for each name asked for and each 256 parts held of it.
// All of a group is listed as it comes in and stops with the loop, except that
// its keys, which Redis has in no order, are read first, in a round trip for
// each 256 fields of the ledger; what overlaps a resource is sorted first. Only
// what takes one round trip is a snapshot: else a hold that comes or goes
// meanwhile may be in it or not. An error ends it.
func (s *Store) Holds(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	if q.AllGroups {
		return s.holdsOfAll(ctx, q)
	}
	return func(yield func(lock.Hold, error) bool) {
		l := listing{
			store: s, keys: s.keys(q.Space, q.Group), left: q.Limit, yield: yield,
			all: q.Resource.Name() == "", seen: make(map[string]struct{}),
		}
		if l.all {
			_ = l.walk(ctx, "0", "+", "", "") && l.flush() && l.send(l.sole)
			return
		}
		for p := range q.Resource.Parts() {
			name := p.Name() + "\x00"
			if !l.walk(ctx, "["+name, "("+name+"\xff", string(appendExtent(nil, digit(p), p)), p.Name()) {
				return
			}
		}
		l.flush()
	}
}

// holdsOfAll lists group after group: those whose ledgers a SCAN of each master
// finds.
func (s *Store) holdsOfAll(ctx context.Context, q lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	return func(yield func(lock.Hold, error) bool) {
		groups, err := s.groups(ctx, q.Space)
		if err != nil {
			yield(lock.Hold{}, failure("holds", err))
			return
		}
		left := q.Limit
		for _, group := range groups {
			for h, err := range s.Holds(ctx, lock.StoreQuery{Space: q.Space, Group: group}) {
				if left--; !yield(h, err) || err != nil || left == 0 {
					return
				}
			}
		}
	}
}

var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "^", `\^`)

// groups finds the groups of a space.
func (s *Store) groups(ctx context.Context, space string) ([]string, error) {
	const end = "}:l" // of a ledger
	begin := s.space(space)
	var mu sync.Mutex
	found := make(map[string]bool)
	err := s.caller.Masters(ctx, func(ctx context.Context, master redis.Cmdable) error {
		keys := master.Scan(ctx, 0, literal.Replace(begin)+"*"+end, pageSize).Iterator()
		for keys.Next(ctx) {
			group := strings.TrimSuffix(strings.TrimPrefix(keys.Val(), begin), end)
			if group == tag("") {
				group = ""
			}
			group = plain.Replace(group)
			mu.Lock()
			found[group] = true
			mu.Unlock()
		}
		return keys.Err()
	})
	return slices.Sorted(maps.Keys(found)), err
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
	sole    []lock.Hold         // keys of all names, sorted, not yielded yet
}

// walk collects the holds between two places of the index, and before them
// the key of a name, or of all names, when from is a cursor.
func (l *listing) walk(ctx context.Context, from, to, wanted, name string) bool {
	for from != "" {
		answer, err := l.store.caller.Run(ctx, holdsScript, l.keys, from, to, pageSize, wanted, name)
		if err != nil {
			return l.fail(err)
		}
		r := open(answer)
		r.clock()
		at := next[string](r)
		keys := from[0] >= '0' && from[0] <= '9'
		switch {
		case !keys && at != "":
			at = "(" + at
		case keys && at == "0":
			at = "-" // that was the last of them
		}
		from, name = at, ""
		for r.more() {
			one := r.list()
			place, err := partOf(next[string](one))
			if err != nil {
				return l.fail(err)
			}
			hold, readable := one.hold(place)
			r.join(one)
			if _, again := l.seen[hold.ID]; keys && !again {
				l.seen[hold.ID] = struct{}{} // a cursor may meet it again
				l.sole = append(l.sole, hold)
			} else if !keys && !l.add(hold, readable) {
				return false
			}
		}
		if keys && from == "-" {
			slices.SortFunc(l.sole, compareHolds)
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

// flush yields what waits, sorted, and the keys that come before it.
func (l *listing) flush() bool {
	slices.SortFunc(l.waiting, compareHolds)
	if len(l.waiting) > 0 {
		n, _ := slices.BinarySearchFunc(l.sole, l.waiting[0], compareHolds)
		before := l.sole[:n]
		l.sole = l.sole[n:]
		if !l.send(before) {
			return false
		}
	}
	waiting := l.waiting
	l.waiting = l.waiting[:0]
	return l.send(waiting)
}

func (l *listing) send(holds []lock.Hold) bool {
	for _, h := range holds {
		l.left--
		if !l.yield(h, nil) || l.left == 0 {
			return false
		}
	}
	return true
}

func compareHolds(a, b lock.Hold) int {
	return cmp.Or(comparePlace(a.Resource, b.Resource), cmp.Compare(a.Fence, b.Fence))
}

func (l *listing) fail(err error) bool {
	l.yield(lock.Hold{}, failure("holds", err))
	return false
}
