// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeRedis is a client that counts as go-redis does.
type fakeRedis struct {
	mu    sync.Mutex
	stats fakePoolStats
}

type fakePoolStats struct {
	Hits, Misses, Timeouts, WaitCount, TotalConns, IdleConns, StaleConns uint32
	WaitDurationNs                                                       int64
	Later                                                                struct{}
}

func (f *fakeRedis) PoolStats() *fakePoolStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	return &s
}

func (f *fakeRedis) set(s fakePoolStats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats = s
}

func TestRedisPoolsAreReadWhenScraped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		one, two := new(fakeRedis), new(fakeRedis)
		for _, client := range []*fakeRedis{one, one, two} { // one counts once
			if err := Redis(m, "main", client); err != nil {
				t.Fatal(err)
			}
		}
		one.set(fakePoolStats{Hits: 1, Misses: 2, Timeouts: 3, WaitCount: 7, WaitDurationNs: 8e9, TotalConns: 5, IdleConns: 1, StaleConns: 6})
		two.set(fakePoolStats{Hits: 10, WaitCount: 1, WaitDurationNs: 5e8, TotalConns: 1, IdleConns: 1})
		expect(t, reg, map[string]float64{
			`holdfast_redis_connection_requests_total{client="main",result="hit"}`:     11,
			`holdfast_redis_connection_requests_total{client="main",result="miss"}`:    2,
			`holdfast_redis_connection_requests_total{client="main",result="timeout"}`: 3,
			`holdfast_redis_connections{client="main",state="in_use"}`:                 4,
			`holdfast_redis_connections{client="main",state="idle"}`:                   2,
			`holdfast_redis_stale_connections_total{client="main"}`:                    6,
			`holdfast_redis_waits_total{client="main"}`:                                8,
			`holdfast_redis_wait_seconds_total{client="main"}`:                         8.5,
		})
	})
}

// The counters of go-redis have 32 bits.
func TestACounterOfRedisThatOverflowsDoesNotFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		client := new(fakeRedis)
		if err := Redis(m, "main", client); err != nil {
			t.Fatal(err)
		}
		const hits = `holdfast_redis_connection_requests_total{client="main",result="hit"}`
		for _, step := range []struct {
			counter uint32
			want    float64
		}{
			{3 << 30, 3 << 30}, // the first scrape comes late
			{math.MaxUint32, math.MaxUint32},
			{4, math.MaxUint32 + 5}, // over
			{6, math.MaxUint32 + 7},
		} {
			client.set(fakePoolStats{Hits: step.counter})
			expect(t, reg, map[string]float64{hits: step.want})
		}
	})
}

// A ClusterClient adds up the counters of its nodes, and forgets those of a node that
// has left.
func TestANodeThatLeavesIsNoOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		client := new(fakeRedis)
		if err := Redis(m, "main", client); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			hits           uint32
			waited         int64
			want, wantWait float64
		}{
			{9e6, 8e9, 9e6, 8},
			{2e6, 1e9, 9e6, 8},
			{3e6, 2e9, 1e7, 9},
		} {
			client.set(fakePoolStats{Hits: step.hits, WaitDurationNs: step.waited})
			expect(t, reg, map[string]float64{
				`holdfast_redis_connection_requests_total{client="main",result="hit"}`: step.want,
				`holdfast_redis_wait_seconds_total{client="main"}`:                     step.wantWait,
			})
		}
	})
}

// hungRedis is a ClusterClient that has not met its cluster: it dials at the first
// look at its pools.
type hungRedis struct{ dialed chan struct{} }

func (h hungRedis) PoolStats() *fakePoolStats {
	<-h.dialed
	return &fakePoolStats{Hits: 7, IdleConns: 2, TotalConns: 2}
}

func TestAScrapeDoesNotWaitForACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, reg := newMetrics(t)
		client := hungRedis{make(chan struct{})}
		if err := Redis(m, "main", client); err != nil {
			t.Fatal(err)
		}
		const hits, idle = `holdfast_redis_connection_requests_total{client="main",result="hit"}`, `holdfast_redis_connections{client="main",state="idle"}`
		start := time.Now()
		for range 3 {
			expect(t, reg, map[string]float64{hits: 0, idle: 0})
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("three scrapes took %v", took)
		}
		close(client.dialed)
		synctest.Wait()
		expect(t, reg, map[string]float64{hits: 7, idle: 2})
	})
}

type strangePool[S any] int

func (strangePool[S]) PoolStats() *S { return nil }

func TestAClientThatIsNoneIsAnError(t *testing.T) {
	m, reg := newMetrics(t)
	for why, err := range map[string]error{
		"needs a client":               Redis[fakePoolStats](m, "x", nil),
		"needs a client ":              Redis(m, "x", (*fakeRedis)(nil)),
		"a Metrics from New":           Redis(nil, "x", new(fakeRedis)),
		"a Metrics from New ":          Redis(new(Metrics), "x", new(fakeRedis)),
		"is no struct":                 Redis(m, "x", strangePool[int](0)),
		"has no field Misses":          Redis(m, "x", strangePool[struct{ Hits uint32 }](0)),
		"no field Hits of type uint32": Redis(m, "x", strangePool[struct{ Hits string }](0)),
		"no field WaitDurationNs of type int64": Redis(m, "x", strangePool[struct {
			Hits, Misses, Timeouts, StaleConns uint32
			WaitDurationNs                     string
		}](0)),
	} {
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSpace(why)) || !strings.Contains(err.Error(), `Redis("x")`) {
			t.Errorf("%v does not say %q", err, why)
		}
	}
	if got := mentions(scrape(t, reg), "redis"); got != nil {
		t.Errorf("half added: %v", got)
	}
}

// go-redis 9.5 does not count waits.
func TestAClientThatDoesNotCountWaitsIsTaken(t *testing.T) {
	m, reg := newMetrics(t)
	type old struct{ Hits, Misses, Timeouts, StaleConns, TotalConns, IdleConns uint32 }
	if err := Redis(m, "main", strangePool[old](0)); err != nil {
		t.Fatal(err)
	}
	expect(t, reg, map[string]float64{`holdfast_redis_waits_total{client="main"}`: 0})
}

func TestAPoolWithoutFiguresCountsNothing(t *testing.T) {
	m, reg := newMetrics(t)
	if err := Redis(m, "main", strangePool[fakePoolStats](0)); err != nil {
		t.Fatal(err)
	}
	expect(t, reg, map[string]float64{`holdfast_redis_connections{client="main",state="idle"}`: 0})
}
