// SPDX-License-Identifier: MIT

package memlock

import (
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// waiter has a place in the queue of its group. One that is not waiting any
// more keeps it for some time, to try its claim again.
type waiter struct {
	id       string
	resource lock.Resource
	waiting  bool
	until    time.Time
}

const patience = 3 * time.Second

// enqueue gives a claim its place, or keeps it, and returns it, from 1.
func (g *group) enqueue(c lock.Claim, now time.Time) int {
	i := g.place(c.ID)
	if i < 0 {
		i = len(g.queue)
		g.queue = append(g.queue, &waiter{id: c.ID, resource: c.Resource})
	}
	g.queue[i].until = now.Add(patience)
	return i + 1
}

func (g *group) place(id string) int {
	return slices.IndexFunc(g.queue, func(w *waiter) bool { return w.id == id })
}

// stay notes whether the claim goes on waiting.
func (g *group) stay(id string, now time.Time, waiting bool) {
	if i := g.place(id); i >= 0 {
		g.queue[i].waiting, g.queue[i].until = waiting, now.Add(patience)
	}
}

func (g *group) leave(id string) {
	if i := g.place(id); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		g.free()
	}
}

// before returns how long the first waiter that the claim has to let pass may
// keep its place; 0 when there is none. The dead leave.
func (g *group) before(c lock.Claim, now time.Time) time.Duration {
	if !c.Queue {
		return 0
	}
	g.queue = slices.DeleteFunc(g.queue, func(w *waiter) bool { return !w.waiting && !w.until.After(now) })
	for _, w := range g.queue {
		switch {
		case w.id == c.ID:
			return 0
		case !w.resource.Overlaps(c.Resource):
			continue
		case w.waiting:
			return patience
		}
		return w.until.Sub(now)
	}
	return 0
}
