// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// Two processes add messages to conversations while the slots of one node move to the
// other. A message whose call returned an error is there once or not at all.
func TestAReshardingLosesAndDuplicatesNoMessage(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 2)
	ctx := t.Context()
	const talks, workers = 24, 8
	talk := func(i int) session.Conversation {
		return session.Conversation{Channel: "sms", Peer: fmt.Sprint(i), Subject: fmt.Sprint("guest ", i)}
	}
	managers := []*session.Manager[[]int64]{
		newSessions[[]int64](t, redistest.ClusterClient(t, nodes), time.Second), newSessions[[]int64](t, redistest.ClusterClient(t, nodes), time.Second),
	}
	var last atomic.Int64
	var mu sync.Mutex
	acknowledged := map[int64]int{} // and its conversation
	var over atomic.Bool
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			for i := w; !over.Load() && ctx.Err() == nil; i++ {
				n := last.Add(1)
				limited, cancel := context.WithTimeout(ctx, 5*time.Second)
				err := managers[w%2].Converse(limited, talk(i%talks), nil, func(_ context.Context, s *session.Session[[]int64]) error {
					s.Data = append(s.Data, n)
					return nil
				})
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					acknowledged[n] = i % talks
					mu.Unlock()
				case !errors.Is(err, session.ErrUnavailable) && !errors.Is(err, session.ErrBusy):
					t.Error(err)
				}
			}
		})
	}
	defer writers.Wait()
	defer over.Store(true)
	eventually(t, "message", func() bool { return last.Load() > 100 })
	if moved := reshard(ctx, t, nodes[0], nodes[1]); moved == 0 {
		t.Fatal("no slot moved: the test shows nothing")
	}
	later := last.Load() + 100
	eventually(t, "message after the resharding", func() bool { return last.Load() > later })
	over.Store(true)
	writers.Wait()
	found := map[int64]int{}
	for i := range talks {
		s, _, err := managers[0].Open(ctx, talk(i), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range s.Data {
			if other, twice := found[n]; twice {
				t.Errorf("message %d is in conversations %d and %d", n, other, i)
			}
			found[n] = i
		}
		known := 0
		for s, err := range managers[1].BySubject(ctx, talk(i).Subject) {
			if err != nil {
				t.Errorf("listing guest %d: %v", i, err)
			} else if s.Conversation == talk(i) {
				known++
			}
		}
		if known != 1 {
			t.Errorf("guest %d has %d conversations, want the one", i, known)
		}
	}
	for n, i := range acknowledged {
		if got, there := found[n]; !there || got != i {
			t.Errorf("message %d was acknowledged in conversation %d, and is in %d, %v", n, i, got, there)
		}
	}
}

// reshard moves all slots that have keys from one node to another, as redis-cli does,
// but one key at a time: both serve what they have for longer.
func reshard(ctx context.Context, t testing.TB, from, to *redistest.Server) (moved int) {
	source, target := from.Client(t), to.Client(t)
	host, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		t.Fatal(err)
	}
	slots := map[int64]bool{}
	for _, key := range source.Keys(ctx, "*").Val() {
		slots[source.ClusterKeySlot(ctx, key).Val()] = true
	}
	this, that := source.Do(ctx, "cluster", "myid").Val(), target.Do(ctx, "cluster", "myid").Val()
	for slot := range slots {
		command(t, target, "cluster", "setslot", slot, "importing", this)
		command(t, source, "cluster", "setslot", slot, "migrating", that)
		for {
			keys, err := source.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) == 0 {
				break
			}
			if err := source.Migrate(ctx, host, port, keys[0], 0, 5*time.Second).Err(); err != nil {
				t.Fatal(err)
			}
			pause(ctx, 3*time.Millisecond)
		}
		command(t, target, "cluster", "setslot", slot, "node", that)
		command(t, source, "cluster", "setslot", slot, "node", that)
		moved++
	}
	return moved
}
