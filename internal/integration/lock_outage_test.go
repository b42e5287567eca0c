// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// outages are what a server can do to those who wait; each returns how it ends.
var outages = map[string]func(testing.TB, *redistest.Server) (over func()){
	"it hangs": func(_ testing.TB, s *redistest.Server) func() {
		s.Suspend()
		return s.Resume
	},
	"it is down and keeps everything": func(t testing.TB, s *redistest.Server) func() {
		s.Kill()
		return func() { s.Start(t) }
	},
	"READONLY": func(t testing.TB, s *redistest.Server) func() {
		admin := s.Client(t)
		command(t, admin, "REPLICAOF", "127.0.0.1", "1") // where no one listens
		return func() { command(t, admin, "REPLICAOF", "NO", "ONE") }
	},
	"BUSY": func(t testing.TB, s *redistest.Server) func() {
		admin := s.Client(t)
		command(t, admin, "CONFIG", "SET", "busy-reply-threshold", "10")
		busy := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, ReadTimeout: -1})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			busy.Eval(context.Background(), "while true do end", nil)
			_ = busy.Close()
		}()
		return func() {
			eventually(t, "end of the script", func() bool { return admin.ScriptKill(context.Background()).Err() == nil })
			<-ended
		}
	},
	"LOADING": func(t testing.TB, s *redistest.Server) func() {
		s.Kill()
		s.Start(t) // with --key-load-delay
		return func() {}
	},
}

func command(t testing.TB, client *redis.Client, args ...any) {
	t.Helper()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		t.Error(args, err)
	}
}

// A waiter goes on to wait when the server is back, and is served.
func TestWaitingOutlivesAnOutage(t *testing.T) {
	for name, begin := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Real(t, "--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no", "--loading-process-events-interval-bytes", "1024")
			admin := server.Client(t)
			if name == "LOADING" {
				pipe := admin.Pipeline()
				for i := range 4000 {
					pipe.Set(t.Context(), fmt.Sprint("other", i), "x", 0)
				}
				if _, err := pipe.Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				command(t, admin, "CONFIG", "SET", "key-load-delay", "250")
			}
			holder, other := newManager(t, server.Client(t), lock.Config{}), newManager(t, server.Client(t), lock.Config{})
			first := take(t, holder)
			done := queueUp(t, admin, other)
			over := begin(t, server)
			pause(t.Context(), 1500*time.Millisecond)
			over()
			select {
			case w := <-done:
				t.Fatalf("the wait ended with the outage: %v, %v", w.Lease, w.err)
			default:
			}
			eventually(t, "release", func() bool { return first.Release(context.Background()) == nil })
			free(t, granted(t, done, time.Now(), afterALapse))
		})
	}
}

// The former master lives on, and so does the subscription to it.
func TestWaitingOutlivesAFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Real(t)
	replica := redistest.Replica(t, master.Addr)
	sentinel := redistest.Sentinel(t, master, 1, time.Minute)
	holder := newManager(t, redistest.FailoverClient(t, sentinel), lock.Config{})
	waiter := newManager(t, redistest.FailoverClient(t, sentinel), lock.Config{})
	first := take(t, holder)
	done := queueUp(t, master.Client(t), waiter)
	eventually(t, "failover", func() bool { // the sentinel gets to know the replica in its own time
		return sentinel.Client(t).Do(t.Context(), "SENTINEL", "FAILOVER", redistest.SentinelMaster).Err() == nil
	})
	for server, role := range map[*redistest.Server]string{replica: "master", master: "slave"} {
		eventually(t, role, func() bool {
			return strings.Contains(server.Client(t).Info(t.Context(), "replication").Val(), "role:"+role)
		})
	}
	eventually(t, "release", func() bool { return first.Release(context.Background()) == nil })
	second := granted(t, done, time.Now(), afterALapse)
	// And so for those who come later.
	next := queueUp(t, replica.Client(t), holder)
	start := time.Now()
	free(t, second)
	free(t, granted(t, next, start, afterALoss))
}

func TestWaitingThroughAnOutageEndsUnavailable(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	holder, other := newManager(t, server.Client(t), lock.Config{}), newManager(t, server.Client(t), lock.Config{})
	take(t, holder, lock.TTL(4*time.Second)).Detach() // then the waiter asks
	const d = 7 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		_, err := other.Acquire(ctx, lock.Key(theRoom))
		done <- err
	}()
	eventually(t, "a place in the queue", func() bool { return places(t, server.Client(t)) == 1 })
	server.Kill()
	err := <-done
	for _, want := range []error{lock.ErrUnavailable, lock.ErrConflict, context.DeadlineExceeded} {
		if !errors.Is(err, want) {
			t.Errorf("%v does not wrap %v", err, want)
		}
	}
	if took := time.Since(start); took < d || took > d+secondsOfGrace {
		t.Errorf("after %s, want %s", took, d)
	}
}

func TestWhatWaitingCannotMendEndsItAtOnce(t *testing.T) {
	for name, connect := range map[string]func(testing.TB, *redistest.Server) *redis.Client{
		"no password": func(t testing.TB, s *redistest.Server) *redis.Client {
			command(t, s.Client(t), "CONFIG", "SET", "requirepass", "x")
			return s.Client(t)
		},
		"a wrong password": func(t testing.TB, s *redistest.Server) *redis.Client {
			return redis.NewClient(&redis.Options{Addr: s.Addr, Username: "clerk", Password: "x"})
		},
		"no right to the keys": func(t testing.TB, s *redistest.Server) *redis.Client {
			command(t, s.Client(t), "ACL", "SETUSER", "clerk", "on", ">x", "~other*", "&*", "+@all")
			return redis.NewClient(&redis.Options{Addr: s.Addr, Username: "clerk", Password: "x"})
		},
		"no right to run scripts": func(t testing.TB, s *redistest.Server) *redis.Client {
			command(t, s.Client(t), "ACL", "SETUSER", "clerk", "on", ">x", "~*", "&*", "+@all", "-evalsha", "-eval")
			return redis.NewClient(&redis.Options{Addr: s.Addr, Username: "clerk", Password: "x"})
		},
		"a closed client": func(t testing.TB, s *redistest.Server) *redis.Client {
			client := redis.NewClient(&redis.Options{Addr: s.Addr})
			_ = client.Close()
			return client
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Real(t)
			client := connect(t, server)
			t.Cleanup(func() { _ = client.Close() })
			m := newManager(t, client, lock.Config{})
			start := time.Now()
			_, err := m.Acquire(t.Context(), lock.Key(theRoom), lock.Wait(atMost))
			if took := time.Since(start); !errors.Is(err, lock.ErrPermanent) || !errors.Is(err, lock.ErrUnavailable) || took > secondsOfGrace {
				t.Errorf("%v after %s, want ErrPermanent at once", err, took)
			}
		})
	}
}

func TestClosingTheClientEndsThoseWhoWait(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	take(t, newManager(t, server.Client(t), lock.Config{})).Detach()
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	done := queueUp(t, server.Client(t), newManager(t, client, lock.Config{}))
	_ = client.Close()
	start := time.Now()
	if w := <-done; !errors.Is(w.err, lock.ErrPermanent) || w.at.Sub(start) > secondsOfGrace {
		t.Errorf("%v after %s, want ErrPermanent at once", w.err, w.at.Sub(start))
	}
}

// Each group is on one node, by its name.
func TestOneHungNodeOfAClusterCostsNoLeaseOnTheOthers(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 3, "--cluster-node-timeout", "60000") // so that none is declared dead
	client := redistest.ClusterClient(t, nodes)
	var seen renewals
	m := newManager(t, client, lock.Config{TTL: 5 * time.Second, Observer: &seen, GroupBy: func(name string) string { return name }})
	other := newManager(t, redistest.ClusterClient(t, nodes), lock.Config{GroupBy: func(name string) string { return name }})
	var leases []*lock.Lease
	for i := range 12 {
		l, err := m.TryAcquire(t.Context(), lock.Key(strconv.Itoa(i)), lock.AutoRenew())
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
	}
	if _, err := other.TryAcquire(t.Context(), lock.Key("0")); !errors.Is(err, lock.ErrConflict) {
		t.Fatal(err) // its client has to know the nodes
	}
	hung := nodes[0].Addr
	nodes[0].Suspend()
	defer nodes[0].Resume()
	pause(t.Context(), 8*time.Second)
	lost := 0
	for i, l := range leases {
		slot, err := nodes[1].Client(t).ClusterKeySlot(t.Context(), ledger(i)).Result()
		if err != nil {
			t.Fatal(err)
		}
		there := slot < 16384/3
		if l.Err() != nil != there {
			t.Errorf("%s, hung: %t: %v", l, there, l.Err())
		}
		if there {
			lost++
		}
	}
	if lost == 0 || lost == len(leases) {
		t.Fatalf("%d of %d leases are on %s", lost, len(leases), hung)
	}
	// The others are handed over as ever.
	for _, l := range leases {
		if l.Err() != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), atMost)
		done := make(chan won, 1)
		go func() {
			l, err := other.Acquire(ctx, l.Resource())
			done <- won{l, err, time.Now()}
		}()
		pause(ctx, time.Second)
		start := time.Now()
		free(t, l)
		free(t, granted(t, done, start, afterALoss))
		cancel()
		return
	}
}

// ledger is the name of one key of a group.
func ledger(group int) string { return fmt.Sprintf("holdfast:rooms:lock:{%d}:l", group) }
