// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/lock"
)

func TestAFullServerRefusesNewHoldsAndWritesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t, "--maxmemory-policy", "noeviction").Client(t))
	c, _ := r.take(lock.Key("a"), time.Hour)
	counted, _ := r.take(lock.Key("b"), time.Hour)
	before := r.dump()
	if err := r.client.ConfigSet(r.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Acquire(r.Context(), r.claim(lock.All(lock.Key("c"), lock.Key("d")), time.Hour))
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("acquire on a full server: %v, want OOM", err)
	}
	if after := r.dump(); after != before {
		t.Errorf("a refused acquire changed\n%s\nto\n%s", before, after)
	}
	// Those who hold go on.
	grants := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 2 * time.Hour}, lock.StoreRenewal{StoreTicket: counted.StoreTicket, TTL: 2 * time.Hour, Count: true, Nonce: "n"})
	for _, g := range grants {
		if g.Status != lock.StatusGranted || g.Hold.Left != 2*time.Hour {
			t.Errorf("extend on a full server: %+v, want granted", g)
		}
	}
	if s := r.release(c.StoreTicket); s != lock.StatusGranted {
		t.Errorf("release on a full server: status %d, want granted", s)
	}
}

func TestAReplicaAnswersErrorsAndWritesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	r.client.Options().MaxRetries = 0 // else it tries again, in case there is a new master
	c, _ := r.take(lock.Key("a"), time.Hour)
	before := r.dump()
	if err := r.client.SlaveOf(r.Context(), "127.0.0.1", strconv.Itoa(testproc.FreePort(t))).Err(); err != nil {
		t.Fatal(err)
	}
	_, acquired := r.Acquire(r.Context(), r.claim(lock.Key("b"), time.Hour))
	_, extended := r.Extend(r.Context(), []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: 2 * time.Hour}})
	_, released := r.Release(r.Context(), []lock.StoreTicket{c.StoreTicket})
	for what, err := range map[string]error{"acquire": acquired, "extend": extended, "release": released} {
		if err == nil || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("%s on a replica: %v, want READONLY", what, err)
		}
	}
	if after := r.dump(); after != before {
		t.Errorf("refused calls changed\n%s\nto\n%s", before, after)
	}
}

// dump is everything on the server, without the times left.
func (r *rig) dump() string {
	r.Helper()
	var b strings.Builder
	keys := slices.Clone(r.keys("rooms", "hotel"))
	fmt.Fprintf(&b, "%q\n", r.client.HGetAll(r.Context(), keys[1]).Val()) // in order of the fields
	for _, k := range slices.Delete(keys, 1, 2) {
		fmt.Fprintf(&b, "%s %q\n", k, r.client.Dump(r.Context(), k).Val())
	}
	return b.String()
}

func TestAFlushOfTheScriptsIsNotNoticed(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	stop := make(chan struct{})
	var flusher, workers sync.WaitGroup
	flusher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.client.ScriptFlush(context.Background())
			}
		}
	})
	for w := range 4 {
		workers.Go(func() {
			for i := range 60 {
				c := lock.StoreClaim{
					StoreTicket: lock.StoreTicket{Space: "s", Group: "g" + strconv.Itoa(w), Name: "a", ID: strconv.Itoa(i), Token: "t"},
					Resource:    lock.Key("a"), TTL: time.Hour,
				}
				other := c
				other.Group, other.Name, other.Resource = "other", strconv.Itoa(w), lock.Key(strconv.Itoa(w))
				other.ID += "/" + strconv.Itoa(w)
				for _, c := range []lock.StoreClaim{c, other} {
					if g, err := r.Acquire(t.Context(), c); err != nil || g.Status != lock.StatusGranted {
						t.Errorf("acquire: %+v, %v", g, err)
					}
				}
				gs, err := r.Extend(t.Context(), []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: time.Hour}, {StoreTicket: other.StoreTicket, TTL: time.Hour}})
				if err != nil || gs[0].Status != lock.StatusGranted || gs[1].Status != lock.StatusGranted {
					t.Errorf("extend: %+v, %v", gs, err)
				}
				for _, c := range []lock.StoreClaim{c, other} {
					if g, err := r.Release(t.Context(), []lock.StoreTicket{c.StoreTicket}); err != nil || g[0].Status != lock.StatusGranted {
						t.Errorf("release: %+v, %v", g, err)
					}
				}
			}
		})
	}
	workers.Wait()
	close(stop)
	flusher.Wait()
}

// twice sends each command twice, as a client does whose first reply was lost.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := next(ctx, cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := next(ctx, cmds); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

func TestALostReplyDoesNoHarm(t *testing.T) {
	everywhere(t, func(r *rig) {
		r.client.AddHook(twice{})
		c, g := r.take(lock.Key("a"), time.Hour)
		other := r.claim(lock.Key("a"), time.Hour)
		other.Group = "another"
		second := r.ask(other)
		if second.Status != lock.StatusGranted {
			r.Fatalf("another group: %s", describe(second))
		}
		for n := 1; n <= 3; n++ {
			nonce := strconv.Itoa(n)
			gs := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour, Count: true, Nonce: nonce}, lock.StoreRenewal{StoreTicket: other.StoreTicket, TTL: time.Hour, Count: true, Nonce: nonce})
			if gs[0].Hold.Extensions != n || gs[1].Hold.Extensions != n || gs[0].Hold.Fence != g.Hold.Fence {
				r.Errorf("after %d extensions: %d and %d are counted", n, gs[0].Hold.Extensions, gs[1].Hold.Extensions)
			}
		}
		if got := r.list(lock.Resource{}); len(got) != 1 {
			r.Errorf("holds %v, want one", ids(got))
		}
		forced := lock.StoreTicket{Space: "rooms", Group: "another", Name: other.Name, ID: other.ID, Token: "nonce", Force: true}
		for _, k := range []lock.StoreTicket{c.StoreTicket, forced} {
			if s := r.release(k); s != lock.StatusGranted {
				r.Errorf("released with force %t: status %d, want granted", k.Force, s)
			}
		}
	})
}

func TestOneOfAThousandGetsTheRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	for _, rooms := range []int{1, 50} {
		var granted atomic.Int64
		var all sync.WaitGroup
		for i := range 1000 {
			c := r.claim(lock.Span(strconv.Itoa(rooms)+"/"+strconv.Itoa(i%rooms), 5, 9), time.Hour)
			all.Go(func() {
				if g, err := r.Acquire(t.Context(), c); err != nil {
					t.Error(err)
				} else if g.Status == lock.StatusGranted {
					granted.Add(1)
				}
			})
		}
		all.Wait()
		if granted.Load() != int64(rooms) {
			t.Errorf("%d of 1000 were granted %d rooms", granted.Load(), rooms)
		}
	}
}

func TestEverythingWorksOnACluster(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t, "--cluster-enabled", "yes")
	node := server.Client(t)
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}, MaxRedirects: 50})
	t.Cleanup(func() { _ = client.Close() })
	for end := time.Now().Add(10 * time.Second); client.Set(t.Context(), "up", 1, 0).Err() != nil; {
		if time.Now().After(end) {
			t.Fatal("the cluster does not come up")
		}
		time.Sleep(20 * time.Millisecond) // a node takes its time to call the cluster complete
	}

	s := New(client)
	r := &rig{T: t, Store: s, client: node}
	var batch []lock.StoreRenewal
	for _, group := range []string{"", "}", "{a}", "hotel 1", "ünï", "%"} {
		c := r.claim(lock.All(lock.Key("a"), lock.Span("b", 1, 2)), time.Hour)
		c.Group, c.Capacity = group, []int{1, 2}
		if g := r.ask(c); g.Status != lock.StatusGranted {
			t.Errorf("group %q: %s", group, describe(g))
		}
		batch = append(batch, lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 2 * time.Hour})
	}
	for i, g := range r.extend(batch...) {
		if g.Status != lock.StatusGranted || g.Hold.ID != batch[i].ID {
			t.Errorf("group %q: extend: %s of %q", batch[i].Group, describe(g), g.Hold.ID)
		}
	}
	for _, b := range batch {
		if s := r.release(b.StoreTicket); s != lock.StatusGranted {
			t.Errorf("group %q: release: status %d", b.Group, s)
		}
	}
	if got := r.list(lock.Resource{}); len(got) != 0 {
		t.Errorf("holds %v left", ids(got))
	}
	r.sweep()

	held, _ := r.take(lock.Key("room"), time.Hour)
	fastest := time.Hour // of five, since a busy machine may be late
	for range 5 {
		next := r.claim(lock.Key("room"), time.Hour)
		done := r.queue(s, next)
		start := time.Now()
		r.release(held.StoreTicket)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		held, fastest = next, min(fastest, time.Since(start))
	}
	if fastest > pulse/10 {
		t.Errorf("waited for %s, want to be woken", fastest)
	}
}

// The figure to know before sizing a server. It depends on the server's
// allocator, so it is printed and not judged.
func TestMemoryPerHoldIsPrinted(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	used := func() int {
		info := r.client.Info(t.Context(), "memory").Val()
		_, text, _ := strings.Cut(info, "used_memory:")
		n, err := strconv.Atoi(strings.Fields(text)[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, size := range []struct{ groups, holds int }{{1, 4000}, {40, 100}} {
		r.flushing()
		r.take(lock.Key("warm"), time.Hour)
		before := used()
		for g := range size.groups {
			for i := range size.holds {
				c := r.claim(lock.Span("room/"+strconv.Itoa(100+i%100), int64(i), int64(i)+1), time.Hour)
				c.Group, c.Holder = "hotel"+strconv.Itoa(g), strings.Repeat("h", 32)
				c.ID, c.Token = fmt.Sprintf("%016d", r.made), fmt.Sprintf("%026d", r.made) // as the manager makes them
				r.ask(c)
			}
		}
		t.Logf("%d groups of %d holds: %d B a hold", size.groups, size.holds, (used()-before)/(size.groups*size.holds))
	}
}
