// SPDX-License-Identifier: MIT

package metrics

import (
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sources knows the breakers, managers, logs or pools that are alive, by
// name, without keeping them alive. S is their Stats; P holds what their
// events count, one for each name.
type sources[S, P any] struct {
	totals func(S) []float64     // the counters of a snapshot, always in one order
	births func(label string) *P // makes the P of a new name

	// fast has some of the names, for reading without a lock. It is made anew
	// after as many misses as there are names, so that its cost is constant for
	// each of them, and thrown away when a name goes.
	fast atomic.Pointer[index[P]]

	mu      sync.Mutex
	named   map[string]*family[S, P]
	pruneAt int // number of names at which add looks for dead ones
	misses  int // finds of a name that fast lacked
}

// index finds what is counted under a name, and does not change. A program has
// one manager of a kind, or two: comparing with few names is faster than the
// hash of a map, which was a third of what an event cost.
type index[P any] struct {
	few []known[P]
	all map[string]*P
}

type known[P any] struct {
	name   string
	pushed *P
}

func (x *index[P]) find(name string) *P {
	for i := range x.few {
		if x.few[i].name == name {
			return x.few[i].pushed
		}
	}
	return x.all[name]
}

// family is the sources of one name.
type family[S, P any] struct {
	label  string
	pushed *P
	live   []*source[S]
	base   []float64 // totals of those that are gone, as last seen
}

type source[S any] struct {
	id    any
	get   func() (reader[S], bool)
	since time.Time
	last  []float64 // totals when last read; nil before that
}

type reader[S any] interface{ Stats() S }

// reading is what a scrape found of one name.
type reading[S, P any] struct {
	label  string
	pushed *P
	live   []S
	since  time.Time // when the oldest of the living became known
	totals []float64 // of the living and the gone
}

// find returns what is counted under a name, or nil.
func (s *sources[S, P]) find(name string) *P {
	if fast := s.fast.Load(); fast != nil {
		if p := fast.find(name); p != nil {
			return p
		}
	}
	return s.findSlowly(name)
}

func (s *sources[S, P]) findSlowly(name string) *P {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.named[label(name)]
	if f == nil {
		return nil
	}
	if s.misses++; s.misses >= len(s.named) && f.label == name {
		fast := &index[P]{few: make([]known[P], 0, 4), all: make(map[string]*P, len(s.named))}
		for name, f := range s.named {
			fast.all[name] = f.pushed
			if len(fast.few) < cap(fast.few) {
				fast.few = append(fast.few, known[P]{name, f.pushed})
			}
		}
		s.fast.Store(fast)
		s.misses = 0
	}
	return f.pushed
}

// forget ends a name.
func (s *sources[S, P]) forget(name string) {
	delete(s.named, name)
	s.fast.Store(nil)
	s.misses = 0
}

// add makes a source known; once is enough.
func (s *sources[S, P]) add(name string, src reader[S]) *P {
	id, get := weakly(src)
	return s.addAs(name, id, get)
}

// addAs is add for a source that get returns while it lives.
func (s *sources[S, P]) addAs(name string, id any, get func() (reader[S], bool)) *P {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named == nil {
		s.named = make(map[string]*family[S, P])
	}
	// Sources that come and go are forgotten even without a scrape. The
	// threshold doubles, so that the work for each add stays constant.
	if len(s.named) >= s.pruneAt {
		s.prune()
		s.pruneAt = max(64, 2*len(s.named))
	}
	f := s.named[label(name)]
	if f == nil {
		f = &family[S, P]{label: label(name), pushed: s.births(label(name))}
		s.named[f.label] = f
	}
	if f.index(id) < 0 {
		f.live = append(f.live, &source[S]{id: id, get: get, since: time.Now()})
	}
	return f.pushed
}

// retire forgets a source that says that its totals stop here.
func (s *sources[S, P]) retire(name string, src reader[S]) {
	final := s.totals(src.Stats())
	id, _ := weakly(src)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.named[label(name)]
	if f == nil {
		return
	}
	if i := f.index(id); i >= 0 {
		f.live[i].last = highest(f.live[i].last, final)
		f.drop(i)
	}
	if len(f.live) == 0 {
		s.forget(f.label)
	}
}

// prune forgets the sources that the program has dropped, and the names
// that have none left.
func (s *sources[S, P]) prune() {
	for name, f := range s.named {
		for i := len(f.live) - 1; i >= 0; i-- {
			if _, ok := f.live[i].get(); !ok {
				f.drop(i)
			}
		}
		if len(f.live) == 0 {
			s.forget(name)
		}
	}
}

// collect reads every living source, each with no lock held.
func (s *sources[S, P]) collect() []reading[S, P] {
	type pair struct {
		*source[S]
		from  reader[S]
		stats S
	}
	var families []*family[S, P]
	var pairs [][]pair

	s.mu.Lock()
	s.prune()
	for _, f := range s.named {
		var of []pair
		for _, src := range f.live {
			if r, ok := src.get(); ok {
				of = append(of, pair{source: src, from: r})
			}
		}
		if len(of) > 0 {
			families, pairs = append(families, f), append(pairs, of)
		}
	}
	s.mu.Unlock()

	for _, of := range pairs {
		for i := range of {
			of[i].stats = of[i].from.Stats()
		}
	}

	// Totals never fall: what was seen of a source only rises, and moves to
	// the base when the source goes. Both happen under the lock.
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []reading[S, P]
	for i, f := range families {
		r := reading[S, P]{label: f.label, pushed: f.pushed}
		for _, p := range pairs[i] {
			p.last = highest(p.last, s.totals(p.stats))
			r.live = append(r.live, p.stats)
			if r.since.IsZero() { // sources are in the order in which they came
				r.since = p.since
			}
		}
		r.totals = sum(make([]float64, len(s.totals(*new(S)))), f.base)
		for _, src := range f.live {
			sum(r.totals, src.last)
		}
		all = append(all, r)
	}
	return all
}

func (f *family[S, P]) index(id any) int {
	for i, known := range f.live {
		if same(known.id, id) {
			return i
		}
	}
	return -1
}

func (f *family[S, P]) drop(i int) {
	if last := f.live[i].last; last != nil {
		f.base = sum(append(make([]float64, len(last)-len(f.base)), f.base...), last)
	}
	f.live = append(f.live[:i], f.live[i+1:]...)
}

// same compares two identities; those that cannot be compared are never the
// same.
func same(a, b any) bool { return reflect.ValueOf(a).Comparable() && a == b }

// sum adds other, which may be empty, to into.
func sum(into, other []float64) []float64 {
	for i, v := range other {
		into[i] += v
	}
	return into
}

// highest raises into, which may be empty, to what is higher in other.
func highest(into, other []float64) []float64 {
	if into == nil {
		return other
	}
	for i, v := range other {
		into[i] = max(into[i], v)
	}
	return into
}

// label makes a name fit for a label value. It allocates only if it must
// change the name.
func label(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
