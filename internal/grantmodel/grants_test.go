// SPDX-License-Identifier: MIT

package grantmodel

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// long is whether HOLDFAST_LONG asks for full counts.
func long() bool { return os.Getenv("HOLDFAST_LONG") != "" }

func run(t *testing.T, name string) setup {
	t.Helper()
	list := table()
	k := slices.IndexFunc(list, func(s setup) bool { return s.name == name })
	if k < 0 {
		t.Fatalf("there is no run %s", name)
	}
	return list[k]
}

// Each run is explored as far as 12 000 states reach; with HOLDFAST_LONG, six
// million.
func TestTheProtocolHolds(t *testing.T) {
	for _, s := range table() {
		t.Run(s.name, func(t *testing.T) {
			if s.max = 12_000; long() {
				s.max = 6_000_000
			}
			m := model{setup: s}
			r := m.explore()
			if t.Log(r); r.broken != 0 {
				t.Fail()
			}
			for _, step := range s.steps {
				late := slices.Max(s.late[:])
				if r.overlap > max(0, min(step, late)) || r.overlapBefore > max(0, step) {
					t.Errorf("two believe at once for %d and %d ticks; the clock stepped by %d, messages were late by %d", r.overlap, r.overlapBefore, step, late)
				}
			}
		})
	}
}

// Ways at random reach deeper than the first states do.
func TestTheProtocolHoldsOnRandomWays(t *testing.T) {
	for _, s := range table() {
		t.Run(s.name, func(t *testing.T) {
			ways := 25
			if long() {
				ways = 3_000
			}
			m := model{setup: s}
			r := m.walk(ways, rand.New(rand.NewPCG(1, 2)))
			if t.Log(r); r.broken != 0 {
				t.Fail()
			}
		})
	}
}

// Without one of the rules that are marked in the package comment, the model
// finds a violation, which it does not find with it: the rule is needed.
func TestEachMarkedRuleIsNeeded(t *testing.T) {
	for _, c := range []struct {
		rule, run string
		change    func(*rules)
		want      violation
	}{
		{"Tell", "lost", func(r *rules) { r.tell = false }, waitedTooLong},
		{"Count", "lone-step", func(r *rules) { r.count = false }, withoutPlace},
		{"Count", "lost", func(r *rules) { r.count = false }, waitedTooLong},
		{"Drop", "die", func(r *rules) { r.drop = false }, waitedTooLong},
		{"Repeat", "idle", func(r *rules) { r.repeat = false }, heldByNoOne},
		{"Undo", "idle", func(r *rules) { r.undo = false }, heldByNoOne},
		{"Limit", "idle", func(r *rules) { r.limit = false }, heldByNoOne},
		{"Copies", "old-try", func(r *rules) { r.copies = false }, somethingStays},
		{"Again", "die-asking", func(r *rules) { r.again = false }, heldByNoOne},
	} {
		t.Run(c.rule+" in "+c.run, func(t *testing.T) {
			with := run(t, c.run)
			without := with
			without.max = 2_000_000
			c.change(&without.rules)
			m := model{setup: without}
			r := m.explore()
			if t.Log(r); r.broken != c.want {
				t.Errorf("want the violation that %s", violations[c.want])
			}
			with.max = min(2*r.states, 200_000)
			m = model{setup: with}
			if r := m.explore(); r.broken != 0 {
				t.Errorf("with the rule: %s", r)
			}
		})
	}
}
