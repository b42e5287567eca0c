// SPDX-License-Identifier: MIT

package lockfaults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// peerCase is something that a peer's own tests promise, and what holdfast does
// in the same place.
type peerCase struct {
	promise string
	differs string // what holdfast does instead, and why; empty where it does the same
	run     func(*hotel)
}

// hotel is two processes with one store, in virtual time.
type hotel struct {
	*testing.T
	one, two *lock.Manager
	start    time.Time
}

const minuteTTL = time.Minute

var room = lock.Key("room")

func TestWhatPeersPromise(t *testing.T) {
	stores := map[string]func(*testing.T) [2]lock.Store{
		"memory": func(*testing.T) [2]lock.Store {
			s := memlock.New()
			return [2]lock.Store{s, s}
		},
		"redis": func(t *testing.T) [2]lock.Store {
			client, m := redistest.Virtual(t)
			return [2]lock.Store{redislock.New(client), redislock.New(redistest.VirtualClient(t, m))}
		},
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	count := 0
	for _, peer := range []struct {
		name  string
		cases []peerCase
	}{
		{"bsm/redislock", bsmCases}, {"redsync", redsyncCases}, {"rueidislock", rueidisCases}, {"etcd concurrency", etcdCases}, {"Redisson", redissonCases},
	} {
		for _, c := range peer.cases {
			count++
			if c.differs != "" {
				fmt.Fprintf(w, "%s\t%s\t%s\n", peer.name, c.promise, c.differs)
			}
			for name, open := range stores {
				t.Run(peer.name+"/"+c.promise+"/"+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { c.run(newHotel(t, open(t))) })
				})
			}
		}
	}
	_ = w.Flush()
	t.Logf("%d cases; holdfast does otherwise:\n%s", count, table.String())
}

func newHotel(t *testing.T, stores [2]lock.Store) *hotel {
	open := func(i int) *lock.Manager {
		m, err := lock.New(stores[i], lock.Config{
			Name: "peers", TTL: minuteTTL, Holder: fmt.Sprint("process ", i+1),
			Capacity: func(name string) int { return len(strings.Split(name, "+")) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close(context.Background()) })
		return m
	}
	return &hotel{t, open(0), open(1), time.Now()}
}

// take acquires what must be free.
func (h *hotel) take(m *lock.Manager, r lock.Resource, opts ...lock.Option) *lock.Lease {
	h.Helper()
	l, err := m.TryAcquire(h.Context(), r, opts...)
	if err != nil {
		h.Fatal(err)
	}
	return l
}

// taken checks that r is not free, and returns who is in the way.
func (h *hotel) taken(m *lock.Manager, r lock.Resource) *lock.ConflictError {
	h.Helper()
	l, err := m.TryAcquire(h.Context(), r)
	conflict, ok := errors.AsType[*lock.ConflictError](err)
	if !ok || l != nil {
		h.Fatalf("%v, %v, want a conflict", l, err)
	}
	return conflict
}

// is checks an error; nil stands for none.
func (h *hotel) is(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Errorf("error is %v, want %v", err, want)
	}
}

func (h *hotel) free(l *lock.Lease) {
	h.Helper()
	h.is(l.Release(h.Context()), nil)
}

// freeLater releases l after d.
func (h *hotel) freeLater(d time.Duration, l *lock.Lease) {
	time.AfterFunc(d, func() { _ = l.Release(context.Background()) })
}

// wait waits for what must become free, and checks how long that took, to a
// tenth of a second.
func (h *hotel) wait(m *lock.Manager, r lock.Resource, after time.Duration, opts ...lock.Option) *lock.Lease {
	h.Helper()
	start := time.Now()
	l, err := m.Acquire(h.Context(), r, append(opts, lock.Wait(24*time.Hour))...)
	if err != nil {
		h.Fatal(err)
	}
	if took := time.Since(start); (took - after).Abs() > 100*time.Millisecond {
		h.Errorf("granted after %s, want %s", took, after)
	}
	return l
}

// line has waiters queue up one after the other, each with its own process in
// turn, and returns the order in which they were granted. Each works for a
// while and then ends its lease by end.
func (h *hotel) line(n int, work time.Duration, end func(*lock.Lease), opts ...lock.Option) (order func() []int) {
	var (
		mu      sync.Mutex
		granted []int
		all     sync.WaitGroup
	)
	for i := range n {
		m := []*lock.Manager{h.one, h.two}[i%2]
		all.Go(func() {
			l, err := m.Acquire(h.Context(), room, append(opts, lock.Wait(24*time.Hour))...)
			if err != nil {
				h.Error(err)
				return
			}
			mu.Lock()
			granted = append(granted, i)
			mu.Unlock()
			time.Sleep(work)
			end(l)
		})
		time.Sleep(10 * time.Millisecond) // they arrive in order
	}
	return func() []int {
		all.Wait()
		return granted
	}
}

// inOrder checks that everyone was served, in order of arrival.
func (h *hotel) inOrder(order []int) {
	h.Helper()
	if !slices.IsSorted(order) {
		h.Errorf("served in the order %v", order)
	}
}

// holds lists who has r.
func (h *hotel) holds(r lock.Resource) (list []lock.Hold) {
	h.Helper()
	for hold, err := range h.two.Holds(h.Context(), r) {
		if err != nil {
			h.Fatal(err)
		}
		list = append(list, hold)
	}
	return list
}

func (h *hotel) only(r lock.Resource) lock.Hold {
	h.Helper()
	list := h.holds(r)
	if len(list) != 1 {
		h.Fatalf("%d holds, want 1", len(list))
	}
	return list[0]
}

// near reports whether two times differ by less than two hundredths, as much as
// a lease allows for clocks.
func near(got, want time.Duration) bool { return (got - want).Abs() <= want/50+5*time.Millisecond }
