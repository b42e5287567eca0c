// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// trips counts round trips, and checks that the keys of a script share a slot
// and that nothing is called that a store must not need.
type trips struct {
	t                   *testing.T
	commands, pipelines int
	scripts             int
}

func (n *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (n *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !greeting(cmd) {
			n.commands++
		}
		n.look(cmd)
		return next(ctx, cmd)
	}
}

func (n *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !greeting(cmds[0]) {
			n.pipelines++
			for _, cmd := range cmds {
				n.look(cmd)
			}
		}
		return next(ctx, cmds)
	}
}

// greeting reports whether a client sends a command by itself when it opens a connection.
func greeting(cmd redis.Cmder) bool { return cmd.Name() == "hello" || cmd.Name() == "client" }

func (n *trips) look(cmd redis.Cmder) {
	switch name := cmd.Name(); name {
	case "scan", "keys", // read everything
		"flushdb", "flushall", // end what is not ours
		"subscribe", "psubscribe", "ssubscribe", "config": // reach only those who listen, and not on every server
		n.t.Errorf("the store called %s", name)
	}
	if !strings.HasPrefix(cmd.Name(), "eval") {
		return
	}
	n.scripts++
	args := cmd.Args()
	keys := args[3 : 3+args[2].(int)]
	for _, k := range keys {
		if tag(k.(string)) != tag(keys[0].(string)) || tag(keys[0].(string)) == "" {
			n.t.Errorf("keys %q are in several slots", keys)
		}
	}
}

// tag is the part of a key that decides on its slot.
func tag(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(rest, "}")
	return tag
}

func TestRoundTrips(t *testing.T) {
	client, _ := redistest.Virtual(t)
	n := &trips{t: t}
	client.AddHook(n)
	s, owner := New(client), newHash(7)
	w := of(newWrite("x"), owner)
	var r session.StoreReply
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	save := func(payload string) {
		var err error
		r, err = s.Save(t.Context(), next(r, payload))
		must(err)
	}
	move := func(first byte, withTimes bool) {
		to := newWrite("x")
		to.Hash[0], to.Rev = first, r.Record.Rev
		if withTimes {
			to.CreatedAt, to.Deadline = r.Record.CreatedAt, r.Record.Deadline
		}
		r = done(t)(s.Move(t.Context(), r.Record.StoreHandle, to))
	}
	calls := []struct {
		name     string
		call     func()
		commands int
		pipes    int
	}{
		{"Create", func() { r = done(t)(s.Create(t.Context(), w)) }, 1, 0},
		{"Create of one that exists", func() { answered(t)(s.Create(t.Context(), next(r, "y"))) }, 1, 0},
		{"Load", func() { peek(t, s, w.StoreHandle) }, 1, 0},
		{"Load with touch and lease", func() {
			done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Touch: true, Lease: "anna", LeaseFor: time.Millisecond}))
			done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Lease: "anna"}))
		}, 2, 0},
		{"Save", func() { save("y") }, 1, 0},
		{"List", func() {
			for range s.List(t.Context(), session.StoreList{Space: space, Owner: owner}) {
			}
		}, 2, 0},
		{"List of all", func() { // one of 16 partitions has any
			for range s.List(t.Context(), session.StoreList{Space: space}) {
			}
		}, 16 + 1, 0},
		{"Count", func() { count(t, s) }, 0, 1},
		{"idle Claim", func() { claim(t, s, session.StoreClaim{}) }, 1, 1},
		{"Move within a partition", func() { move(w.Hash[0], false) }, 1, 0},
		{"Move to another partition", func() { move(8, true) }, 2, 0},
		{"Move without its times", func() { move(9, false) }, 3, 0},
		{"settling", func() { must(s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: w.StoreHandle}})) }, 1, 0},
		{"settling none", func() { must(s.settle(t.Context(), space, nil)) }, 0, 0},
		{"Delete", func() {
			_, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{r.Record.Hash}})
			must(err)
		}, 1, 0},
		{"Delete of several partitions", func() {
			_, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{newHash(1), newHash(2), newHash(2)}})
			must(err)
		}, 0, 1},
		{"Delete of an owner", func() {
			_, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner})
			must(err)
		}, 1, 0},
		{"Delete of none", func() {
			_, err := s.Delete(t.Context(), session.StoreRemove{Space: space})
			must(err)
		}, 0, 0},
		{"Claim without any session", func() { claim(t, s, session.StoreClaim{}) }, 0, 1},
	}
	for _, sc := range []*redis.Script{createScript, loadScript, saveScript, moveScript, retireScript, deleteScript, deleteOwnerScript, listScript, claimScript, settleScript, countScript} {
		must(sc.Load(t.Context(), client).Err())
	}
	count(t, s) // the first call asks for the number of partitions
	for _, c := range calls {
		n.commands, n.pipelines = 0, 0
		c.call()
		if n.commands != c.commands || n.pipelines != c.pipes {
			t.Errorf("%s took %d commands and %d pipelines, want %d and %d", c.name, n.commands, n.pipelines, c.commands, c.pipes)
		}
	}
}

func TestATripOfALogOutEverywhereEndsSixtyFour(t *testing.T) {
	client, _ := redistest.Virtual(t)
	s, owner := New(client), newHash(7)
	for range 66 {
		done(t)(s.Create(t.Context(), of(newWrite("x"), owner)))
	}
	for _, want := range []int{64, 2, 0} {
		r, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner})
		if err != nil || len(r.Removed) != want || r.More != (want == 64) {
			t.Errorf("ended %d, more: %t, %v, want %d", len(r.Removed), r.More, err, want)
		}
	}
}

func TestACleanupCycleCallsScriptsByTheBatch(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		const records, batch = 1000, 30
		for i := range records {
			w := newWrite(fmt.Sprint(i))
			w.Hash[0] = byte(i)
			done(t)(s.Create(t.Context(), w))
		}
		time.Sleep(2 * time.Minute)
		n := &trips{t: t}
		client.AddHook(n)
		reported, more := 0, true
		for more {
			got := claim(t, s, session.StoreClaim{Max: batch})
			if len(got.Due) > batch {
				t.Fatalf("claimed %d, want %d at most", len(got.Due), batch)
			}
			reported, more = reported+len(got.Due), got.More
		}
		if reported != records {
			t.Errorf("reported %d of %d", reported, records)
		}
		if most := records/batch + s.partitions + 1; n.scripts > most {
			t.Errorf("%d script calls for %d records by %d, want %d at most", n.scripts, records, batch, most)
		}
	})
}

func TestClaimIsOldestFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
		for i := range 40 {
			w := newWrite(fmt.Sprint(i))
			w.Hash[0] = byte(i % 3)
			done(t)(s.Create(t.Context(), w))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		last := time.Duration(1 << 62)
		for reported := 0; reported < 40; {
			oldest := count(t, s).Oldest
			if oldest > last {
				t.Fatalf("the oldest is due for %v, before it was %v", oldest, last)
			}
			last = oldest
			got := claim(t, s, session.StoreClaim{Max: 7}).Due
			if len(got) == 0 {
				t.Fatalf("reported %d of 40", reported)
			}
			if due := time.Since(got[0].ExpiresAt); due != oldest {
				t.Fatalf("the first is due for %v, but the oldest for %v", due, oldest)
			}
			reported += len(got)
		}
	})
}
