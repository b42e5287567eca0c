// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
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
}

// The counters of go-redis have 32 bits.
func TestACounterOfRedisThatOverflowsDoesNotFall(t *testing.T) {
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
		{3, math.MaxUint32 + 5}, // read before, arrived after
		{6, math.MaxUint32 + 7},
	} {
		client.set(fakePoolStats{Hits: step.counter})
		expect(t, reg, map[string]float64{hits: step.want})
	}
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
