// SPDX-License-Identifier: MIT

package redistest

import (
	"context"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Counter is a [redis.Hook] that counts the commands of its clients.
type Counter struct {
	counts func(redis.Cmder) bool
	n      atomic.Int64
}

// NewCounter counts the commands that counts reports true for, each in a
// pipeline on its own.
func NewCounter(counts func(redis.Cmder) bool) *Counter { return &Counter{counts: counts} }

// N returns how many were sent.
func (c *Counter) N() int64 { return c.n.Load() }

func (c *Counter) add(cmds ...redis.Cmder) {
	for _, cmd := range cmds {
		if c.counts(cmd) {
			c.n.Add(1)
		}
	}
}

// DialHook implements [redis.Hook].
func (*Counter) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (c *Counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.add(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (c *Counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.add(cmds...)
		return next(ctx, cmds)
	}
}
