// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// rig is a store on some server, with short ways to use it.
type rig struct {
	*testing.T
	*Store
	client *redis.Client
	made   int
}

func newRig(t *testing.T, client *redis.Client) *rig {
	return &rig{T: t, Store: New(client), client: client}
}

// everywhere runs a test on miniredis in virtual time and on a real server.
func everywhere(t *testing.T, test func(r *rig)) {
	t.Run("virtual", func(t *testing.T) { virtual(t, test) })
	t.Parallel() // from here on: what waits in real time waits together
	t.Run("real", func(t *testing.T) {
		test(newRig(t, redistest.Real(t).Client(t)))
	})
}

func virtual(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		test(newRig(t, client))
	})
}

// limited is a client of a fresh server that has these rights on all keys.
func limited(t *testing.T, rights ...string) *redis.Client {
	t.Helper()
	server := redistest.Real(t)
	user := []any{"ACL", "SETUSER", "clerk", "on", ">x", "~*"}
	for _, right := range rights {
		user = append(user, right)
	}
	if err := server.Client(t).Do(t.Context(), user...).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "clerk", Password: "x", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// claim is a claim of r with an id of its own.
func (r *rig) claim(res lock.Resource, ttl time.Duration) lock.StoreClaim {
	r.made++
	n := strconv.Itoa(r.made)
	return lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: "rooms", Group: "hotel", Name: res.Name(), ID: "id" + n, Token: "secret" + n},
		Resource:    res, TTL: ttl, Holder: "guest" + n, Limit: 8,
	}
}

func (r *rig) ask(c lock.StoreClaim) lock.StoreGrant {
	r.Helper()
	g, err := r.Acquire(r.Context(), c)
	if err != nil {
		r.Fatalf("acquire %s: %v", c.Resource, err)
	}
	return g
}

// take acquires res, which must be free.
func (r *rig) take(res lock.Resource, ttl time.Duration) (lock.StoreClaim, lock.StoreGrant) {
	r.Helper()
	c := r.claim(res, ttl)
	g := r.ask(c)
	if g.Status != lock.StatusGranted {
		r.Fatalf("acquire %s: %s, want granted", res, describe(g))
	}
	return c, g
}

func (r *rig) wantBlocked(res lock.Resource, ids ...string) {
	r.Helper()
	g := r.ask(r.claim(res, time.Hour))
	var by []string
	for _, c := range g.Conflicts {
		by = append(by, c.Hold.ID)
	}
	if g.Status != lock.StatusBlocked || !slices.Equal(by, ids) {
		r.Fatalf("acquire %s: status %d by %v, want blocked by %v", res, g.Status, by, ids)
	}
}

func (r *rig) extend(rs ...lock.StoreRenewal) []lock.StoreGrant {
	r.Helper()
	grants, err := r.Extend(r.Context(), rs)
	if err != nil {
		r.Fatalf("extend: %v", err)
	}
	return grants
}

func (r *rig) release(k lock.StoreTicket) lock.StoreStatus {
	r.Helper()
	g, err := r.Release(r.Context(), []lock.StoreTicket{k})
	if err != nil {
		r.Fatalf("release %s: %v", k.ID, err)
	}
	return g[0].Status
}

func (r *rig) list(res lock.Resource) []lock.Hold {
	r.Helper()
	var holds []lock.Hold
	for h, err := range r.Holds(r.Context(), lock.StoreQuery{Space: "rooms", Group: "hotel", Resource: res}) {
		if err != nil {
			r.Fatalf("holds: %v", err)
		}
		holds = append(holds, h)
	}
	return holds
}

func (r *rig) sweep(recorded ...string) []lock.Hold {
	r.Helper()
	holds, err := r.Sweep(r.Context(), lock.StoreQuery{Space: "rooms", Group: "hotel", Limit: 1000}, recorded)
	if err != nil {
		r.Fatalf("sweep: %v", err)
	}
	return holds
}

// keysLeft returns the letters of the keys that exist.
func (r *rig) keysLeft() string {
	r.Helper()
	var left string
	for _, k := range r.client.Keys(r.Context(), "*").Val() {
		left += k[len(k)-1:]
	}
	letters := []byte(left)
	slices.Sort(letters)
	return string(letters)
}

// pass lets holds of ttl expire: they end by the server's clock, which on a
// real one only sleeping can move.
func (r *rig) pass(ttl time.Duration) { time.Sleep(ttl + 2*time.Millisecond) }

// spent returns how often the server ran some commands, or all when none is
// named, in the scripts that do calls; and the time of those scripts.
func (r *rig) spent(do func(), commands ...string) (calls, micros int) {
	r.Helper()
	r.client.ConfigResetStat(r.Context())
	do()
	for line := range strings.Lines(r.client.Info(r.Context(), "commandstats").Val()) {
		command, stats, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		n, took := 0, 0
		if _, err := fmt.Sscanf(stats, "%d,usec=%d", &n, &took); err != nil {
			continue
		}
		switch {
		case command == "evalsha":
			micros += took
		case command == "info" || strings.HasPrefix(command, "config") || len(commands) > 0 && !slices.Contains(commands, command):
		default:
			calls += n
		}
	}
	return calls, micros
}

func describe(g lock.StoreGrant) string {
	if len(g.Conflicts) > 0 {
		return "blocked by " + g.Conflicts[0].Hold.Resource.String()
	}
	return "status " + strconv.Itoa(int(g.Status))
}

func ids(holds []lock.Hold) []string {
	var list []string
	for _, h := range holds {
		list = append(list, h.ID)
	}
	return list
}

// flushing empties the server.
func (r *rig) flushing() {
	r.Helper()
	if err := r.client.FlushAll(context.Background()).Err(); err != nil {
		r.Fatal(err)
	}
}

func z(member string) redis.Z { return redis.Z{Member: member} }

func claimed(name string) lock.Resource { return lock.Span(name, 1, 2) }
