// SPDX-License-Identifier: MIT

package metrics

import (
	"reflect"
	"slices"
	"sync"
	"time"
)

// sources holds the breakers, managers, logs or pools that report under each
// name. S is their Stats; P holds what their events count, once for each name.
type sources[S, P any] struct {
	totals func(S) []float64     // the counters of a snapshot, always in one order
	births func(label string) *P // makes the P of a new name; nil for a zero one
	deaths func(label string)    // removes what births made; nil for nothing
	label  func(name string) (label string, wanted bool)

	mu    sync.RWMutex
	named map[string]*family[S, P]
}

// family is the sources of one name. The name stays when its last source has
// closed, so that no count is lost, and goes when that source is retired.
type family[S, P any] struct {
	label  string
	pushed *P
	since  time.Time // when the first source became known
	live   map[any]*source[S]
	base   []float64 // totals of the closed sources
}

type source[S any] struct {
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

func (s *sources[S, P]) start(label func(string) (string, bool), totals func(S) []float64, births func(string) *P, deaths func(string)) {
	s.label, s.totals, s.births, s.deaths, s.named = label, totals, births, deaths, make(map[string]*family[S, P])
}

// find returns what is counted under a name, or nil.
func (s *sources[S, P]) find(name string) *P {
	label, _ := s.label(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f := s.named[label]; f != nil {
		return f.pushed
	}
	return nil
}

// meet takes note of the first or the last event of a source, and returns nil, or
// what other events count; nil for a name that is left out.
func (s *sources[S, P]) meet(src interface {
	reader[S]
	Name() string
}, first, last bool) *P {
	switch {
	case first:
		s.add(src.Name(), src)
		return nil
	case last:
		s.close(src.Name(), src)
		return nil
	}
	if p := s.find(src.Name()); p != nil {
		return p
	}
	return s.add(src.Name(), src) // its first event went to another observer
}

// add makes a source known; once is enough. It returns nil for a name that is
// left out.
func (s *sources[S, P]) add(name string, src reader[S]) *P { return s.addAs(name, src, src) }

// addAs is add for a source that the program knows as id.
func (s *sources[S, P]) addAs(name string, id any, src reader[S]) *P {
	label, wanted := s.label(name)
	if !wanted {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.named[label]
	if f == nil {
		f = &family[S, P]{label: label, pushed: new(P), since: time.Now(), live: make(map[any]*source[S])}
		if s.births != nil {
			f.pushed = s.births(label)
		}
		s.named[label] = f
	}
	if id = key(id); f.live[id] == nil {
		f.live[id] = &source[S]{from: src}
	}
	return f.pushed
}

// close keeps the last totals of a source and lets go of it.
func (s *sources[S, P]) close(name string, id any) {
	label, _ := s.label(name)
	s.closeIn(label, id)
}

// closeIn is close for a label. It returns the label's family.
func (s *sources[S, P]) closeIn(label string, id any) *family[S, P] {
	id = key(id)
	s.mu.RLock()
	f, src := s.named[label], (*source[S])(nil)
	if f != nil {
		src = f.live[id]
	}
	s.mu.RUnlock()
	if src == nil {
		return f
	}
	final := s.totals(src.from.Stats())
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.live[id] == src {
		f.base = sum(f.base, highest(src.last, final))
		delete(f.live, id)
	}
	return f
}

// retire closes a source under its own name, if it has one, and under every
// name that it was added with. A name that has no other source goes.
func (s *sources[S, P]) retire(id any, own ...string) {
	id = key(id)
	var labels []string
	for _, name := range own {
		label, _ := s.label(name)
		labels = append(labels, label)
	}
	s.mu.RLock()
	for label, f := range s.named {
		if f.live[id] != nil {
			labels = append(labels, label)
		}
	}
	s.mu.RUnlock()
	for _, label := range labels {
		f := s.closeIn(label, id)
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

// key is what a source is known by. Sources that cannot be compared are never the
// same.
func key(id any) any {
	if !reflect.ValueOf(id).Comparable() {
		return new(byte)
	}
	return id
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
