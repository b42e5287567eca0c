// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// long is whether HOLDFAST_LONG asks for full counts.
func long() bool { return os.Getenv("HOLDFAST_LONG") != "" }

// busy is a client of a real server for many goroutines at once.
func busy(t *testing.T) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: redistest.Real(t).Addr, ContextTimeoutEnabled: true, PoolSize: 64})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// HOLDFAST_LONG makes it 64 × 1000 increments of one session.
func TestManyManagersLoseNoUpdate(t *testing.T) {
	t.Parallel()
	const workers = 64
	each := 10
	if long() {
		each = 1000
	}
	client, ctx := busy(t), t.Context()
	var managers []*session.Manager[int]
	for range 4 {
		m, err := session.New(New(client), session.Config[int]{Name: space, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		managers = append(managers, m)
	}
	s, err := managers[0].Create(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range workers {
		m := managers[i%len(managers)]
		wg.Go(func() {
			for n := 0; n < each; {
				_, err := m.Update(ctx, s.ID, func(n *int) error { *n++; return nil })
				switch {
				case err == nil:
					n++
				case !errors.Is(err, session.ErrConflict): // 64 others were quicker: once more
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if s, err = managers[1].Peek(ctx, s.ID); err != nil || s.Data != workers*each {
		t.Errorf("%d increments made %v, %v", workers*each, s, err)
	}
}

// HOLDFAST_LONG makes it 100 000 expiries.
func TestManyCleanersReportEachExpiryOnceAndNeverTwoAtOnce(t *testing.T) {
	t.Parallel()
	expiries := 1000
	if long() {
		expiries = 100_000
	}
	client, ctx := busy(t), t.Context()
	var mu sync.Mutex
	reported, atWork := map[string]int{}, map[string]bool{}
	cfg := session.Config[int]{
		Name: space, IdleTimeout: time.Minute, Timeout: time.Minute, CleanupInterval: 10 * time.Millisecond,
		OnExpire: func(_ context.Context, e session.Expired[int]) error {
			mu.Lock()
			twice := atWork[e.ID]
			atWork[e.ID] = true
			mu.Unlock()
			if twice {
				t.Errorf("%s is reported to two at once", e.ID)
			}
			time.Sleep(time.Millisecond) // so that two at once would be seen
			mu.Lock()
			defer mu.Unlock()
			delete(atWork, e.ID)
			reported[fmt.Sprint(e.Data)]++
			return nil
		},
	}
	store := New(client)
	for i := range expiries {
		w := newWrite("")
		w.Payload = append([]byte{1, 0, 0, 0, 0}, fmt.Sprint(i)...) // what a manager keeps: version 0, no subject, no conversation, JSON
		w.Hash[0], w.Idle = byte(i), time.Millisecond
		done(t)(store.Create(ctx, w))
	}
	time.Sleep(2 * time.Millisecond) // the last one lapses by the server's clock
	var cleaners []*session.Manager[int]
	for range 8 {
		m, err := session.New(New(client), cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.Start()
		cleaners = append(cleaners, m)
	}
	all := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(reported)
	}
	for end := time.Now().Add(10 * time.Minute); all() < expiries && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the cleaners are at work
	}
	for _, m := range cleaners {
		if err := m.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	if len(reported) != expiries {
		t.Errorf("%d of %d expiries were reported", len(reported), expiries)
	}
	for who, n := range reported {
		if n != 1 {
			t.Errorf("%s was reported %d times", who, n)
		}
	}
	if c := count(t, store); c != (session.StoreCount{}) {
		t.Errorf("left behind: %+v", c)
	}
}
