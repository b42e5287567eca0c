// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"sync"
)

// gate counts what is under way, so that Close can wait for it. Unlike a
// [sync.WaitGroup] it may be joined while a call waits: work that was let in
// may start more.
type gate struct {
	mu   sync.Mutex
	busy int
	idle chan struct{} // made by a waiter, closed when busy falls to 0
}

func (g *gate) join() {
	g.mu.Lock()
	g.busy++
	g.mu.Unlock()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy--; g.busy == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// wait returns when nothing is under way, or with ctx's error.
func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.busy == 0 {
			g.mu.Unlock()
			return nil
		}
		if g.idle == nil {
			g.idle = make(chan struct{})
		}
		idle := g.idle
		g.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
