// SPDX-License-Identifier: MIT

// Package rediscall runs the Lua scripts of the Redis backends.
package rediscall

import (
	"cmp"
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Caller runs scripts on the client of a user.
//
// The zero value is not usable; see [New]. Safe for concurrent use.
type Caller struct {
	client   redis.UniversalClient
	missing  error    // answers every call when there is no client
	obedient bool     // the client itself gives up when ctx ends
	piped    bool     // all calls go in pipelines: else the client encodes them for their size, too, which Tries would count
	batcher  *batcher // nil without a client
}

// New wraps client. It does no I/O. If client is nil, or holds a nil pointer,
// every call returns missing.
func New(client redis.UniversalClient, missing error) *Caller {
	if configerr.IsNil(client) {
		return &Caller{missing: missing}
	}
	c := &Caller{client: client, obedient: obedient(client)}
	_, one := client.(*redis.Client)
	if _, ring := client.(*redis.Ring); !ring {
		_, c.piped = client.(interface{ Len() int }) // which, but for a Ring, only a redis.AutoPipeliner has
	}
	c.batcher = &batcher{caller: c, one: one, lanes: make(map[string]*lane)}
	return c
}

// obedient reports whether client returns when its context ends. go-redis
// ignores deadlines during I/O unless ContextTimeoutEnabled is set.
func obedient(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return c.Options().ContextTimeoutEnabled
	default:
		return false
	}
}

// Client returns the user's client, or nil.
func (c *Caller) Client() redis.UniversalClient { return c.client }

// Run evaluates script by its hash, and by its text where the server does not
// know it: one round trip, two after SCRIPT FLUSH or a failover. Calls made at
// the same time share round trips: those to one server, or of one hash slot
// where there may be several. The script needs a key.
//
// It returns when ctx ends even if the client does not: the command is then
// left to the client's own timeouts, on a goroutine that ends with them, and
// its outcome is unknown. Clients with ContextTimeoutEnabled never need that
// goroutine.
func (c *Caller) Run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	if c.batcher == nil {
		return nil, c.missing
	}
	return c.batcher.run(ctx, script, Call{keys, args})
}

func (c *Caller) alone(ctx context.Context, script *redis.Script, call Call) (any, error) {
	return Bounded(ctx, c, func(ctx context.Context) (any, error) {
		if c.piped {
			o := c.pipeline(ctx, 1, func(int) (*redis.Script, Call) { return script, call })[0]
			return o.answer, o.err
		}
		reply := script.EvalSha(ctx, c.client, call.Keys, call.Args...)
		if unknown(reply, call) {
			reply = script.Eval(ctx, c.client, call.Keys, call.Args...)
		}
		return reply.Result()
	})
}

// unknown reports whether the server that answered has no such script, so that
// the call has to be made again with its text.
func unknown(reply *redis.Cmd, call Call) bool {
	if !redis.HasErrorPrefix(reply.Err(), "NOSCRIPT") {
		return false
	}
	for _, arg := range call.Args {
		if n, ok := arg.(*Tries); ok {
			n.refused()
		}
	}
	return true
}

// Call is one run of a script in a batch.
type Call struct {
	Keys []string
	Args []any
}

// RunAll evaluates script once for each call, all in one pipeline, and again
// those that met a server without the script: one round trip, or two. The
// answers are in the order of calls; the first error is that of all. Like Run,
// it returns when ctx ends.
func (c *Caller) RunAll(ctx context.Context, script *redis.Script, calls []Call) ([]any, error) {
	switch len(calls) {
	case 0:
		return nil, nil
	case 1:
		answer, err := c.Run(ctx, script, calls[0].Keys, calls[0].Args...)
		return []any{answer}, err
	}
	return Bounded(ctx, c, func(ctx context.Context) ([]any, error) {
		answers := make([]any, len(calls))
		outcomes := c.pipeline(ctx, len(calls), func(i int) (*redis.Script, Call) { return script, calls[i] })
		for i, o := range outcomes {
			if o.err != nil {
				return nil, o.err
			}
			answers[i] = o.answer
		}
		return answers, nil
	})
}

var errNoReply = errors.New("the client returned neither a reply nor an error")

// outcome is what came of one call.
type outcome struct {
	answer   any
	err      error
	panicked any
}

// pipeline makes n calls in one pipeline, and again those that met a server
// without the script.
func (c *Caller) pipeline(ctx context.Context, n int, call func(int) (*redis.Script, Call)) []outcome {
	replies := make([]*redis.Cmd, n)
	pipe := c.client.Pipeline()
	for i := range replies {
		script, one := call(i)
		replies[i] = script.EvalSha(ctx, pipe, one.Keys, one.Args...)
	}
	_, err := pipe.Exec(ctx)
	for i, reply := range replies {
		if script, one := call(i); unknown(reply, one) {
			replies[i] = script.Eval(ctx, pipe, one.Keys, one.Args...)
		}
	}
	if pipe.Len() > 0 {
		_, err = pipe.Exec(ctx)
	}
	outcomes := make([]outcome, n)
	for i, reply := range replies {
		o := &outcomes[i]
		// A client that finds no server returns an error, but may leave the
		// replies without one.
		if o.answer, o.err = reply.Result(); o.answer == nil && o.err == nil {
			o.err = cmp.Or(err, errNoReply)
		}
	}
	return outcomes
}

// Bounded calls f, which uses c's client, and returns when ctx ends even if
// f does not. It does not call f when ctx has ended, or when there is no
// client. A panic in f, as of a user's hook, reaches the caller.
func Bounded[T any](ctx context.Context, c *Caller, f func(context.Context) (T, error)) (T, error) {
	var none T
	if err := cmp.Or(c.missing, ctx.Err()); err != nil {
		return none, err
	}
	if c.obedient || ctx.Done() == nil {
		return f(ctx)
	}
	type result struct {
		value    T
		err      error
		panicked any
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		if r.panicked != nil {
			panic(r.panicked)
		}
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
