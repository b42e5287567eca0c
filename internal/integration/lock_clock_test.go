// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/lock"
)

// steppable has the clock of a miniredis run at an offset from the bubble's.
func steppable(t *testing.T, m *miniredis.Miniredis) (step func(time.Duration)) {
	var offset time.Duration
	set := func() { m.SetTime(time.Now().Add(offset)) }
	set()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { stop(); <-ended })
	steps := make(chan time.Duration)
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case d := <-steps:
				offset += d
			case <-tick.C:
			case <-ctx.Done():
			}
			set()
		}
	}()
	return func(d time.Duration) { steps <- d; synctest.Wait() }
}

// What package lock promises of a step of the server's clock: of holds that were
// granted before, belief is too long by the step if it was forward, and by
// nothing if it was backward; the fences rise; those who wait are served.
func TestAStepOfTheServersClockWhileOthersWait(t *testing.T) {
	const ttl = 10 * time.Second
	for _, c := range []struct{ step, beside, until time.Duration }{
		{time.Second, time.Second, 0}, // places last for three
		{4 * time.Second, 4 * time.Second, ttl - 4*time.Second + time.Second},
		{time.Hour, ttl, 2 * time.Second},
		{-time.Second, 0, 0},
		{-4 * time.Second, 0, ttl + 4*time.Second + time.Second},
		{-time.Hour, 0, 0},
	} {
		t.Run(c.step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, m := redistest.Virtual(t)
				step := steppable(t, m)
				holder := newManager(t, client, lock.Config{TTL: ttl})
				waiter := newManager(t, redistest.VirtualClient(t, m), lock.Config{TTL: ttl})
				first := take(t, holder) // which ends by itself
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done := make(chan won, 1)
				go func() {
					l, err := waiter.Acquire(ctx, lock.Key(theRoom))
					done <- won{l, err, time.Now()}
				}()
				time.Sleep(time.Second / 2)
				start := time.Now()
				step(c.step)
				life := first.Context(ctx)
				w := <-done
				if c.until > 0 && w.err == nil && w.at.Sub(start) > c.until {
					t.Errorf("granted after %s, want within %s", w.at.Sub(start), c.until)
				}
				if w.err != nil {
					if c.step != -time.Hour || !errors.Is(w.err, lock.ErrConflict) {
						t.Fatal(w.err)
					}
					return // the hold lives an hour longer on the server, and in no one's mind
				}
				if w.Fence() <= first.Fence() {
					t.Errorf("fence %d after %d", w.Fence(), first.Fence())
				}
				<-life.Done()
				if beside := time.Since(w.at); beside > c.beside {
					t.Errorf("%s side by side, want at most %s", beside, c.beside)
				}
				if err := w.Lease.Release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A grant was made and is not confirmed yet.
func TestAStepOfTheServersClockRightAfterAGrant(t *testing.T) {
	for _, d := range []time.Duration{time.Second, time.Hour, -time.Second, -time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, m := redistest.Virtual(t)
				step := steppable(t, m)
				holder := newManager(t, client, lock.Config{})
				waiter := newManager(t, redistest.VirtualClient(t, m), lock.Config{})
				first := take(t, holder)
				time.AfterFunc(time.Second/2, func() { _ = first.Release(context.Background()) })
				l, err := waiter.Acquire(t.Context(), lock.Key(theRoom), lock.AutoRenew())
				if err != nil {
					t.Fatal(err)
				}
				step(d)
				time.Sleep(5 * time.Second)
				// The confirmation came after the step. Of a hold that had ended by
				// then it says so; any other lasts.
				err = l.Err()
				if held := take2(holder); held != nil && err == nil {
					t.Errorf("two hold the room after %s", d)
				} else if held == nil && err != nil {
					t.Errorf("no one holds the room, and it is taken: %v", err)
				}
				if d < 0 && err != nil {
					t.Errorf("lost by a step backward: %v", err)
				}
			})
		})
	}
}

// take2 acquires the room if it is free.
func take2(m *lock.Manager) *lock.Lease {
	l, _ := m.TryAcquire(context.Background(), lock.Key(theRoom))
	return l
}

// clock is a redis-server's, as far ahead of the real one as a test says.
type clock struct {
	*testing.T
	file *os.File
}

// newClock has the servers that the test starts from now on go by it.
func newClock(t *testing.T) clock {
	dir := t.TempDir()
	library := filepath.Join(dir, "clock.so")
	if out, err := exec.Command(testproc.Find(t, "gcc", "gcc", "cc"), "-shared", "-fPIC", "-o", library, "testdata/clock.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Create(filepath.Join(dir, "offset"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	c := clock{t, file}
	c.set(0)
	t.Setenv("LD_PRELOAD", library)
	t.Setenv("CLOCK_OFFSET", file.Name())
	return c
}

func (c clock) set(offset time.Duration) {
	if _, err := c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(offset.Microseconds())), 0); err != nil {
		c.Error(err)
	}
}

// The same on a redis-server, among holders who come and go.
func TestStepsOfAServersClockLetTwoBelieveForNoLongerThanTheStep(t *testing.T) {
	const size = holdersTTL / 3
	for name, step := range map[string]time.Duration{"forward": size, "backward": -size} {
		t.Run(name, func(t *testing.T) {
			clock := newClock(t)
			h := newHouse(t)
			var offset time.Duration
			all, place := h.run(howLong(), func(h *house) {
				offset += step
				clock.set(offset)
				pause(h.ctx, 2*holdersTTL) // one step in the life of a lease
			})
			ahead := time.Until(h.server.Client(t).Time(t.Context()).Val())
			if (ahead-offset).Abs() > time.Second || offset == 0 {
				t.Fatalf("the server is %s ahead, want %s", ahead, offset)
			}
			longest := time.Duration(0)
			for _, p := range judge(t, all, place, h.faults) {
				beside := min(p.a.Last, p.b.Last) - max(p.a.Granted, p.b.Granted)
				if longest = max(longest, beside); beside > max(step, 0) {
					t.Errorf("believed at once for %s:\n%s", beside, p)
				}
			}
			t.Logf("side by side for %s at most", longest)
		})
	}
}
