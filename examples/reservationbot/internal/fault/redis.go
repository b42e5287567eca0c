// SPDX-License-Identifier: MIT

package fault

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// ErrSwitchedOff is what a part that was switched off answers.
var ErrSwitchedOff = errors.New("fault: switched off")

// Redis is a hook of a client that can cut it off from its server, or spoil what
// it sends. The zero value lets everything through.
type Redis struct {
	down    atomic.Bool
	spoiled atomic.Pointer[string] // the end of an argument that is to be damaged once
}

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
		spoiled := r.spoil(cmd.Args())
		err := next(ctx, cmd)
		if spoiled && err == nil {
			r.spoiled.Store(nil)
		}
		return err
	}
}

// spoil changes the last byte of the argument that was marked, if it is among
// args.
func (r *Redis) spoil(args []any) bool {
	end := r.spoiled.Load()
	for i, arg := range args {
		if s, _ := arg.(string); end != nil && *end != "" && strings.HasSuffix(s, *end) {
			args[i] = s[:len(s)-1] + string(s[len(s)-1]^1)
			return true
		}
	}
	return false
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
