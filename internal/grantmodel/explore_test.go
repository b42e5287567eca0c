// SPDX-License-Identifier: MIT

package grantmodel

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
)

// result is what a run found.
type result struct {
	states, depth int
	all           bool // every state was explored
	broken        violation
	trace         string // the shortest way to the violation

	free, idle, left       int8 // the longest of each, in ticks
	overlap, overlapBefore int8
	turned                 bool
}

func (r result) String() string {
	if r.broken != 0 {
		return fmt.Sprintf("%s, after %d states and %d steps:\n%s", violations[r.broken], r.states, r.depth, r.trace)
	}
	extent := "all"
	if !r.all {
		extent = "the first"
	}
	return fmt.Sprintf("%s %d states, %d steps deep; waited %d, held by no one %d, place left %d, overlap %d and %d, turned %t",
		extent, r.states, r.depth, r.free, r.idle, r.left, r.overlap, r.overlapBefore, r.turned)
}

func (r *result) measure(s *state) {
	r.free, r.idle, r.left = max(r.free, s.free), max(r.idle, s.idle), max(r.left, s.left)
	r.overlap, r.overlapBefore = max(r.overlap, s.overlap), max(r.overlapBefore, s.overlapBefore)
	r.turned = r.turned || s.turned
}

var seed = maphash.MakeSeed()

// explore visits the states breadth first, until one violates a rule, all were
// visited, or there are more than max.
func (m *model) explore() (r result) {
	first := m.start()
	from := map[uint64]uint64{maphash.Comparable(seed, first): 0}
	level := []state{first}
	var bad uint64
	for len(level) > 0 && r.broken == 0 && len(from) <= m.max {
		var following []state
		for _, s := range level {
			hash := maphash.Comparable(seed, s)
			m.next(s, func(t state, _ act) {
				key := maphash.Comparable(seed, t)
				if _, known := from[key]; known || r.broken != 0 {
					return
				}
				from[key] = hash
				r.measure(&t)
				if t.broken != 0 {
					r.broken, bad = t.broken, key
				}
				following = append(following, t)
			})
			if r.broken != 0 {
				break
			}
		}
		if level = following; len(level) > 0 {
			r.depth++
		}
	}
	r.states, r.all = len(from), len(level) == 0
	if r.broken != 0 {
		r.trace = m.trace(first, from, bad)
	}
	return r
}

// walk takes random ways through a run that is too large to be explored.
func (m *model) walk(ways int, random *rand.Rand) (r result) {
	for range ways {
		s := m.start()
		for range 250 {
			var choice []state
			m.next(s, func(t state, a act) {
				choice = append(choice, t)
				if a.of == ofNothing { // a tick is as likely as two others
					choice = append(choice, t)
				}
			})
			if len(choice) == 0 {
				break
			}
			s = choice[random.IntN(len(choice))]
			r.states++
			if r.measure(&s); s.broken != 0 {
				r.broken = s.broken
				return r
			}
		}
	}
	return r
}

// trace writes the steps from the first state to the one with the hash to.
func (m *model) trace(s state, from map[uint64]uint64, to uint64) string {
	var path []uint64
	for at := to; from[at] != 0; at = from[at] {
		path = append(path, at)
	}
	var b strings.Builder
	now := 0
	fmt.Fprintf(&b, "%4d  %-70s | %s\n", now, "", m.describe(s))
	for k := len(path) - 1; k >= 0; k-- {
		found := false
		m.next(s, func(t state, a act) {
			if found || maphash.Comparable(seed, t) != path[k] {
				return
			}
			found = true
			if a.of == ofNothing {
				now++
			} else {
				fmt.Fprintf(&b, "%4d  %-70s | %s\n", now, s.tell(a), m.describe(t))
			}
			s = t
		})
	}
	fmt.Fprintf(&b, "%4d  %s\n", now, violations[s.broken])
	return b.String()
}
