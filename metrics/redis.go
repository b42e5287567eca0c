// SPDX-License-Identifier: MIT

package metrics

import (
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Redis adds the connection pool of a Redis client under a name: any client of
// go-redis, such as a redis.UniversalClient. A scrape reads the pool's
// statistics and sends nothing to Redis. The client is held until
// [Metrics.Retire]. Pools of one name add up. A nil client is [ErrInvalid], and
// so is one whose statistics are not those of go-redis.
//
// S is redis.PoolStats, of the version that the program has. Its fields are read
// by their names, so that this package does not import a Redis client. Waits for
// a connection are counted by go-redis from version 9.8 on; before, they stay 0.
func Redis[S any](m *Metrics, name string, client interface{ PoolStats() *S }) error {
	if !m.made() || configerr.IsNil(client) {
		return fmt.Errorf("%w: Redis(%q) needs a client, and a Metrics from New", ErrInvalid, name)
	}
	pool := &redisPool{read: func() reflect.Value { return reflect.ValueOf(client.PoolStats()) }}
	if err := pool.fields(reflect.TypeFor[S]()); err != nil {
		return fmt.Errorf("%w: Redis(%q): %w", ErrInvalid, name, err)
	}
	m.pools.addAs(name, client, pool)
	return nil
}

// poolStats are the figures of a pool, in the order of poolFields.
type poolStats [len(poolFields)]uint64

// Places in poolStats; the counters come first.
const (
	poolHits = iota
	poolMisses
	poolTimeouts
	poolStale
	poolWaits
	poolWaited // nanoseconds
	poolTotal
	poolIdle
	poolCounters = poolTotal
)

var poolFields = [...]string{"Hits", "Misses", "Timeouts", "StaleConns", "WaitCount", "WaitDurationNs", "TotalConns", "IdleConns"}

// redisPool reads the statistics of a pool. It makes counters of 64 bits out of
// those of go-redis, whose 32 bits overflow within days in a busy client.
type redisPool struct {
	read func() reflect.Value   // nil or a pointer to a struct
	at   [len(poolFields)][]int // where the fields are; nil for one that is missing
	mu   sync.Mutex
	last [poolCounters]uint64 // as go-redis had them
	sum  [poolCounters]uint64
}

// fields finds the fields in the type of the statistics.
func (p *redisPool) fields(stats reflect.Type) error {
	if stats.Kind() != reflect.Struct {
		return fmt.Errorf("%v is no struct", stats)
	}
	for i, name := range poolFields {
		f, ok := stats.FieldByName(name)
		kind := reflect.Uint32
		if i == poolWaited {
			kind = reflect.Int64
		}
		switch {
		case ok && f.Type.Kind() == kind:
			p.at[i] = f.Index
		case ok || i != poolWaits && i != poolWaited:
			return fmt.Errorf("%v has no field %s of type %v", stats, name, kind)
		}
	}
	return nil
}

// Stats implements reader.
func (p *redisPool) Stats() (s poolStats) {
	stats := p.read()
	if !stats.IsNil() {
		for i, index := range p.at {
			if index == nil {
				continue
			}
			if f := stats.Elem().FieldByIndex(index); f.CanInt() {
				s[i] = uint64(f.Int())
			} else {
				s[i] = f.Uint()
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.last {
		// The difference of 32 bits is right across an overflow. One that is a little
		// below 0 means that another scrape read later and got here first.
		grown, all := s[i]-p.last[i], uint64(math.MaxInt64)
		if i != poolWaited {
			grown, all = uint64(uint32(grown)), math.MaxUint32-1<<20
		}
		if grown <= all {
			p.sum[i] += grown
			p.last[i] = s[i]
		}
		s[i] = p.sum[i]
	}
	return s
}

func poolTotals(s poolStats) []float64 {
	t := make([]float64, poolCounters)
	for i := range t {
		t[i] = float64(s[i])
	}
	return t
}

func (o output) pool(r reading[poolStats, struct{}]) {
	var total, idle float64
	for _, s := range r.live {
		total += float64(s[poolTotal])
		idle += float64(s[poolIdle])
	}
	o.put(redisConnections, max(0, total-idle), r.label, "in_use")
	o.put(redisConnections, idle, r.label, "idle")
	o.put(redisGets, r.totals[poolHits], r.label, "hit")
	o.put(redisGets, r.totals[poolMisses], r.label, "miss")
	o.put(redisGets, r.totals[poolTimeouts], r.label, "timeout")
	o.put(redisStale, r.totals[poolStale], r.label)
	o.put(redisWaits, r.totals[poolWaits], r.label)
	o.put(redisWaitSeconds, r.totals[poolWaited]/1e9, r.label)
}
