// SPDX-License-Identifier: MIT

package metrics

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Redis adds the connection pool of a Redis client under a name: any client of
// go-redis, such as a redis.UniversalClient. A scrape reads the pool's
// statistics and sends nothing to Redis. The client is held weakly: when the
// program drops it, its series end. Pools of one name add up. A nil client is
// [ErrInvalid], and so is one whose statistics are not those of go-redis.
//
// S is redis.PoolStats, of the version that the program has. Its fields are read
// by their names, so that this package does not import a Redis client.
func Redis[S any](m *Metrics, name string, client interface{ PoolStats() *S }) error {
	if !m.made() || configerr.IsNil(client) {
		return fmt.Errorf("%w: Redis(%q) needs a client, and a Metrics from New", ErrInvalid, name)
	}
	fields, err := poolFields(reflect.TypeFor[S]())
	if err != nil {
		return fmt.Errorf("%w: Redis(%q): %w", ErrInvalid, name, err)
	}
	id, get := weakly(client)
	wide := new(widened)
	m.pools.addAs(name, id, func() (reader[poolStats], bool) {
		client, ok := get()
		return poolReader(func() poolStats { return wide.stats(reflect.ValueOf(client.PoolStats()), fields) }), ok
	})
	return nil
}

// poolStats are the figures of a pool, in the order of poolFieldNames.
type poolStats [len(poolFieldNames)]uint64

// Places in poolStats; the counters come first.
const (
	poolHits = iota
	poolMisses
	poolTimeouts
	poolStale
	poolTotal
	poolIdle
	poolCounters = poolTotal
)

var poolFieldNames = [...]string{"Hits", "Misses", "Timeouts", "StaleConns", "TotalConns", "IdleConns"}

// poolFields finds the fields of a pool's statistics.
func poolFields(stats reflect.Type) (at [len(poolFieldNames)][]int, err error) {
	for i, name := range poolFieldNames {
		if stats.Kind() != reflect.Struct {
			return at, fmt.Errorf("%v is no struct", stats)
		}
		f, ok := stats.FieldByName(name)
		if !ok || f.Type.Kind() != reflect.Uint32 {
			return at, fmt.Errorf("%v has no field %s of type uint32", stats, name)
		}
		at[i] = f.Index
	}
	return at, nil
}

type poolReader func() poolStats

func (r poolReader) Stats() poolStats { return r() }

// widened makes counters of 64 bits out of those of go-redis, whose 32 bits
// overflow within days in a busy client.
type widened struct {
	mu    sync.Mutex
	last  [poolCounters]uint32
	total [poolCounters]uint64
}

// stats reads a pool's statistics, nil or a pointer to a struct.
func (w *widened) stats(p reflect.Value, fields [len(poolFieldNames)][]int) (s poolStats) {
	var now [len(poolFieldNames)]uint32
	if !p.IsNil() {
		for i, index := range fields {
			now[i] = uint32(p.Elem().FieldByIndex(index).Uint())
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range s {
		if i >= poolCounters {
			s[i] = uint64(now[i])
			continue
		}
		// The difference is right across an overflow. A negative one means that
		// another scrape read later and got here first.
		if grown := int32(now[i] - w.last[i]); grown > 0 {
			w.total[i] += uint64(grown)
			w.last[i] = now[i]
		}
		s[i] = w.total[i]
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
}
