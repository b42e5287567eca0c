// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// A Redis without persistence comes back empty: all users are logged out, no
// late write brings a session back, and the next caller is served.
func TestARestartWithoutPersistenceLogsOutAndBringsNobodyBack(t *testing.T) {
	t.Parallel()
	first := redistest.Real(t)
	var addr atomic.Value
	addr.Store(first.Addr)
	client := redis.NewClient(&redis.Options{
		ContextTimeoutEnabled: true,
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr.Load().(string))
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	m := newManager(t, client, session.Config[note]{MaxPerSubject: 1})
	ctx := t.Context()
	s, err := m.Create(ctx, note{"before"}, session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	key := session.Conversation{Channel: "sms", Peer: "1"}
	restart := func() {
		first.Kill()
		addr.Store(redistest.Real(t).Addr)
	}
	err = m.Converse(ctx, key, note{"before"}, func(ctx context.Context, c *session.Session[note]) error {
		restart()
		c.Data.Text = "written by a handler from before the restart"
		return nil
	})
	if !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrLeaseLost) {
		t.Errorf("a handler whose session was lost: %v, want ErrNotFound or ErrLeaseLost", err)
	}
	never := func(context.Context, *session.Session[note]) error { return errors.New("it ran") }
	for what, err := range map[string]error{"Save": m.Save(ctx, s), "Rotate": m.Rotate(ctx, s), "Exclusive": m.Exclusive(ctx, s.ID, never)} {
		if !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s of a session from before the restart: %v, want ErrNotFound", what, err)
		}
	}
	if n, err := m.Count(ctx); n != 0 || err != nil {
		t.Errorf("counted %d, %v, want none", n, err)
	}
	again, created, err := m.Open(ctx, key, note{"after"})
	if err != nil || !created || again.Data.Text != "after" {
		t.Errorf("the conversation goes on with %+v, %v, %v", again, created, err)
	}
	if _, err := m.Create(ctx, note{}, session.ForSubject("ann")); err != nil {
		t.Errorf("logging in again: %v", err)
	}
	if r, err := m.Sweep(ctx); err != nil || r.Active != 2 || !r.Complete {
		t.Errorf("swept %+v, %v", r, err)
	}
}

// The cleanup goes through an outage and reports what lapsed meanwhile.
func TestTheCleanupResumesAfterAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	var down atomic.Bool
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	client.AddHook(&cut{down: &down})
	t.Cleanup(func() { _ = client.Close() })
	reported := make(chan string, 10)
	m := newManager(t, client, session.Config[note]{
		IdleTimeout: 50 * time.Millisecond, CleanupInterval: 20 * time.Millisecond,
		OnExpire: func(_ context.Context, e session.Expired[note]) error { reported <- e.Data.Text; return nil },
	})
	if _, err := m.Create(t.Context(), note{"x"}); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	m.Start()
	time.Sleep(100 * time.Millisecond) // it lapses by the server's clock
	down.Store(false)
	select {
	case got := <-reported:
		if got != "x" {
			t.Errorf("reported %q", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("an expiry from the outage was never reported")
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// cut fails every command while the line is down.
type cut struct {
	trips
	down *atomic.Bool
}

var errCut = errors.New("the line is down")

func (h *cut) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.down.Load() {
			cmd.SetErr(errCut)
			return errCut
		}
		return next(ctx, cmd)
	}
}

func (h *cut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if h.down.Load() {
			return errCut
		}
		return next(ctx, cmds)
	}
}
