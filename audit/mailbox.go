// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// mailboxSize bounds the activities that wait for one observer.
const mailboxSize = 1024

// mailbox delivers activities to one observer, on a goroutine that exists while
// there is work.
type mailbox struct {
	to             Observer
	panics, missed *atomic.Uint64

	mu    sync.Mutex
	queue []letter
	empty chan struct{} // closed when all is delivered; nil while no goroutine delivers
	stuck bool          // settle has waited in vain since the mailbox was last empty
}

type letter struct {
	ctx context.Context
	Activity
}

// put does not wait, and runs no user code on the caller's goroutine.
func (b *mailbox) put(ctx context.Context, a Activity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= mailboxSize {
		b.missed.Add(1)
		return
	}
	b.queue = append(b.queue, letter{ctx, a})
	if b.empty == nil {
		b.empty = make(chan struct{})
		go b.deliver()
	}
}

func (b *mailbox) deliver() {
	over := false
	defer func() {
		if !over { // the observer ended the goroutine
			go b.deliver()
		}
	}()
	for !over {
		b.mu.Lock()
		if over = len(b.queue) == 0; over {
			close(b.empty)
			b.queue, b.empty, b.stuck = nil, nil, false
			b.mu.Unlock()
			return
		}
		next := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		observe.Contain(b.panics, func() { b.to.ObserveAudit(next.ctx, next.Activity) })
	}
}

// settle waits until all is delivered: a second at most, and not again for an
// observer that is still stuck.
func (b *mailbox) settle() {
	b.mu.Lock()
	empty, stuck := b.empty, b.stuck
	b.mu.Unlock()
	if empty == nil || stuck {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-empty:
	case <-timer.C:
		b.mu.Lock()
		b.stuck = b.empty == empty
		b.mu.Unlock()
	}
}
