// SPDX-License-Identifier: MIT

package sessionbench

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

const (
	users      = 1000
	idle       = 30 * time.Minute
	lifetime   = 24 * time.Hour
	writeEvery = 20
	touchEvery = 30
)

var (
	ctx  = context.Background()
	data = strings.Repeat("0123456789abcdef", 64) // 1 KiB
)

// cart is a session's data.
type cart struct {
	Text string
	N    int
}

// holdfast has its sessions in two managers: what one takes for recorded, the
// other records anew.
type holdfast struct {
	reading, touching *session.Manager[cart]
	ids               []session.ID
}

func newHoldfast(t testing.TB, client *redis.Client, n int) *holdfast {
	store := redissession.New(client)
	manager := func(touchEvery time.Duration) *session.Manager[cart] {
		m, err := session.New(store, session.Config[cart]{
			Name: "bench", IdleTimeout: idle, AbsoluteTimeout: lifetime, TouchEvery: touchEvery, Timeout: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	h := &holdfast{reading: manager(idle - 1), touching: manager(-1)}
	for range n {
		s, err := h.reading.Create(ctx, cart{Text: data})
		if err != nil {
			t.Fatal(err)
		}
		h.ids = append(h.ids, s.ID)
	}
	return h
}

func (h *holdfast) mix() func(int) {
	return func(n int) {
		for i := range n {
			h.request(i)
		}
	}
}

func (h *holdfast) request(i int) {
	id := h.ids[rand.IntN(len(h.ids))]
	m := h.reading
	if i%touchEvery == touchEvery/2 {
		m = h.touching
	}
	var err error
	if i%writeEvery == 0 {
		_, err = m.Update(ctx, id, func(c *cart) error { c.N++; return nil })
	} else {
		var s *session.Session[cart]
		if s, err = m.Get(ctx, id); err == nil && len(s.Data.Text) != len(data) {
			panic("that is not what was stored")
		}
	}
	if err != nil {
		panic(err)
	}
}

// scsUsers does what the middleware LoadAndSave does for each request.
type scsUsers struct {
	*scs.SessionManager
	tokens []string
}

func newSCS(t testing.TB, client *redis.Client, n int) *scsUsers {
	// What scs.New does, but for the memory store, which starts a goroutine.
	u := &scsUsers{SessionManager: &scs.SessionManager{
		IdleTimeout: idle, Lifetime: lifetime, Store: goredisstore.New(client), Codec: scs.GobCodec{},
	}}
	for range n {
		ctx, err := u.Load(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		u.Put(ctx, "text", data)
		u.Put(ctx, "n", 0)
		token, _, err := u.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		u.tokens = append(u.tokens, token)
	}
	return u
}

func (u *scsUsers) mix() func(int) {
	return func(n int) {
		for i := range n {
			u.request(i)
		}
	}
}

func (u *scsUsers) request(i int) {
	ctx, err := u.Load(ctx, u.tokens[rand.IntN(len(u.tokens))])
	if err != nil {
		panic(err)
	}
	if i%writeEvery == 0 {
		u.Put(ctx, "n", u.GetInt(ctx, "n")+1)
	} else if len(u.GetString(ctx, "text")) != len(data) {
		panic("that is not what was stored")
	}
	if u.Status(ctx) == scs.Modified { // always, with an idle timeout
		if _, _, err := u.Commit(ctx); err != nil {
			panic(err)
		}
	}
}
