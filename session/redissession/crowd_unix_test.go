// SPDX-License-Identifier: MIT

//go:build unix

package redissession

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// A server that accepts everything and says nothing must not pile up callers,
// goroutines or connections, whichever way the client is set up.
func TestACrowdBeforeAStoppedServerIsSentAwayInTime(t *testing.T) {
	for name, obedient := range map[string]bool{"a client that heeds contexts": true, "a client that does not": false} {
		t.Run(name, func(t *testing.T) {
			const callers, pool, timeout = 1000, 20, 200 * time.Millisecond
			server := redistest.Real(t)
			client := redis.NewClient(&redis.Options{
				Addr: server.Addr, ContextTimeoutEnabled: obedient, PoolSize: pool, MaxRetries: -1, ReadTimeout: 5 * time.Second, PoolTimeout: 5 * time.Second,
			})
			t.Cleanup(func() { _ = client.Close() })
			m := newManager(t, client, session.Config[note]{Timeout: timeout})
			s, err := newManager(t, client, session.Config[note]{}).Create(t.Context(), note{})
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.NumGoroutine()
			server.Suspend()
			t.Cleanup(server.Resume)
			var crowd sync.WaitGroup
			slowest, most := make(chan time.Duration, callers), 0
			for range callers {
				crowd.Go(func() {
					start := time.Now()
					if _, err := m.Get(t.Context(), s.ID); !errors.Is(err, session.ErrUnavailable) {
						t.Errorf("answered %v, want ErrUnavailable", err)
					}
					slowest <- time.Since(start)
				})
			}
			for len(slowest) < callers {
				most = max(most, runtime.NumGoroutine()-before)
				if n := client.PoolStats().TotalConns; n > pool {
					t.Fatalf("%d connections, want %d at most", n, pool)
				}
				time.Sleep(time.Millisecond) // leaves the processor to the callers
			}
			crowd.Wait()
			close(slowest)
			for took := range slowest {
				if took > timeout+4*time.Second { // a busy machine may be that late
					t.Errorf("a caller waited %v with a timeout of %v", took, timeout)
				}
			}
			if most > 4*callers { // a caller, its request where the client does not obey, and what the client starts to connect
				t.Errorf("%d callers made %d goroutines", callers, most)
			}
			for end := time.Now().Add(60 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatalf("%d goroutines are left, %d were there before", runtime.NumGoroutine(), before)
				}
			}
			server.Resume()
			if _, err := newManager(t, client, session.Config[note]{}).Get(t.Context(), s.ID); err != nil {
				t.Errorf("after it went on: %v", err)
			}
		})
	}
}
