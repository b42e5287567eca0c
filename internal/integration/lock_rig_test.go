// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// newManager makes a manager as of a process of its own, closed with the test.
func newManager(t testing.TB, client redis.UniversalClient, cfg lock.Config) *lock.Manager {
	t.Helper()
	cfg.Name = "rooms"
	m, err := lock.New(redislock.New(client), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = m.Close(ctx)
	})
	return m
}

// take acquires the room, which must be free.
func take(t testing.TB, m *lock.Manager, opts ...lock.Option) *lock.Lease {
	t.Helper()
	l, err := m.TryAcquire(t.Context(), lock.Key(theRoom), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// free releases a lease.
func free(t testing.TB, l *lock.Lease) {
	t.Helper()
	if err := l.Release(context.Background()); err != nil {
		t.Error(err)
	}
}

// won is what came of waiting.
type won struct {
	*lock.Lease
	err error
	at  time.Time
}

// queueUp starts to wait for the room and returns when the server has one place
// more.
func queueUp(t testing.TB, admin *redis.Client, m *lock.Manager, opts ...lock.Option) <-chan won {
	t.Helper()
	before := places(t, admin)
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	done := make(chan won, 1)
	go func() {
		defer cancel()
		l, err := m.Acquire(ctx, lock.Key(theRoom), opts...)
		done <- won{l, err, time.Now()}
	}()
	eventually(t, "a place in the queue", func() bool { return places(t, admin) > before })
	return done
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(atMost); !so(); pause(t.Context(), 5*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// places is how many claims wait in all.
func places(t testing.TB, admin *redis.Client) (n int) {
	t.Helper()
	ctx := context.Background()
	for _, key := range admin.Keys(ctx, "*}:q").Val() {
		for _, member := range admin.ZRange(ctx, key, 0, -1).Val() {
			if strings.HasPrefix(member, "\x00") && !strings.HasPrefix(member, "\x00\x00") {
				n++
			}
		}
	}
	return n
}

// granted checks that a wait was won within d of start.
func granted(t testing.TB, done <-chan won, start time.Time, d time.Duration) *lock.Lease {
	t.Helper()
	w := <-done
	if w.err != nil {
		t.Fatal(w.err)
	}
	if took := w.at.Sub(start); took > d {
		t.Errorf("granted after %s, want within %s", took, d)
	}
	return w.Lease
}

// subscriptions are the connections through a proxy on which messages come.
func subscriptions(p *faultproxy.Proxy) (list []*faultproxy.Conn) {
	for _, c := range p.Conns() {
		if strings.Contains(c.Opening(), "subscribe") {
			list = append(list, c)
		}
	}
	return list
}

func through(t testing.TB, p *faultproxy.Proxy) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: p.Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
