// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"time"
)

// Context returns a context that ends when parent does or when the lease
// does, whichever is first, whether or not the store can be reached. Its
// error is always [context.Canceled], so that the end of a lease does not look
// like a timeout; [context.Cause] returns the reason: [ErrLost], [ErrReleased],
// [ErrMaxReached], or parent's own cause. Values and the deadline are
// parent's. It keeps about a kilobyte until the first of the two ends, and nothing
// if parent never does.
func (l *Lease) Context(parent context.Context) context.Context {
	c := &leaseContext{Context: l.ctx, lease: l, parent: parent}
	if parent.Done() == nil {
		return c
	}
	c.Context, c.cancel = context.WithCancelCause(l.ctx)
	stop := context.AfterFunc(parent, c.follow)
	context.AfterFunc(c.Context, func() { stop() }) // parent may live on for long
	c.Err()
	return c
}

// leaseContext descends from the lease's context, so that it ends in the same
// instant, and follows parent.
type leaseContext struct {
	context.Context
	lease  *Lease
	parent context.Context
	cancel context.CancelCauseFunc // nil when parent never ends
}

func (c *leaseContext) follow() { c.cancel(context.Cause(c.parent)) }

func (c *leaseContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Err follows parent by itself: it must not lag behind parent's Err.
func (c *leaseContext) Err() error {
	if c.cancel != nil && c.parent.Err() != nil {
		c.follow()
	}
	return c.Context.Err()
}

// leaseKey finds the innermost leaseContext.
type leaseKey struct{}

func leaseOf(ctx context.Context) *leaseContext {
	c, _ := ctx.Value(leaseKey{}).(*leaseContext)
	return c
}

// Value asks the lease's context first. It has no values but package
// context's own, by which it finds and cancels descendants.
func (c *leaseContext) Value(key any) any {
	if key == (leaseKey{}) {
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.parent.Value(key)
}
