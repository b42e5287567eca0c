// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// moody is a sink that is slow, fails and refuses at random.
type moody struct {
	*Memory
	mu     sync.Mutex
	random *rand.Rand
	fails  float64
	slow   time.Duration
}

func (s *moody) Write(ctx context.Context, batch []Event) error {
	s.mu.Lock()
	fails, slow := s.random.Float64() < s.fails, time.Duration(s.random.Int64N(int64(s.slow)+1))
	s.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	if fails {
		return errDown
	}
	return s.Memory.Write(ctx, batch)
}

// has returns which events a sink has, and for how many its marks stand.
func (s *moody) has() (stored map[ID]bool, marked int) {
	s.Memory.mu.Lock()
	defer s.Memory.mu.Unlock()
	stored = make(map[ID]bool)
	for _, e := range s.events {
		stored[e.ID] = true
		if e.Type == TypeDropped {
			n, _ := e.Details.Get("n")
			marked += atoi(n)
		}
	}
	return stored, marked
}

// Whatever the speed and the faults of disk and sinks, and whatever runs at the same
// time: what Record accepted is in each sink, or marked there if no Close gave up; a
// Flush that returns nil has waited for it; and Close ends.
func TestNoOrderOfCallsAndFaultsLosesAnEventOfTheSpool(t *testing.T) {
	rounds := 20
	if os.Getenv("HOLDFAST_LONG") != "" {
		rounds = 3000
	}
	for seed := range rounds {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { storm(t, uint64(seed)) }) }) {
			return
		}
	}
}

func storm(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 3))
	pick := func(list ...time.Duration) time.Duration { return list[random.IntN(len(list))] }
	disk := &badDisk{slow: pick(0, time.Millisecond, syncEvery/2, 3*syncEvery)}
	var sinks []*moody
	var list []Sink
	for i := range 1 + random.IntN(3) {
		s := &moody{Memory: NewMemory(), random: rand.New(rand.NewPCG(seed, uint64(10+i))), fails: []float64{0, 0.1, 0.7}[random.IntN(3)], slow: pick(0, time.Millisecond, time.Second)}
		sinks, list = append(sinks, s), append(list, s)
	}
	cfg := Config{
		Queue: 1 << random.IntN(8), WhenFull: FullPolicy(random.IntN(3)), BlockFor: pick(time.Millisecond, time.Second, time.Minute),
		Linger: pick(-1, time.Millisecond, time.Second), Retry: Backoff{Max: time.Second},
		Spool:  Spool{Dir: t.TempDir(), Level: Durability(random.IntN(3)), MaxBytes: 1 << 20},
		Logger: slog.New(slog.DiscardHandler),
	}
	var mu sync.Mutex
	accepted := make(map[ID]bool)
	marks := true // none was lost by a Close that gave up
	for life := range 1 + random.IntN(3) {
		l, err := newOn(Multi(list...), cfg, disk)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for caller := range 1 + random.IntN(8) {
			own := rand.New(rand.NewPCG(seed, uint64(100*life+caller+1000)))
			all.Go(func() {
				for range 5 + own.IntN(150) {
					e := Event{ID: NewID(), Type: "ok", Session: strings.Repeat("x", own.IntN(1000)), Reason: strings.Repeat("y", own.IntN(1000)), Tenant: strings.Repeat("z", own.IntN(1000))}
					switch own.IntN(30) {
					case 0:
						e.Type = ""
					case 1:
						mu.Lock()
						before := len(accepted)
						var ids []ID
						for id := range accepted {
							ids = append(ids, id)
						}
						mu.Unlock()
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(own.IntN(20))*time.Second)
						err := l.Flush(ctx)
						cancel()
						if err == nil {
							mu.Lock()
							for _, s := range sinks {
								stored, marked := s.has()
								missing := 0
								for _, id := range ids {
									if !stored[id] {
										missing++
									}
								}
								if marks && missing > marked {
									t.Errorf("after a flush %d of %d events are missing, %d marked", missing, before, marked)
								}
							}
							mu.Unlock()
						}
					}
					if own.IntN(3) == 0 {
						time.Sleep(time.Duration(own.Int64N(int64(syncEvery))))
					}
					if err := l.Record(t.Context(), e); err == nil {
						mu.Lock()
						accepted[e.ID] = true
						mu.Unlock()
					} else if !errors.Is(err, ErrFull) && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					_, _ = l.Stats(), l.Healthy()
				}
			})
		}
		faults := rand.New(rand.NewPCG(seed, uint64(life)))
		all.Go(func() {
			for range faults.IntN(6) {
				time.Sleep(time.Duration(faults.Int64N(int64(2 * syncEvery))))
				switch faults.IntN(3) {
				case 0:
					disk.failures.Store(faults.Int64N(4))
				case 1:
					disk.broken.Store(true)
					time.Sleep(time.Duration(faults.Int64N(int64(2 * syncEvery))))
					disk.broken.Store(false)
				default:
					disk.low.Store(true)
					time.Sleep(time.Duration(faults.Int64N(int64(2 * syncEvery))))
					disk.low.Store(false)
				}
			}
			disk.failures.Store(0)
		})
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.Int64N(int64(5 * syncEvery)))) // Close comes while they record
		} else {
			all.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), pick(0, time.Second, time.Hour))
		err = l.Close(ctx)
		cancel()
		mu.Lock()
		marks = marks && err == nil
		mu.Unlock()
		if _, lost := errors.AsType[*LossError](err); lost && cfg.WhenFull != DropOldest && len(sinks) == 1 {
			t.Errorf("close: %v", err)
		}
		all.Wait()
		if s := l.Stats(); cfg.WhenFull != DropOldest && len(sinks) == 1 && s.Recorded != s.Written+uint64(s.Queued) {
			t.Errorf("recorded %d, written %d, queued %d, %v", s.Recorded, s.Written, s.Queued, s.Dropped)
		}
	}
	for _, s := range sinks {
		s.mu.Lock()
		s.fails = 0
		s.mu.Unlock()
	}
	mustClose(t, newLog(t, Multi(list...), cfg))
	for i, s := range sinks {
		stored, marked := s.has()
		missing := 0
		for id := range accepted {
			if !stored[id] {
				missing++
			}
		}
		if marks && missing > marked || missing > 0 && cfg.WhenFull != DropOldest && len(sinks) == 1 {
			t.Errorf("sink %d of %d: of %d events %d are missing, %d marked", i, len(sinks), len(accepted), missing, marked)
		}
	}
	if entries, _ := os.ReadDir(cfg.Spool.Dir); len(entries) > 0 {
		t.Errorf("left in the spool: %v", entries)
	}
}
