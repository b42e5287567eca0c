// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

const (
	holdersTTL = 300 * time.Millisecond
	holders    = 6
	enough     = 10 // leases that show something
)

// howLong is how long holders run under a kind of fault.
func howLong() time.Duration {
	if long() {
		return 45 * time.Second
	}
	return 3 * time.Second
}

// house is a server with holders around it, each behind a proxy of its own.
type house struct {
	*testing.T
	server  *redistest.Server
	proxies []*faultproxy.Proxy
	connect func() redis.UniversalClient // of one holder
	ctx     context.Context
	faults  int
	random  *rand.Rand
	once    sync.Once
}

func newHouse(t *testing.T, args ...string) *house {
	h := &house{T: t, server: redistest.Real(t, args...), random: rand.New(rand.NewPCG(1, 2))}
	h.connect = func() redis.UniversalClient {
		p := faultproxy.Start(t, h.server.Addr)
		h.proxies = append(h.proxies, p)
		client := redis.NewClient(&redis.Options{Addr: p.Addr, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	return h
}

// rest waits a random time around half a TTL, in which the holders go on.
func (h *house) rest() {
	pause(h.ctx, holdersTTL/4+time.Duration(h.random.Int64N(int64(holdersTTL/2))))
}

// outage is how long a fault lasts: sometimes shorter than a TTL, sometimes
// longer.
func (h *house) outage() {
	pause(context.Background(), time.Duration(h.random.Int64N(int64(2*holdersTTL))))
}

// without takes a right from everyone for a while.
func (h *house) without(right string) {
	admin := h.server.Client(h)
	command(h, admin, "ACL", "SETUSER", "default", "-"+right)
	h.outage()
	command(h, admin, "ACL", "SETUSER", "default", "+"+right)
}

// forget queues a claim up that is neither waited for nor given up.
func (h *house) forget() {
	s := redislock.New(h.connect())
	c := lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", Name: "101", ID: fmt.Sprint("forgotten", h.faults), Token: "secret"},
		Resource:    lock.Span("101", 0, 9), Capacity: []int{1}, TTL: holdersTTL, Queue: true, Limit: 1,
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(h.Context(), holdersTTL/10)
		g, _ := s.Acquire(ctx, c)
		_, _ = s.Wait(ctx, c, g) // which opens the inbox
		cancel()
	}
	h.Cleanup(func() { _, _ = s.Release(context.Background(), []lock.StoreTicket{c.StoreTicket}) })
}

// run lets the holders live with a fault, again and again, until the time is
// over and there were enough leases, and returns what they believed.
func (h *house) run(d time.Duration, fault func(*house)) ([]belief, *hotel) {
	ctx, cancel := context.WithCancel(h.Context())
	defer cancel()
	h.ctx = ctx
	var (
		place   hotel
		list    []*holder
		running sync.WaitGroup
	)
	for i := range holders {
		guest, err := newHolder(fmt.Sprintf("guest %d", i), h.connect(), holdersTTL, place.write)
		if err != nil {
			h.Fatal(err)
		}
		list = append(list, guest)
		running.Go(func() { guest.run(ctx) })
	}
	leases := func() (n int64) {
		for _, guest := range list {
			n += guest.leases.Load()
		}
		return n
	}
	start := time.Now()
	for h.rest(); time.Since(start) < d || leases() < enough && time.Since(start) < atMost; h.rest() {
		fault(h)
		h.faults++
	}
	cancel()
	running.Wait()
	var all []belief
	for _, guest := range list {
		all = append(all, guest.seen...)
	}
	return all, &place
}

// judge checks what must hold under every fault, and returns the overlaps.
func judge(t *testing.T, all []belief, place *hotel, faults int) []pair {
	t.Helper()
	var lost int
	var late time.Duration
	for _, b := range all {
		if b.Cause != lock.ErrReleased.Error() {
			lost++
		}
		if b.Last > 0 { // else its deadline was never asked for
			late = max(late, b.Context-b.Deadline)
		}
	}
	both := overlaps(all)
	t.Logf("%d faults; %d leases, %d of them lost; %d pairs believed at once; %d writes taken, %d refused; a context was seen alive %s after its deadline",
		faults, len(all), lost, len(both), len(place.accepted), place.refused, max(late, 0))
	for _, p := range fallen(all) {
		t.Errorf("the fence did not rise:\n%s", p)
	}
	for _, p := range place.stale(all) {
		t.Errorf("the hotel took a write of the second after one of the first:\n%s", p)
	}
	if faults < 1 || len(all) < enough {
		t.Errorf("%d leases through %d faults show nothing", len(all), faults)
	}
	return both
}

// What one Redis that keeps what it confirmed promises, whatever happens to it,
// to those who use it, and between them.
func TestNoTwoBelieveInOneNightAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		fault func(*house)
	}{
		"the server is suspended": {nil, func(h *house) {
			h.server.Suspend()
			h.outage()
			h.server.Resume()
		}},
		"no process reaches the server": {nil, func(h *house) {
			for _, p := range h.proxies {
				p.Hold(faultproxy.Both)
			}
			h.outage()
			for _, p := range h.proxies {
				p.Pass(faultproxy.Both)
			}
		}},
		"one holder is cut off": {nil, func(h *house) {
			p := h.proxies[h.random.IntN(len(h.proxies))]
			p.Hold(faultproxy.Both)
			h.outage()
			if h.random.IntN(2) == 0 {
				p.Cut()
			}
			p.Pass(faultproxy.Both)
		}},
		"replies are late": {nil, func(h *house) {
			p := h.proxies[h.random.IntN(len(h.proxies))]
			p.Hold(faultproxy.Replies)
			h.outage()
			p.Pass(faultproxy.Replies)
		}},
		"replies are lost": {nil, func(h *house) {
			for range 4 {
				p := h.proxies[h.random.IntN(len(h.proxies))]
				p.Lose("evalsha", 1+h.random.IntN(5)) // more than a client tries again
			}
		}},
		"the scripts are flushed": {nil, func(h *house) {
			client := h.server.Client(h)
			for range 20 {
				if err := client.ScriptFlush(h.Context()).Err(); err != nil {
					h.Error(err)
				}
				pause(h.ctx, 5*time.Millisecond)
			}
		}},
		"the server is killed and has kept everything": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, func(h *house) {
			h.server.Kill()
			h.server.Start(h)
		}},
		"grants are lost": {nil, func(h *house) {
			h.server.Client(h).ClientKillByFilter(h.Context(), "TYPE", "pubsub")
		}},
		"grants are late": {nil, func(h *house) {
			held := subscriptions(h.proxies[h.random.IntN(len(h.proxies))])
			for _, c := range held {
				c.Hold(faultproxy.Replies)
			}
			h.outage()
			for _, c := range held {
				c.Pass(faultproxy.Replies)
			}
		}},
		"grants come again, and late": {nil, func(h *house) {
			h.once.Do(func() {
				echo(h, h.server.Client(h), holdersTTL/2, holdersTTL, 2*holdersTTL)
			})
		}},
		"no one may publish": {nil, func(h *house) { h.without("publish") }},
		"no one may subscribe": {nil, func(h *house) {
			h.server.Client(h).ClientKillByFilter(h.Context(), "TYPE", "pubsub")
			h.without("subscribe")
		}},
		"the server has no memory": {nil, func(h *house) {
			admin := h.server.Client(h)
			command(h, admin, "CONFIG", "SET", "maxmemory", "1")
			h.outage()
			command(h, admin, "CONFIG", "SET", "maxmemory", "0")
		}},
		"a process forgets that it waits": {nil, (*house).forget},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, c.args...)
			all, place := h.run(howLong(), c.fault)
			for _, p := range judge(t, all, place, h.faults) {
				t.Errorf("believed at once:\n%s", p)
			}
		})
	}
}

// A server that forgets what it confirmed lets two believe; their fences tell
// them apart.
func TestWhatTheServerForgetsTheFencesStillGuard(t *testing.T) {
	for name, fault := range map[string]func(*house){
		"everything is flushed": func(h *house) {
			if err := h.server.Client(h).FlushAll(h.Context()).Err(); err != nil {
				h.Error(err)
			}
		},
		"the server is killed and has kept nothing": func(h *house) {
			h.server.Kill()
			h.server.Start(h)
		},
		"a replica that lags is promoted": promoteLaggard,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			all, place := h.run(howLong(), fault)
			judge(t, all, place, h.faults) // which counts the overlaps of belief
		})
	}
}

// The sentinel takes its time, in which nothing is granted. What comes
// after is as after any other promotion.
func TestHoldersLiveThroughAFailoverOfASentinel(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link := faultproxy.Start(t, h.server.Addr)
	replica := redistest.Replica(t, link.Addr)
	sentinel := redistest.Sentinel(t, h.server, 1, holdersTTL)
	h.connect = func() redis.UniversalClient { return redistest.FailoverClient(t, sentinel) }
	var failed time.Duration
	all, place := h.run(6*time.Second, func(h *house) {
		if failed > 0 {
			return
		}
		link.Hold(faultproxy.Replies) // the last writes do not get there
		h.rest()
		h.server.Suspend()
		failed = now()
	})
	judge(t, all, place, 1)
	after := 0
	for _, b := range all {
		if b.Asked > failed {
			after++
		}
	}
	if role := replica.Client(t).Info(t.Context(), "replication").Val(); after == 0 || !strings.Contains(role, "role:master") {
		t.Errorf("%d leases after the failover, from\n%s", after, role)
	}
}

// promoteLaggard has all processes move to a replica that has not got the last
// writes of its master.
func promoteLaggard(h *house) {
	link := faultproxy.Start(h, h.server.Addr)
	replica := redistest.Replica(h, link.Addr)
	h.rest()
	link.Hold(faultproxy.Replies)
	h.rest()
	if err := replica.Client(h).ReplicaOf(h.Context(), "NO", "ONE").Err(); err != nil {
		h.Error(err)
	}
	for _, p := range h.proxies {
		p.Redirect(replica.Addr)
	}
	h.server.Kill()
	h.server = replica
}

// A process that is stopped cannot let go of its leases. When it goes on, they
// have ended, and what it had begun to write meets a higher fence.
func TestAProcessThatWasStoppedBelievesNoMore(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	var place hotel
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var wish write
		if err := json.NewDecoder(r.Body).Decode(&wish); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		} else if !place.write(wish) {
			http.Error(w, "a lower fence", http.StatusConflict)
		}
	}))
	defer desk.Close()

	var processes []*testproc.Child
	var results []string
	for i := range 3 {
		task := holdersTask{
			Name: fmt.Sprintf("process %d", i), Redis: server.Addr, Hotel: desk.URL, Result: filepath.Join(t.TempDir(), "beliefs.json"),
			Holders: 3, TTL: holdersTTL, For: howLong(),
		}
		text, err := json.Marshal(task)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HOLDFAST_HOLDERS="+string(text))
		processes = append(processes, testproc.Start(t, cmd))
		results = append(results, task.Result)
	}
	random := rand.New(rand.NewPCG(1, 2))
	faults := 0
	for end := now() + howLong(); now() < end-2*holdersTTL; faults++ {
		pause(t.Context(), holdersTTL/2)
		p := processes[random.IntN(len(processes))]
		p.Suspend()
		pause(t.Context(), time.Duration(random.Int64N(int64(2*holdersTTL))))
		p.Resume()
	}
	var all []belief
	for i, p := range processes {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(results[i])
		if err != nil {
			t.Fatal(err)
		}
		var part []belief
		if err := json.Unmarshal(text, &part); err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	for _, p := range judge(t, all, &place, faults) {
		t.Errorf("believed at once:\n%s", p)
	}
}
