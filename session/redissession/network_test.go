// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// Requests and replies get lost and the server forgets its scripts, all the
// time. What was confirmed is there, once. Beyond that there may be, once each,
// those whose outcome is not known. It is so for a session and for a conversation, both
// encrypted.
func TestABadNetworkLosesAndDoublesNoUpdate(t *testing.T) {
	t.Parallel()
	each := 40
	if long() {
		each = 2000
	}
	server := redistest.Real(t)
	proxy := faultproxy.Start(t, server.Addr)
	direct := server.Client(t)
	newClient := func() *redis.Client {
		c := redis.NewClient(&redis.Options{Addr: proxy.Addr, ContextTimeoutEnabled: true, MaxRetries: 5, PoolSize: 8})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	codec := session.Sealed(session.JSON{}, make([]byte, 32))
	managers := []*session.Manager[int]{}
	for range 2 {
		m, err := session.New(New(newClient()), session.Config[int]{Name: space, Timeout: 10 * time.Second, Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		managers = append(managers, m)
	}
	s, err := managers[0].Create(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var gremlin, workers sync.WaitGroup
	var ended atomic.Int64
	var outcomes [2]struct{ reported, unknown atomic.Int64 } // of the session and of the conversation
	gremlin.Go(func() {
		for i, before := 0, int64(0); ; {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
			now := ended.Load()
			if now == before {
				continue // a few requests get through in between, on a busy machine too
			}
			switch i % 4 {
			case 0, 2:
				proxy.Lose("evalsha", 1)
			case 1:
				proxy.Cut() // some before the server has seen the request
			case 3:
				direct.ScriptFlush(t.Context())
			}
			i, before = i+1, now
		}
	})
	add := func(n *int) error { *n++; return nil }
	for w := range 6 {
		workers.Go(func() {
			for i := range each {
				m, of := managers[(w+i)%len(managers)], &outcomes[0]
				handle := func(_ context.Context, s *session.Session[int]) error { return add(&s.Data) }
				var err error
				switch w {
				case 0:
					err = m.Exclusive(t.Context(), s.ID, handle)
				case 1, 2:
					of = &outcomes[1]
					err = m.Converse(t.Context(), talk, 0, handle)
				default:
					_, err = m.Update(t.Context(), s.ID, add)
				}
				ended.Add(1)
				switch {
				case err == nil:
					of.reported.Add(1)
				case errors.Is(err, session.ErrUnavailable):
					of.unknown.Add(1)
				case errors.Is(err, session.ErrBusy), errors.Is(err, session.ErrConflict), errors.Is(err, session.ErrLeaseLost): // not carried out, and said so
				default:
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	close(over)
	gremlin.Wait()
	got, err := session.New(New(direct), session.Config[int]{Name: space, Timeout: time.Minute, Codec: codec})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []session.ID{s.ID, talk.ID()} {
		end, err := got.Peek(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		reported, unknown := outcomes[i].reported.Load(), outcomes[i].unknown.Load()
		if n := int64(end.Data); n < reported || n > reported+unknown {
			t.Errorf("the value is %d after %d confirmed increments and %d unknown ones, with %d replies lost", n, reported, unknown, proxy.Lost())
		}
		if proxy.Lost() == 0 || reported == 0 {
			t.Errorf("%d replies were lost and %d increments confirmed: nothing was tried", proxy.Lost(), reported)
		}
		t.Logf("%d confirmed, %d unknown, value %d; %d replies were lost", reported, unknown, end.Data, proxy.Lost())
	}
}
