// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

func newSessions[T any](t testing.TB, client redis.UniversalClient, timeout time.Duration) *session.Manager[T] {
	t.Helper()
	m, err := session.New(redissession.New(client), session.Config[T]{Name: "logins", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// counter is a session in which something is counted. What is acknowledged has been
// tried before.
type counter struct {
	id                  session.ID
	tried, acknowledged atomic.Int64
}

// What has reached the replica is there after a failover, and what was ended has ended,
// also when the former master is back.
func TestSessionsLiveThroughAFailoverOfASentinel(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	master := redistest.Real(t)
	replica := redistest.Replica(t, master.Addr)
	client := redistest.FailoverClient(t, redistest.Sentinel(t, master, 1, time.Second))
	m, patient := newSessions[int](t, client, time.Second), newSessions[int](t, client, atMost)
	var ended []session.ID
	var alive []*counter
	for i := range 20 {
		subject := []string{"ann", "bob"}[i%2]
		s, err := patient.Create(ctx, 0, session.ForSubject(subject))
		switch {
		case err != nil:
			t.Fatal(err)
		case subject == "ann":
			ended = append(ended, s.ID)
		default:
			alive = append(alive, &counter{id: s.ID})
		}
	}
	var writers sync.WaitGroup
	var over atomic.Bool
	for _, c := range alive {
		writers.Go(func() {
			for ; !over.Load() && ctx.Err() == nil; pause(ctx, time.Millisecond) {
				c.tried.Add(1)
				_, err := m.Update(ctx, c.id, func(n *int) error { *n++; return nil })
				switch {
				case err == nil:
					c.acknowledged.Add(1)
				case !errors.Is(err, session.ErrUnavailable):
					t.Error(err)
					return
				}
			}
		})
	}
	defer writers.Wait()
	defer over.Store(true)
	if n, err := patient.DeleteSubject(ctx, "ann"); n != len(ended) || err != nil {
		t.Fatalf("ended %d, %v, want %d", n, err, len(ended))
	}
	reached := func() (counts []int64) {
		for _, c := range alive {
			counts = append(counts, c.acknowledged.Load())
		}
		return counts
	}
	eventually(t, "update", func() bool { return slices.Min(reached()) > 3 })
	before := reached()
	admin := master.Client(t).Conn() // WAIT is about what its connection has written, and so about all before that
	defer func() { _ = admin.Close() }()
	if err := admin.Set(ctx, "the last of all", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := admin.Wait(ctx, 1, atMost).Result(); n != 1 || err != nil {
		t.Fatalf("%d replicas have it, %v, want 1", n, err)
	}
	master.Suspend()
	eventually(t, "promotion", func() bool {
		return strings.Contains(replica.Client(t).Info(ctx, "replication").Val(), "role:master")
	})
	promoted := reached()
	eventually(t, "update after the failover", func() bool {
		for i, n := range reached() {
			if n <= promoted[i]+3 {
				return false
			}
		}
		return true
	})
	over.Store(true)
	writers.Wait()
	master.Resume() // it still takes itself for the master, and no one may ask it
	for i, c := range alive {
		s, err := m.Get(ctx, c.id)
		if err != nil {
			t.Errorf("after the failover: %v", err)
			continue
		}
		if most := c.tried.Load(); int64(s.Data) < before[i]+3 || int64(s.Data) > most {
			t.Errorf("a session counts %d, want at least the %d that had reached the replica and 3 since, and at most the %d tried", s.Data, before[i], most)
		}
	}
	for _, id := range ended {
		if _, err := m.Get(ctx, id); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("a session that was ended before the failover: %v, want ErrNotFound", err)
		}
	}
	for s, err := range m.BySubject(ctx, "ann") {
		t.Errorf("after all were ended there is %v, %v", s, err)
	}
	if n, err := m.Count(ctx); n != int64(len(alive)) || err != nil {
		t.Errorf("counted %d, %v, want %d", n, err, len(alive))
	}
}
