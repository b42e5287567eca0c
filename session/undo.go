// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	firstUndo = 20 * time.Millisecond // before giving back is repeated; doubled each time
	longUndo  = 500 * time.Millisecond
)

// leftovers are leases and places that calls may have left in the store: their
// answer did not arrive, or they gave up waiting. One goroutine gives them back
// while there are any, until Stop. It tries each for as long as a lease lasts,
// after which nothing is left of it.
type leftovers struct {
	mu   sync.Mutex
	list []leftover
	stop context.CancelFunc // nil while no goroutine runs
	done chan struct{}      // closed when it has ended
}

type leftover struct {
	StoreHandle
	lease string
	until time.Time
}

// undo has a lease or a place given back in the background.
func (m *Manager[T]) undo(id ID, lease string) {
	l := &m.leftovers
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, leftover{m.handle(id, ""), lease, time.Now().Add(m.cfg.Lease)})
	if l.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		l.stop, l.done = stop, make(chan struct{})
		go m.giveBackAll(ctx, l.done)
	}
}

// end stops giving back and waits until it has ended, or ctx has.
func (l *leftovers) end(ctx context.Context) error {
	l.mu.Lock()
	stop, done := l.stop, l.done
	l.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Manager[T]) giveBackAll(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	l := &m.leftovers
	for pause := firstUndo; ; {
		l.mu.Lock()
		if len(l.list) == 0 {
			l.stop() // which only frees ctx
			l.list, l.stop = nil, nil
			l.mu.Unlock()
			return
		}
		next := l.list[0]
		l.list = l.list[1:]
		l.mu.Unlock()
		limited, cancel := context.WithDeadline(ctx, next.until)
		err := m.giveBack(limited, next.StoreHandle, next.lease) // when it is too late, so that the store forgets who waits
		over := limited.Err() != nil
		cancel()
		switch {
		case err == nil:
			pause = firstUndo
		case over || errors.Is(err, ErrInvalid) || errors.Is(err, ErrClosed):
		default:
			l.mu.Lock()
			l.list = append(l.list, next)
			l.mu.Unlock()
			_ = sleep(ctx, pause)
			pause = min(2*pause, longUndo)
		}
	}
}

// giveBack frees a lease, or gives up a place in line.
func (m *Manager[T]) giveBack(ctx context.Context, h StoreHandle, lease string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("session: the store panicked: %v", p)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, m.limit())
	defer cancel()
	_, err = m.follow(&h, func() (StoreReply, error) {
		return m.store.Load(limited, StoreLoad{StoreHandle: h, Lease: lease, Bare: true})
	})
	return err
}
