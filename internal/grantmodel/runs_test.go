// SPDX-License-Identifier: MIT

package grantmodel

import "fmt"

// rules are those that are marked in the package comment.
type rules struct {
	tell, count, drop, repeat, undo, limit, again, copies bool
}

// protocol has every rule.
var protocol = rules{tell: true, count: true, drop: true, repeat: true, undo: true, limit: true, again: true, copies: true}

// table lists the runs. A process that is stopped or deaf, or a step of the
// clock, hits one claimant or two; the one whose waiting is measured is another
// process's, or not.
func table() []setup {
	list := []setup{
		{name: "small-twice", process: []int8{0, 1}, second: 1, ttl: 3, twice: 1, late: [processes]int8{0, 2}, quits: 2, faulty: 2},
		{name: "small-stop", process: []int8{0, 1}, second: 1, ttl: 3, loss: 1, stops: 1, late: [processes]int8{0, 1}, quits: 2, faulty: 2},
		{name: "small-three", process: []int8{0, 1, 2}, second: 1, ttl: 3, late: [processes]int8{0, 1, 0}},
		{name: "safety-2", process: []int8{0, 1}, second: 1, ttl: 4, loss: 1, twice: 1, stops: 1, late: [processes]int8{1, 2}, quits: 3, faulty: 3},
		{name: "safety-3", process: []int8{0, 1, 1}, second: 1, ttl: 4, twice: 1, late: [processes]int8{0, 2}, quits: 6, faulty: 2},
		{name: "safety-3p", process: []int8{0, 1, 2}, second: 1, ttl: 4, loss: 1, stops: 1, late: [processes]int8{0, 1, 1}, faulty: 6},
		{name: "lost", process: []int8{0, 1}, second: 1, ttl: 12, loss: 1, faulty: 3, waiter: 1, maxFree: 2},
		{name: "double", process: []int8{0, 1}, second: 1, ttl: 12, loss: 1, twice: 1, faulty: 2, waiter: 1, maxFree: 5, maxIdle: 5, silent: true},
		{name: "pair-double", process: []int8{0, 1, 1}, second: 1, ttl: 12, twice: 1, faulty: 2, waiter: 1, maxFree: 5, maxIdle: 5, silent: true},
		{name: "pair-lost", process: []int8{0, 1, 1}, second: 1, ttl: 12, loss: 1, faulty: 2, waiter: 1, maxFree: 5, maxIdle: 5},
		{name: "stop", process: []int8{0, 1, 1, 0}, second: 1, ttl: 6, stops: 1, faulty: 2, waiter: 3, maxFree: 5},
		{name: "die", process: []int8{0, 1, 1, 0}, second: 1, ttl: 6, dies: 1, faulty: 2, waiter: 3, maxFree: 4},
		{name: "deaf", process: []int8{0, 1, 1, 0}, second: 1, ttl: 6, loss: 3, faulty: 2, waiter: 3, maxFree: 5},
		{name: "resume", process: []int8{0, 1, 0}, second: 1, ttl: 12, stops: 1, faulty: 2, waiter: 1, maxFree: 5},
		{name: "quit", process: []int8{0, 1, 1}, second: 1, ttl: 8, loss: 1, quits: 6, faulty: 2, maxLeft: 5},
		{name: "idle", process: []int8{0, 1}, second: 1, ttl: 12, loss: 1, faulty: 2, maxIdle: 5},
		{name: "old-try", process: []int8{0, 1, 1}, second: 1, ttl: 8, twice: 1, quits: 6, faulty: 2, maxLeft: 3},
		{name: "die-asking", process: []int8{0, 1}, second: 1, ttl: 12, dies: 1, faulty: 2, maxIdle: 3, old: 1},
		{name: "mate-lost", process: []int8{0, 1, 1}, second: 1, ttl: 6, loss: 1, faulty: 2, maxLost: 3},
		{name: "mate-stop", process: []int8{0, 1, 0, 1}, second: 1, ttl: 12, stops: 1, faulty: 2, maxLost: 3},
		{name: "mate-step", process: []int8{0, 1, 0, 1}, second: 1, ttl: 12, steps: []int8{3}, maxLost: 3},
		{name: "lone-step", process: []int8{0, 1}, second: 1, ttl: 6, steps: []int8{3}, maxLost: 3},
		{name: "half-die", process: []int8{0, 1, 1, 0}, second: 2, ttl: 12, dies: 1, faulty: 2, waiter: 3, maxFree: 10},
		{name: "late-die", process: []int8{0, 1, 1, 0}, second: 2, ttl: 12, dies: 1, late: [processes]int8{1}, faulty: 2, waiter: 3, maxFree: 10},
		{name: "half-stop", process: []int8{0, 1, 1, 0}, second: 2, ttl: 12, stops: 1, faulty: 2, waiter: 3, maxFree: 10},
		{name: "half-lost", process: []int8{0, 1}, second: 2, ttl: 12, loss: 1, faulty: 3, waiter: 1, maxFree: 10},
	}
	for _, step := range []int8{1, 2, 3, 4, -3} {
		for _, late := range []int8{0, 1, 2, 3} {
			list = append(list, setup{
				name: fmt.Sprintf("clock%+d/%d", step, late), process: []int8{0, 1, 2}, second: 2, ttl: 8, steps: []int8{step}, late: [processes]int8{0, late, 0},
			})
		}
	}
	for i := range list {
		s := &list[i]
		s.rules = protocol
		s.polls = s.maxLost == 0 // polling would hide that a place was lost
		switch {
		case s.silent:
			s.old = 4 // a try without a pair that is older than that may hold until its TTL
		case s.old == 0:
			s.old = 6 * s.second
		}
		if s.maxFree == 0 {
			s.waiter = none
		}
	}
	return list
}
