// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// night is one that touches no other.
func night(n int) lock.Resource { return lock.Span("room", int64(2*n), int64(2*n)+1) }

func TestThousandsThatWaitForOtherNightsCostAMicrosecondEach(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	if err := r.inbox.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(r.client, acquireAll)
	load(r.client, releaseAll)
	crowd := 3000
	var last lock.StoreClaim
	for n := range crowd {
		last, _ = r.take(night(n), time.Hour)
		c := r.claim(night(n), time.Hour)
		c.Queue = true
		if g := r.ask(c); n > 0 && g.Place != n {
			t.Fatalf("place %d, want %d", g.Place, n)
		}
	}
	for what, do := range map[string]func(){
		"an acquire of a free night": func() {
			c := r.claim(night(-1), time.Hour)
			c.Queue = true
			if g := r.ask(c); g.Status != lock.StatusGranted {
				t.Errorf("a free night: %s", describe(g))
			}
		},
		"a release for the last that waits": func() { r.release(last.StoreTicket) },
	} {
		calls, micros := r.spent(do, "zrangebylex")
		t.Logf("%s, %d waiting before it: %d µs on the server", what, crowd, micros)
		if most := 2*(crowd/128+1) + 10; calls > most { // which it goes over once to find the waiter, and once for those before it
			t.Errorf("%s reads %d pages of the queue, want at most %d", what, calls, most)
		}
	}
	if got := r.list(night(crowd - 1)); len(got) != 1 {
		t.Errorf("the last that waited has %d holds, want 1", len(got))
	}
}

// What a script does not come to is left to later ones, which go on there.
func TestWaitersAreServedHoweverFewOfThemAScriptGoesOver(t *testing.T) {
	virtual(t, func(r *rig) {
		few := func(script string) string {
			script = strings.Replace(script, "local removes = 1024", "local removes = 1", 1)
			return load(r.client, strings.Replace(script, "local passes = 8192", "local passes = 20", 1))
		}
		r.client.AddHook(instead{
			acquireScript.Hash(): few(acquireAll), releaseScript.Hash(): few(releaseAll),
			extendScript.Hash(): few(extendAll), pingScript.Hash(): few(pingAll),
		})
		held, _ := r.take(lock.Span("room", 0, 1000), time.Hour)
		var served atomic.Int64
		wait := func(c lock.StoreClaim) {
			go func() {
				err := insist(r.Context(), r.Store, c)
				served.Add(1)
				if err == nil {
					_, err = r.Extend(context.Background(), []lock.StoreRenewal{{StoreTicket: c.StoreTicket, TTL: time.Hour, Confirm: true}})
				}
				if err != nil {
					r.Error(err)
				}
			}()
			time.Sleep(time.Millisecond)
		}
		crowd := 100
		for n := range crowd {
			wait(r.claim(night(n), time.Hour))
		}
		wait(r.claim(lock.All(night(-1), lock.Span("room", 1000, 1001), lock.Key("hall")), time.Hour))
		time.Sleep(20 * pulse)
		if n := served.Load(); n != 1 {
			r.Errorf("%d were served, want the one that waits for nothing", n)
		}
		r.release(held.StoreTicket)
		time.Sleep(20 * pulse)
		if n := served.Load(); n != int64(crowd+1) {
			r.Errorf("%d were served, want all %d", n, crowd+1)
		}
		for field := range r.client.HGetAll(r.Context(), r.keys("rooms", "hotel")[1]).Val() {
			if field[0] == '^' || field == "#more" {
				r.Errorf("%q is left in the ledger", field)
			}
		}
	})
}

// A release looks at the waiters that it serves, and at one more.
func TestWaitersForAKeyBehindTheNextCostNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	if err := r.inbox.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(r.client, releaseAll)
	counts := make(map[int]int)
	for _, crowd := range []int{3, 40} {
		both := lock.All(lock.Key(strconv.Itoa(crowd)), lock.Key("hall"))
		held, _ := r.take(both, time.Hour)
		queue := func(res lock.Resource) {
			c := r.claim(res, time.Hour)
			for c.Queue = true; r.ask(c).Place == 0; {
			}
		}
		queue(both)
		for range crowd {
			queue(lock.Key(strconv.Itoa(crowd)))
		}
		counts[crowd], _ = r.spent(func() { r.release(held.StoreTicket) })
		next := r.list(both)
		r.release(lock.StoreTicket{Space: "rooms", Group: "hotel", ID: next[0].ID, Force: true})
	}
	if counts[40] > counts[3] {
		t.Errorf("commands of a release, by how many wait: %v, want no more", counts)
	}
}

func TestAReleaseLetsInAHundredAndTwentyEightReadersAndTheNextTheOthers(t *testing.T) {
	virtual(t, func(r *rig) {
		if err := r.inbox.open(r.Context()); err != nil {
			r.Fatal(err)
		}
		held, _ := r.take(lock.Key("hall"), time.Hour)
		const crowd = 200
		for range crowd {
			c := r.claim(lock.Key("hall").Shared(), time.Hour)
			for c.Queue = true; r.ask(c).Place == 0; {
			}
		}
		r.release(held.StoreTicket)
		in := r.list(lock.Key("hall"))
		if len(in) != 128 {
			r.Errorf("%d readers are in, want 128", len(in))
		}
		r.release(lock.StoreTicket{Space: "rooms", Group: "hotel", ID: in[0].ID, Force: true})
		if n := len(r.list(lock.Key("hall"))); n != crowd-1 {
			r.Errorf("%d readers are in after the next release, want the other %d", n, crowd-1)
		}
	})
}

// A thousand parts of each of a hundred claims would take a script a second.
func TestAScriptRemovesFewPartsOfWhatADeadProcessLeft(t *testing.T) {
	everywhere(t, func(r *rig) {
		few := func(script string) string {
			return load(r.client, strings.Replace(script, "local removes = 1024", "local removes = 20", 1))
		}
		r.client.AddHook(instead{sweepScript.Hash(): few(sweepAll)})
		house := make([]lock.Resource, 20)
		for n := range house {
			house[n] = lock.Key(strconv.Itoa(n))
		}
		held, _ := r.take(lock.All(house...), 400*time.Millisecond)
		r.take(lock.Key("hall"), time.Hour)
		dead := New(r.client)
		if err := dead.inbox.open(r.Context()); err != nil {
			r.Fatal(err)
		}
		const crowd = 5
		for range crowd {
			c := r.claim(lock.All(append(house[1:], lock.Key("hall"))...), time.Hour)
			c.Queue = true
			for place := 0; place == 0; {
				g, err := dead.Acquire(r.Context(), c)
				if err != nil {
					r.Fatal(err)
				}
				place = g.Place
			}
			dead.inbox.leave(c.ID) // it pings no more
		}
		time.Sleep(3500 * time.Millisecond) // its inbox counts for nothing after 3 s of the server's clock, which is real in half of this
		queue := func() int { return int(r.client.ZCard(r.Context(), r.keys("rooms", "hotel")[4]).Val()) }
		each := queue() / crowd
		for left, scripts := crowd, 0; left > 0; scripts++ {
			if _, err := r.Sweep(r.Context(), lock.StoreQuery{Space: "rooms", Group: "hotel"}, nil); err != nil {
				r.Fatal(err)
			}
			if n := queue() / each; n < left-1 || scripts > 2*crowd {
				r.Fatalf("of %d places script %d left %d", left, scripts, n)
			} else {
				left = n
			}
		}
		if got := r.list(lock.Key("0")); len(got) != 0 || queue() != 0 {
			r.Errorf("left are %d members of the queue, and the hold %s: %v", queue(), held.ID, ids(got))
		}
	})
}
