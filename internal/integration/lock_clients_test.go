// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/locktest"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// lockClients are the kinds of clients that redislock.New takes, beside the
// plain one that its own tests have.
var lockClients = map[string]func(testing.TB) redis.UniversalClient{
	"sentinel": func(t testing.TB) redis.UniversalClient {
		master := redistest.Real(t)
		redistest.Replica(t, master.Addr)
		return redistest.FailoverClient(t, redistest.Sentinel(t, master, 1, time.Minute))
	},
	"cluster": func(t testing.TB) redis.UniversalClient {
		return redistest.ClusterClient(t, redistest.Cluster(t, 3))
	},
	"auto-pipeliner": func(t testing.TB) redis.UniversalClient {
		return autoPipeliner(t, redistest.Real(t).Client(t))
	},
	"auto-pipeliner of a cluster": func(t testing.TB) redis.UniversalClient {
		return autoPipeliner(t, redistest.ClusterClient(t, redistest.Cluster(t, 3)))
	},
}

// autoPipeliner returns the face of a client that sends what many goroutines
// ask for in common batches.
func autoPipeliner(t testing.TB, client interface {
	AutoPipeline() (*redis.AutoPipeliner, error)
}) redis.UniversalClient {
	t.Helper()
	face, err := client.AutoPipeline()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = face.Close() })
	return face
}

func TestLocksConformOnEveryKindOfClient(t *testing.T) {
	for name, connect := range lockClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			locktest.Run(t, func(testing.TB) lock.Store { return redislock.New(client) })
		})
	}
}

// A server forgets its scripts when it restarts, when it is promoted, and
// after SCRIPT FLUSH. No call may notice, whether it goes alone or in a batch.
func TestEveryKindOfClientSurvivesForgottenScripts(t *testing.T) {
	for name, connect := range lockClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			forget := func() { forgetScripts(t, client) }
			m, err := lock.New(redislock.New(client), lock.Config{
				Name: "rooms", TTL: 1500 * time.Millisecond, GroupBy: func(name string) string { return name },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var rooms []lock.Resource
			for i := range 8 {
				rooms = append(rooms, lock.Span(fmt.Sprint("room ", i), 0, 3))
			}
			var leases []*lock.Lease
			for _, room := range rooms {
				forget()
				l, err := m.TryAcquire(ctx, room, lock.AutoRenew())
				if err != nil {
					t.Fatal(err)
				}
				leases = append(leases, l)
				forget()
				if err := l.Extend(ctx, 0); err != nil {
					t.Fatal(err)
				}
			}
			var waiting sync.WaitGroup
			for i, room := range rooms[:4] {
				waiting.Go(func() {
					l, err := m.Acquire(ctx, room)
					if err != nil {
						t.Errorf("waiting for %s: %v", room, err)
						return
					}
					if err := l.Release(ctx); err != nil || l.Fence() <= leases[i].Fence() {
						t.Errorf("release of %s: %v, fence %d after %d", room, err, l.Fence(), leases[i].Fence())
					}
				})
			}
			for end := time.Now().Add(time.Second); time.Now().Before(end); pause(ctx, 10*time.Millisecond) {
				forget() // while the watchdog renews, and claims are tried again
			}
			for i, l := range leases {
				forget()
				holds := collect(t, m.Holds(ctx, rooms[i]))
				if len(holds) != 1 || holds[0].ID != l.ID() {
					t.Errorf("holds of %s: %v", rooms[i], holds)
				}
				forget()
				if err := l.Release(ctx); err != nil {
					t.Errorf("release of %s: %v", rooms[i], err)
				}
			}
			waiting.Wait()
			forget()
			if _, err := m.Sweep(ctx); err != nil {
				t.Errorf("sweep: %v", err)
			}
			if err := m.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func forgetScripts(t testing.TB, client redis.UniversalClient) {
	t.Helper()
	if err := client.ScriptFlush(t.Context()).Err(); err != nil { // of a cluster: on all nodes
		t.Error(err)
	}
}

func collect(t testing.TB, holds func(func(lock.Hold, error) bool)) []lock.Hold {
	t.Helper()
	var list []lock.Hold
	for h, err := range holds {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

// The release of a claim that was sent twice takes memory, and a release that was
// sent twice may be answered as done.
func TestNoKindOfClientCountsACallTwice(t *testing.T) {
	for name, connect := range lockClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redislock.New(connect(t))
			c := lock.StoreClaim{StoreTicket: lock.StoreTicket{Space: "rooms", Group: "hotel", Name: "room", ID: "id", Token: "secret"}, Resource: lock.Key("room"), TTL: time.Minute}
			for range 2 {
				if g, err := s.Acquire(t.Context(), c); err != nil || !g.Once {
					t.Errorf("acquire: once %t, %v", g.Once, err)
				}
			}
			c.Fence, c.Until = 1, time.Now().Add(time.Hour)
			for _, want := range []lock.StoreStatus{lock.StatusGranted, lock.StatusMissing} {
				if g, err := s.Release(t.Context(), []lock.StoreTicket{c.StoreTicket}); err != nil || g[0].Status != want {
					t.Errorf("release: %v, %v, want status %d", g, err, want)
				}
			}
		})
	}
}
