// SPDX-License-Identifier: MIT

package metrics

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// sources knows the breakers, managers, logs or pools that are alive, by
// name, without keeping them alive. S is their Stats; P holds what their
// events count, one for each name.
type sources[S, P any] struct {
	totals func(S) []float64     // the counters of a snapshot, always in one order
	births func(label string) *P // makes the P of a new name

	mu      sync.RWMutex
	named   map[string]*family[S, P]
	pruneAt int // number of names at which add looks for dead ones
}

// family is the sources of one name.
type family[S, P any] struct {
	label  string
	pushed *P
	live   []*source[S]
	base   []float64 // totals of those that are gone, as last seen
}

type source[S any] struct {
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
	s.mu.RLock()
	defer s.mu.RUnlock()
	f := s.named[name]
	if f == nil {
		f = s.named[label(name)]
	}
	if f == nil {
		return nil
	}
	return f.pushed
}

// at is find for a source whose creation nobody told of.
func (s *sources[S, P]) at(name string, src reader[S]) *P {
	if p := s.find(name); p != nil {
		return p
	}
	return s.add(name, src)
}

// add makes a source known; once is enough.
func (s *sources[S, P]) add(name string, src reader[S]) *P {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named == nil {
		s.named = make(map[string]*family[S, P])
	}
	// Sources that come and go are forgotten even if nobody scrapes. The
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
	if f.index(src) < 0 {
		f.live = append(f.live, &source[S]{get: weakly(src), since: time.Now()})
	}
	return f.pushed
}

// retire forgets a source that says that its totals stop here.
func (s *sources[S, P]) retire(name string, src reader[S]) {
	final := s.totals(src.Stats())
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.named[label(name)]
	if f == nil {
		return
	}
	if i := f.index(src); i >= 0 {
		f.live[i].last = highest(f.live[i].last, final)
		f.drop(i)
	}
	if len(f.live) == 0 {
		delete(s.named, f.label)
	}
}

// prune forgets the sources that nobody else holds any more, and the names
// that have none left.
func (s *sources[S, P]) prune() {
	for name, f := range s.named {
		for i := len(f.live) - 1; i >= 0; i-- {
			if _, ok := f.live[i].get(); !ok {
				f.drop(i)
			}
		}
		if len(f.live) == 0 {
			delete(s.named, name)
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

func (f *family[S, P]) index(src reader[S]) int {
	for i, known := range f.live {
		if r, ok := known.get(); ok && same(r, src) {
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

// same compares two sources; those that cannot be compared are never the same.
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
