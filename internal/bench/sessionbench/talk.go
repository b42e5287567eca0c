// SPDX-License-Identifier: MIT

package sessionbench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

const (
	processes = 8 // each a client and a store of its own
	senders   = 4 // messages of each process at a time
	handler   = 5 * time.Millisecond
)

// talk is one conversation whose messages reach all processes.
type talk struct {
	messages int
	measure  func() (talked, error)
}

type talked struct{ slowest, scripts float64 }

func newTalk(t testing.TB, messages int) *talk {
	k := &talk{messages: messages}
	k.measure = sync.OnceValues(func() (talked, error) { return k.run(t) })
	return k
}

// waited is the 99th percentile of how long a message waits, in units of what
// those before it take: each a handler and one Converse without any other.
func (k *talk) waited() (float64, error) {
	r, err := k.measure()
	return r.slowest, err
}

// scripts is how many a message takes that waits. The pings of each second and
// process are not counted.
func (k *talk) scripts() (float64, error) {
	r, err := k.measure()
	return r.scripts, err
}

func (k *talk) run(t testing.TB) (talked, error) {
	server, calls := redistest.Real(t), redistest.NewCounter(func(cmd redis.Cmder) bool {
		return isScript(cmd.Name()) && cmd.Args()[2] != 1 // a ping is the only one with one key
	})
	var managers []*session.Manager[cart]
	for range processes {
		client := server.Client(t)
		client.AddHook(calls)
		m, err := session.New(redissession.New(client), session.Config[cart]{Name: "talks", Timeout: 10 * time.Second})
		if err != nil {
			return talked{}, err
		}
		managers = append(managers, m)
	}
	guest := session.Conversation{Channel: "web", Peer: "guest"}
	say := func(m *session.Manager[cart]) (waited time.Duration, err error) {
		start := time.Now()
		err = m.Converse(ctx, guest, cart{}, func(context.Context, *session.Session[cart]) error {
			waited = time.Since(start)
			time.Sleep(handler) // the work on a message
			return nil
		})
		return waited, err
	}
	alone := make([]float64, 0, 100)
	for i := range cap(alone) {
		start := time.Now()
		if _, err := say(managers[i%processes]); err != nil {
			return talked{}, err
		}
		alone = append(alone, time.Since(start).Seconds())
	}
	slices.Sort(alone)
	unit := alone[len(alone)/2]

	before := calls.N()
	var left, ahead atomic.Int64
	left.Store(int64(k.messages))
	var mu sync.Mutex
	var ratios []float64
	var failed error
	var wg sync.WaitGroup
	for i := range processes * senders {
		wg.Go(func() {
			for first := true; left.Add(-1) >= 0; first = false {
				n := ahead.Add(1) - 1
				waited, err := say(managers[i%processes])
				ahead.Add(-1)
				mu.Lock()
				if failed == nil {
					failed = err
				}
				if n > 0 && !first { // at first all come at once, in no order
					ratios = append(ratios, waited.Seconds()/(float64(n)*unit))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil || len(ratios) < k.messages/2 {
		return talked{}, fmt.Errorf("%d of %d messages waited: %w", len(ratios), k.messages, failed)
	}
	slices.Sort(ratios)
	return talked{
		slowest: ratios[len(ratios)*99/100],
		scripts: float64(calls.N()-before) / float64(k.messages),
	}, nil
}
