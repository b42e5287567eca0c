// SPDX-License-Identifier: MIT

package redislock

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// reply reads a script's answer from its front. After the first surprise it
// yields zero values, and err says so.
type reply struct {
	rest []any
	now  time.Time
	bad  bool
}

// open begins to read an answer, or a list inside one.
func open(v any) *reply {
	list, ok := v.([]any)
	return &reply{rest: list, bad: !ok}
}

func next[T any](r *reply) (v T) {
	if r.bad || len(r.rest) == 0 {
		r.bad = true
		return v
	}
	v, ok := r.rest[0].(T)
	r.rest, r.bad = r.rest[1:], !ok
	return v
}

func (r *reply) err() error {
	if r.bad {
		return fmt.Errorf("a script's answer of an unknown shape")
	}
	return nil
}

func (r *reply) status() lock.StoreStatus { return lock.StoreStatus(next[int64](r)) }
func (r *reply) millis() time.Duration    { return time.Duration(next[int64](r)) * time.Millisecond }
func (r *reply) clock()                   { r.now = time.UnixMilli(next[int64](r)).UTC() }
func (r *reply) list() *reply             { return r.inside(next[[]any](r)) }
func (r *reply) inside(v []any) *reply    { return &reply{rest: v, now: r.now} }
func (r *reply) more() bool               { return !r.bad && len(r.rest) > 0 }
func (r *reply) join(inner *reply)        { r.bad = r.bad || inner.bad }

// hold reads an id, the milliseconds left, and a record. A record that this
// version cannot read makes a hold of which only place is known: it is alive
// all the same.
func (r *reply) hold(place lock.Resource) (h lock.Hold, readable bool) {
	id, left, record := next[string](r), r.millis(), next[string](r)
	h, err := decode(record)
	if err != nil {
		h = lock.Hold{Resource: place}
	}
	h.ID, h.Left, h.ExpiresAt = id, left, r.now.Add(left)
	return h, err == nil
}

// holds reads a list of holds and leaves out those it cannot read.
func (r *reply) holds() []lock.Hold {
	var holds []lock.Hold
	for r.more() {
		one := r.list()
		if h, readable := one.hold(lock.Resource{}); readable {
			holds = append(holds, h)
		}
		r.join(one)
	}
	return holds
}
