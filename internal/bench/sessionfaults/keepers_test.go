// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// keeper is a session manager of any make. All end a session after half an
// hour without use, and after a day.
type keeper interface {
	login(ctx context.Context) (token string, err error) // a session whose value is 0
	begin(ctx context.Context, token string) (request, error)
	increment(ctx context.Context, token string) error // as the library's documentation asks
	count(ctx context.Context) (int, error)
}

// request is one request of a user, from loading the session to saving it.
type request interface {
	found() bool // the token stood for a session
	value() int
	set(n int)
	rotate() (token string, err error)
	logout() error
	finish() error
}

const (
	idle     = 30 * time.Minute
	lifetime = 24 * time.Hour
)

// maker is one of the makes.
type maker struct {
	name, module string
	new          func(*redis.Client) keeper
}

var makers = []maker{
	{name: "holdfast", new: newHoldfast},
	{name: "scs", module: "github.com/alexedwards/scs/v2", new: newSCS},
}

type holdfast struct{ *session.Manager[int] }

func newHoldfast(client *redis.Client) keeper {
	m, err := session.New(redissession.New(client), session.Config[int]{
		Name: "fault", IdleTimeout: idle, AbsoluteTimeout: lifetime, Timeout: time.Minute,
	})
	if err != nil {
		panic(err)
	}
	return holdfast{m}
}

func (k holdfast) login(ctx context.Context) (string, error) {
	s, err := k.Create(ctx, 0)
	if err != nil {
		return "", err
	}
	return s.ID.Token(), nil
}

func (k holdfast) begin(ctx context.Context, token string) (request, error) {
	id, err := session.ParseID(token)
	if err != nil {
		return nil, err
	}
	s, err := k.Get(ctx, id)
	if errors.Is(err, session.ErrNotFound) {
		err = nil
	}
	return &holdfastRequest{ctx: ctx, m: k.Manager, s: s}, err
}

func (k holdfast) increment(ctx context.Context, token string) error {
	id, err := session.ParseID(token)
	if err != nil {
		return err
	}
	_, err = k.Update(ctx, id, func(n *int) error { *n++; return nil })
	return err
}

func (k holdfast) count(ctx context.Context) (int, error) {
	n, err := k.Count(ctx)
	return int(n), err
}

type holdfastRequest struct {
	ctx     context.Context
	m       *session.Manager[int]
	s       *session.Session[int]
	changed bool
}

func (r *holdfastRequest) found() bool   { return r.s != nil }
func (r *holdfastRequest) value() int    { return r.s.Data }
func (r *holdfastRequest) set(n int)     { r.s.Data, r.changed = n, true }
func (r *holdfastRequest) logout() error { r.changed = false; return r.m.Delete(r.ctx, r.s.ID) }

func (r *holdfastRequest) rotate() (string, error) {
	err := r.m.Rotate(r.ctx, r.s)
	return r.s.ID.Token(), err
}

func (r *holdfastRequest) finish() error {
	if !r.changed {
		return nil
	}
	return r.m.Save(r.ctx, r.s)
}

type scsKeeper struct{ *scs.SessionManager }

func newSCS(client *redis.Client) keeper {
	// What scs.New does, but for the memory store, which starts a goroutine.
	return scsKeeper{&scs.SessionManager{IdleTimeout: idle, Lifetime: lifetime, Store: goredisstore.New(client), Codec: scs.GobCodec{}}}
}

func (k scsKeeper) login(ctx context.Context) (string, error) {
	ctx, err := k.Load(ctx, "")
	if err != nil {
		return "", err
	}
	k.Put(ctx, "n", 0)
	token, _, err := k.Commit(ctx)
	return token, err
}

func (k scsKeeper) begin(ctx context.Context, token string) (request, error) {
	ctx, err := k.Load(ctx, token)
	if err != nil {
		return nil, err
	}
	return scsRequest{ctx, k.SessionManager}, nil
}

func (k scsKeeper) increment(ctx context.Context, token string) error {
	r, err := k.begin(ctx, token)
	if err != nil {
		return err
	}
	r.set(r.value() + 1)
	return r.finish()
}

func (k scsKeeper) count(ctx context.Context) (n int, err error) {
	err = k.Iterate(ctx, func(context.Context) error { n++; return nil })
	return n, err
}

type scsRequest struct {
	ctx context.Context
	m   *scs.SessionManager
}

func (r scsRequest) found() bool   { return r.m.Token(r.ctx) != "" }
func (r scsRequest) value() int    { return r.m.GetInt(r.ctx, "n") }
func (r scsRequest) set(n int)     { r.m.Put(r.ctx, "n", n) }
func (r scsRequest) logout() error { return r.m.Destroy(r.ctx) }

func (r scsRequest) rotate() (string, error) {
	if err := r.m.RenewToken(r.ctx); err != nil {
		return "", err
	}
	token, _, err := r.m.Commit(r.ctx)
	return token, err
}

// finish is what the middleware LoadAndSave does.
func (r scsRequest) finish() error {
	if r.m.Status(r.ctx) != scs.Modified {
		return nil
	}
	_, _, err := r.m.Commit(r.ctx)
	return err
}
