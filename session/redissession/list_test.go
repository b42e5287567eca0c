// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// far is a server to which each trip takes a while.
type far struct {
	trip time.Duration
}

func (f *far) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *far) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *far) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		select {
		case <-time.After(f.trip):
			return next(ctx, cmd)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestEachTripOfAListHasItsOwnTime(t *testing.T) {
	lists := map[string]func(context.Context, *session.Manager[note]) iter.Seq2[*session.Session[note], error]{
		"BySubject": func(ctx context.Context, m *session.Manager[note]) iter.Seq2[*session.Session[note], error] {
			return m.BySubject(ctx, "ann")
		},
		"All": func(ctx context.Context, m *session.Manager[note]) iter.Seq2[*session.Session[note], error] {
			return m.All(ctx)
		},
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := redistest.Virtual(t)
				m := newManager(t, client, session.Config[note]{MaxPerSubject: -1, Timeout: 250 * time.Millisecond, IdleTimeout: time.Hour})
				const sessions = 300
				for range sessions {
					if _, err := m.Create(t.Context(), note{"x"}, session.ForSubject("ann")); err != nil {
						t.Fatal(err)
					}
				}
				server := &far{trip: 100 * time.Millisecond}
				client.AddHook(server)
				count := func(ctx context.Context) (n int, err error) {
					for _, err := range list(ctx, m) {
						if err != nil {
							return n, err
						}
						n++
					}
					return n, nil
				}
				if n, err := count(t.Context()); n != sessions || err != nil {
					t.Errorf("with trips shorter than Config.Timeout: %d, %v, want all %d", n, err, sessions)
				}
				server.trip = time.Hour
				start := time.Now()
				if n, err := count(t.Context()); n != 0 || !errors.Is(err, session.ErrUnavailable) || time.Since(start) != 250*time.Millisecond {
					t.Errorf("of a server that does not answer: %d, %v after %v, want ErrUnavailable after Config.Timeout", n, err, time.Since(start))
				}
				server.trip = 100 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if _, err := count(ctx); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("with a deadline that is too short: %v, want ErrUnavailable", err)
				}
			})
		})
	}
}
