// SPDX-License-Identifier: MIT

package metrics

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// sources holds the breakers, managers, logs or pools that report under each
// name. S is their Stats; P holds what their events count, once for each name.
type sources[S, P any] struct {
	totals func(S) []float64     // the counters of a snapshot, always in one order
	births func(label string) *P // makes the P of a new name
	deaths func(label string)    // removes what births made; nil for nothing

	mu    sync.RWMutex
	named map[string]*family[S, P]
}

// family is the sources of one name. The name stays when its last source has
// closed, so that no count is lost, and goes when that source is retired.
type family[S, P any] struct {
	label  string
	pushed *P
	since  time.Time // when the first source became known
	live   []*source[S]
	base   []float64 // totals of the closed sources
}

type source[S any] struct {
	id   any
	from reader[S]
	last []float64 // totals when last read; nil before that
}

type reader[S any] interface{ Stats() S }

// reading is what a scrape found of one name.
type reading[S, P any] struct {
	label  string
	pushed *P
	since  time.Time
	live   []S
	totals []float64 // of the living and the closed
}

func (s *sources[S, P]) start(totals func(S) []float64, births func(string) *P, deaths func(string)) {
	s.totals, s.births, s.deaths, s.named = totals, births, deaths, make(map[string]*family[S, P])
}

// find returns what is counted under a name, or nil.
func (s *sources[S, P]) find(name string) *P {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f := s.named[label(name)]; f != nil {
		return f.pushed
	}
	return nil
}

// add makes a source known; once is enough.
func (s *sources[S, P]) add(name string, src reader[S]) *P { return s.addAs(name, src, src) }

// addAs is add for a source that the program knows as id.
func (s *sources[S, P]) addAs(name string, id any, src reader[S]) *P {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.named[label(name)]
	if f == nil {
		f = &family[S, P]{label: label(name), pushed: s.births(label(name)), since: time.Now()}
		s.named[f.label] = f
	}
	if f.index(id) < 0 {
		f.live = append(f.live, &source[S]{id: id, from: src})
	}
	return f.pushed
}

// close keeps the last totals of a source and lets go of it. It returns the
// name's family.
func (s *sources[S, P]) close(name string, id any) *family[S, P] {
	s.mu.RLock()
	f, src := s.named[label(name)], (*source[S])(nil)
	if i := f.index(id); i >= 0 {
		src = f.live[i]
	}
	s.mu.RUnlock()
	if src == nil {
		return f
	}
	final := s.totals(src.from.Stats())
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := f.index(id); i >= 0 {
		f.base = sum(f.base, highest(src.last, final))
		f.live = slices.Delete(f.live, i, i+1)
	}
	return f
}

// retire closes a source under its own name, if it has one, and under every
// name that it was added with. A name that has no other source goes.
func (s *sources[S, P]) retire(id any, own ...string) {
	s.mu.RLock()
	for name, f := range s.named {
		if f.index(id) >= 0 {
			own = append(own, name)
		}
	}
	s.mu.RUnlock()
	for _, name := range own {
		f := s.close(name, id)
		s.mu.Lock()
		if f != nil && len(f.live) == 0 && s.named[f.label] == f {
			delete(s.named, f.label)
			if s.deaths != nil {
				s.deaths(f.label)
			}
		}
		s.mu.Unlock()
	}
}

// collect reads every living source, each with no lock held.
func (s *sources[S, P]) collect() []reading[S, P] {
	type pair struct {
		*source[S]
		stats S
	}
	read := make(map[*family[S, P]][]pair)
	s.mu.RLock()
	for _, f := range s.named {
		read[f] = nil
		for _, src := range f.live {
			read[f] = append(read[f], pair{source: src})
		}
	}
	s.mu.RUnlock()

	for _, pairs := range read {
		for i := range pairs {
			pairs[i].stats = pairs[i].from.Stats()
		}
	}

	// Totals never fall: what was seen of a source only rises, and moves to
	// the base when the source closes. Both happen under the lock.
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []reading[S, P]
	for f, pairs := range read {
		r := reading[S, P]{label: f.label, pushed: f.pushed, since: f.since, totals: make([]float64, len(s.totals(*new(S))))}
		for _, p := range pairs {
			p.last = highest(p.last, s.totals(p.stats))
			r.live = append(r.live, p.stats)
		}
		sum(r.totals, f.base)
		for _, src := range f.live {
			sum(r.totals, src.last)
		}
		all = append(all, r)
	}
	return all
}

// index returns the place of a source among the living, or -1. Identities that
// cannot be compared are never the same.
func (f *family[S, P]) index(id any) int {
	if f == nil || !reflect.ValueOf(id).Comparable() {
		return -1
	}
	return slices.IndexFunc(f.live, func(src *source[S]) bool { return src.id == id })
}

// sum adds values to into, and returns it; nil stands for zeros.
func sum(into, values []float64) []float64 {
	if into == nil {
		return slices.Clone(values)
	}
	for i, v := range values {
		into[i] += v
	}
	return into
}

// highest raises into to what is higher in values, and returns it; nil stands
// for zeros.
func highest(into, values []float64) []float64 {
	if into == nil {
		return values
	}
	for i, v := range values {
		into[i] = max(into[i], v)
	}
	return into
}

// label makes a name fit for a label value. It allocates only if it must
// change the name.
func label(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
