// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"reflect"
	"sync"
	"time"
)

const (
	readFor = 2 * time.Second        // of one read of a part
	waitFor = 700 * time.Millisecond // of a page for all parts together
	idle    = 4                      // ticks between two reads while nothing happens here
)

// panel is what one part of the page shows, as it was last read. At most one
// read is under way at a time, in the background: a part that does not answer
// takes one connection, and delays no other part.
type panel[T any] struct {
	name string
	site *Site
	read func(context.Context) (T, error)

	mu     sync.Mutex
	value  T
	asOf   time.Time     // when value was read; zero = never
	failed bool          // the latest read
	ended  time.Time     // the latest read
	seen   uint64        // the change that the latest read began after
	done   chan struct{} // closed at the end of the read that is under way; nil = none is
}

// start begins a read when the latest is too old, and returns the channel of the
// read to wait for, or nil.
func (p *panel[T]) start() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	change, every := p.site.pace()
	known := !p.ended.IsZero() && p.seen == change
	if p.done == nil && (!known || time.Since(p.ended) >= every) {
		done := make(chan struct{})
		if p.site.begin(func() { p.refresh(change, done) }) {
			p.done = done
		}
	}
	if known && (p.failed || p.done == nil) {
		return nil // a part that is out of order is not waited for again
	}
	return p.done
}

func (p *panel[T]) refresh(change uint64, done chan struct{}) {
	ctx, cancel := context.WithTimeout(p.site.ctx, readFor)
	defer cancel()
	value, err := p.read(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.seen, p.failed, p.done = time.Now(), change, err != nil, nil
	close(done)
	if err != nil {
		return
	}
	p.asOf = p.ended
	if !reflect.DeepEqual(p.value, value) { // equal states share their lists: comparing them is cheap
		p.value = value
	}
}

// wait returns the latest value, after the read that is under way or when ctx
// ends. It adds to old what is not as it is now.
func (p *panel[T]) wait(ctx context.Context, old *State) T {
	for done := p.start(); done != nil; done = p.start() {
		select {
		case <-done:
			continue
		case <-ctx.Done():
		}
		break
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed || p.asOf.IsZero() || p.done != nil && time.Since(p.asOf) > 2*idle*p.site.Tick {
		old.missed(p.name, p.asOf)
	}
	return p.value
}

// missed notes that a part was not read just now.
func (st *State) missed(part string, asOf time.Time) {
	st.Errors = append(st.Errors, part)
	if asOf.IsZero() {
		return
	}
	if st.AsOf == nil {
		st.AsOf = make(map[string]time.Time)
	}
	st.AsOf[part] = asOf
}
