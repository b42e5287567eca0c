// SPDX-License-Identifier: MIT

package sessionbench

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

//go:embed seed.lua
var seedText string

var seedScript = redis.NewScript(seedText)

const (
	partitions = 16 // redissession's default
	keep       = time.Hour
)

// crowd is a server with three managers that have a large, a middling and a
// small number of live sessions. It is there when first asked.
type crowd struct {
	n      sizes
	open   func() *redis.Client
	copied int
}

func newCrowd(t testing.TB, n sizes) *crowd {
	c := &crowd{n: n}
	c.open = sync.OnceValue(func() *redis.Client {
		client := redistest.Real(t).Client(t)
		for name, n := range map[string]int{"large": n.large, "middle": n.middle, "small": n.small} {
			if err := c.copies(client, name, n, lifetime); err != nil {
				t.Fatal(err)
			}
		}
		return client
	})
	return c
}

// copies makes n sessions that lapse after idling for so long.
func (c *crowd) copies(client *redis.Client, name string, n int, idle time.Duration) error {
	w := session.StoreWrite{
		StoreRecord: session.StoreRecord{StoreHandle: session.StoreHandle{Space: "template", Hash: session.Hash{0, byte(rand.Uint32()), byte(rand.Uint32())}}, Payload: []byte(data[:100]), Idle: idle},
		Total:       lifetime, Keep: keep,
	}
	r, err := redissession.New(client).Create(ctx, w)
	if err != nil || r.Status != session.StatusDone {
		return fmt.Errorf("the template: %v, %w", r.Status, err)
	}
	record, err := client.Get(ctx, slot("template", 0)+"d"+string(w.Hash[:])).Result()
	if err != nil {
		return err
	}
	const batch = 1000
	for p := range partitions {
		share := n / partitions
		if p < n%partitions {
			share++
		}
		for share > 0 {
			some := min(share, batch)
			err := seedScript.Run(ctx, client, []string{slot(name, p) + "x"}, record, c.copied, some, p, r.Record.ExpiresAt.UnixMilli(), keep.Milliseconds()).Err()
			if err != nil && err != redis.Nil {
				return err
			}
			c.copied += some
			share -= some
		}
	}
	return nil
}

// slot is what redissession's keys of a partition begin with.
func slot(name string, partition int) string {
	return fmt.Sprintf("holdfast:%s:session:{%d}:", name, partition)
}

func (c *crowd) manager(name string) (*session.Manager[cart], error) {
	return session.New(redissession.New(c.open()), session.Config[cart]{Name: name, Timeout: 10 * time.Second})
}

// cycle lets n more sessions expire and takes them away in one cleanup cycle.
func (c *crowd) cycle(name string, live, n int) (w work, err error) {
	m, err := c.manager(name)
	if err != nil {
		return w, err
	}
	if err := c.copies(c.open(), name, n, time.Millisecond); err != nil {
		return w, err
	}
	w, err = watch(c.open(), func() error {
		r, err := m.Sweep(ctx)
		if err == nil && (!r.Complete || r.Ended[session.ReasonIdle] != n || r.Active != int64(live)) {
			return fmt.Errorf("the cycle over %d did %+v", n, r)
		}
		return err
	})
	return w, err
}

func (c *crowd) cycleCalls() (float64, error) {
	w, err := c.cycle("large", c.n.large, c.n.large/100)
	return float64(w.scripts), err
}

func (c *crowd) cycleScans() (float64, error) {
	w, err := c.cycle("large", c.n.large, c.n.large/100)
	return float64(w.scans), err
}

// cycleGrowth compares the slowest scripts of cycles with equal batches, each
// the least of five: what else the machine does only adds.
func (c *crowd) cycleGrowth() (float64, error) {
	var large, middle []float64
	for range 5 {
		w, err := c.cycle("large", c.n.large, c.n.large/100)
		if err != nil {
			return 0, err
		}
		large = append(large, w.slowest)
		if w, err = c.cycle("middle", c.n.middle, c.n.large/100); err != nil {
			return 0, err
		}
		middle = append(middle, w.slowest)
	}
	return slices.Min(large) / slices.Min(middle), nil
}

// countGrowth compares the server's time for a hundred counts.
func (c *crowd) countGrowth() (float64, error) {
	spent := func(name string, want int) (float64, error) {
		m, err := c.manager(name)
		if err != nil {
			return 0, err
		}
		w, err := watch(c.open(), func() error {
			for range 100 {
				if n, err := m.Count(ctx); err != nil || n != int64(want) {
					return fmt.Errorf("counted %d, want %d: %w", n, want, err)
				}
			}
			return nil
		})
		return w.micros, err
	}
	large, err := spent("large", c.n.large)
	if err != nil {
		return 0, err
	}
	small, err := spent("small", c.n.small)
	return large / small, err
}
