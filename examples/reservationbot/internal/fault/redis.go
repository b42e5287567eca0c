// SPDX-License-Identifier: MIT

package fault

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// ErrSwitchedOff is what a part that was switched off answers.
var ErrSwitchedOff = errors.New("fault: switched off")

// Redis is a hook of a client that can cut it off from its server. The zero
// value lets everything through.
type Redis struct{ down atomic.Bool }

var _ redis.Hook = (*Redis)(nil)

// DialHook implements [redis.Hook].
func (r *Redis) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if r.down.Load() {
			return nil, ErrSwitchedOff
		}
		return next(ctx, network, addr)
	}
}

// ProcessHook implements [redis.Hook].
func (r *Redis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if r.down.Load() {
			cmd.SetErr(ErrSwitchedOff)
			return ErrSwitchedOff
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements [redis.Hook].
func (r *Redis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if r.down.Load() {
			for _, cmd := range cmds {
				cmd.SetErr(ErrSwitchedOff)
			}
			return ErrSwitchedOff
		}
		return next(ctx, cmds)
	}
}
