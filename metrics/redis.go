// SPDX-License-Identifier: MIT

package metrics

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Redis adds the connection pool of a Redis client under a name: any client of
// go-redis, such as a redis.UniversalClient. A scrape reads the pool's
// statistics and sends nothing to Redis, but a ClusterClient looks up its nodes when
// it has not for a while; statistics that do not come within 100 ms are those of an
// earlier scrape. The client is held until [Metrics.Retire]. Pools of one name add up.
// A nil client is [ErrInvalid], and so is one whose statistics are not those of
// go-redis.
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

	mu      sync.Mutex
	reading chan struct{}        // closed when the read that is under way ends; nil for none
	last    [poolCounters]uint64 // as go-redis had them
	now     poolStats
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

// patience is how long a scrape waits for statistics: go-redis dials a Cluster for
// them that it has not met yet.
const patience = 100 * time.Millisecond

// Stats implements reader. What does not come in time is left to a later scrape.
func (p *redisPool) Stats() poolStats {
	p.mu.Lock()
	if p.reading == nil {
		p.reading = make(chan struct{})
		go p.refresh()
	}
	done := p.reading
	p.mu.Unlock()
	select {
	case <-done:
	case <-time.After(patience):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *redisPool) refresh() {
	stats := p.read()
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.reading)
	p.reading = nil
	if stats.IsNil() {
		return
	}
	for i, index := range p.at {
		if index == nil {
			continue
		}
		v := stats.Elem().FieldByIndex(index).Convert(reflect.TypeFor[uint64]()).Uint()
		if i >= poolCounters {
			p.now[i] = v
			continue
		}
		// The difference of 32 bits is right across an overflow. One below 0 means that
		// a node of a Cluster has left, and its share of the sum with it.
		grown, most := v-p.last[i], uint64(math.MaxInt64)
		if i != poolWaited {
			grown, most = uint64(uint32(grown)), math.MaxInt32
		}
		if grown <= most || p.last[i] == 0 {
			p.now[i] += grown
		}
		p.last[i] = v
	}
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
