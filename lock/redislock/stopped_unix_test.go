// SPDX-License-Identifier: MIT

//go:build unix

package redislock

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// The client of this test ignores deadlines, as go-redis does by default, and
// would wait for its own 3 s, three times over.
func TestAServerThatStopsCannotOutlastTheDeadline(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = client.Close() })
	r := newRig(t, client)
	c, _ := r.take(lock.Key("a"), time.Hour)
	if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGCONT) }) // lets the client's goroutines end

	for what, call := range map[string]func(context.Context) error{
		"acquire": func(ctx context.Context) error {
			_, err := r.Acquire(ctx, r.claim(lock.Key("b"), time.Hour))
			return err
		},
		"extend": func(ctx context.Context) error {
			_, err := r.Extend(ctx, []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: time.Hour}, {StoreTicket: lock.StoreTicket{Group: "other"}, TTL: time.Hour}})
			return err
		},
		"release": func(ctx context.Context) error {
			_, err := r.Release(ctx, []lock.StoreTicket{c.StoreTicket})
			return err
		},
		"sweep": func(ctx context.Context) error { _, err := r.Sweep(ctx, lock.StoreQuery{}, nil); return err },
		"holds": func(ctx context.Context) error {
			for _, err := range r.Holds(ctx, lock.StoreQuery{}) {
				return err
			}
			return nil
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		err := call(ctx)
		cancel()
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
			t.Errorf("%s: %v after %s, want its deadline of 100ms", what, err, took)
		}
	}
}

func TestAServerThatDiedIsAnError(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, PoolSize: 1}) // dials once
	t.Cleanup(func() { _ = client.Close() })
	r := newRig(t, client)
	r.take(lock.Key("a"), time.Hour)
	server.Kill()
	if _, err := r.Acquire(t.Context(), r.claim(lock.Key("b"), time.Hour)); err == nil {
		t.Error("granted by a stopped server")
	}
}
