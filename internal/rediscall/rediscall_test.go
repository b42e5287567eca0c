// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var double = redis.NewScript(`return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)`)

func TestAScriptRunsWhetherTheServerKnowsItOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		c := New(client, nil)
		if c.Client() != redis.UniversalClient(client) {
			t.Error("Client is another one")
		}
		for i := range int64(4) {
			if i == 2 {
				client.ScriptFlush(t.Context())
			}
			if got, err := c.Run(t.Context(), double, []string{"a"}, 5); err != nil || got != 10*(i+1) {
				t.Errorf("run %d: %v, %v, want %d", i, got, err, 10*(i+1))
			}
		}
	})
}

func TestABatchRunsEachCallOnceAndInOrder(t *testing.T) {
	for name, client := range map[string]func(t *testing.T) *redis.Client{
		"virtual": func(t *testing.T) *redis.Client { c, _ := redistest.Virtual(t); return c },
		"real":    func(t *testing.T) *redis.Client { return redistest.Real(t).Client(t) },
	} {
		t.Run(name, func(t *testing.T) {
			client := client(t)
			c := New(client, nil)
			for round := range int64(3) {
				if round == 1 {
					client.ScriptFlush(t.Context())
				}
				for _, size := range []int{0, 1, 5} {
					var calls []Call
					for i := range size {
						calls = append(calls, Call{Keys: []string{fmt.Sprint(size, "/", i)}, Args: []any{i + 1}})
					}
					got, err := c.RunAll(t.Context(), double, calls)
					if err != nil || len(got) != size {
						t.Fatalf("%d answers to %d calls, %v", len(got), size, err)
					}
					for i, v := range got {
						if want := 2 * int64(i+1) * (round + 1); v != want {
							t.Errorf("round %d: answer %d is %v, want %d", round, i, v, want)
						}
					}
				}
			}
		})
	}
}

func TestOneFailedCallFailsTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		client.Set(t.Context(), "text", "x", 0)
		for _, calls := range [][]Call{
			{{Keys: []string{"text"}, Args: []any{1}}},
			{{Keys: []string{"a"}, Args: []any{1}}, {Keys: []string{"text"}, Args: []any{1}}},
		} {
			if got, err := New(client, nil).RunAll(t.Context(), double, calls); err == nil || got != nil && got[0] != nil {
				t.Errorf("%v, %v, want an error", got, err)
			}
		}
	})
}

func TestACallEndsWithItsContextEvenIfTheClientDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"}) // never dialled
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := Bounded(ctx, New(client, nil), func(context.Context) (int, error) {
			time.Sleep(time.Hour)
			return 1, nil
		})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("%v after %s, want the deadline after 1s", err, took)
		}
		_, err = Bounded(ctx, New(client, nil), func(context.Context) (int, error) { t.Error("called"); return 1, nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		time.Sleep(time.Hour) // until what was left behind has ended
	})
}

func TestOnlyDisobedientClientsNeedAGoroutine(t *testing.T) {
	obeys := func(client redis.UniversalClient, want bool) {
		t.Helper()
		defer client.Close()
		if got := New(client, nil).obedient; got != want {
			t.Errorf("%T: obedient %t, want %t", client, got, want)
		}
	}
	addrs := []string{"127.0.0.1:0"}
	for _, enabled := range []bool{false, true} {
		obeys(redis.NewClient(&redis.Options{Addr: addrs[0], ContextTimeoutEnabled: enabled}), enabled)
		obeys(redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: enabled}), enabled)
		obeys(redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: addrs, ContextTimeoutEnabled: enabled}), enabled)
		obeys(redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": addrs[0]}, ContextTimeoutEnabled: enabled, HeartbeatFrequency: time.Hour}), enabled)
		obeys(struct{ redis.UniversalClient }{redis.NewClient(&redis.Options{Addr: addrs[0], ContextTimeoutEnabled: enabled})}, false)
	}
}

func TestWithoutAClientEveryCallSaysSo(t *testing.T) {
	missing := errors.New("New needs a client")
	var none *redis.Client
	for _, client := range []redis.UniversalClient{nil, none} {
		c := New(client, missing)
		_, run := c.Run(t.Context(), double, []string{"a"}, 5)
		_, all := c.RunAll(t.Context(), double, make([]Call, 2))
		_, bounded := Bounded(t.Context(), c, func(context.Context) (int, error) { t.Error("called"); return 1, nil })
		for _, err := range []error{run, all, bounded} {
			if err != missing {
				t.Errorf("%T: %v, want %v", client, err, missing)
			}
		}
	}
}

func TestABatchWithoutAServerIsAnError(t *testing.T) {
	client := redis.NewClient(&redis.Options{
		Addr: testproc.Addr(testproc.FreePort(t)), ContextTimeoutEnabled: true,
		MaxRetries: -1, PoolSize: 1, // so that it does not dial for seconds
	})
	defer client.Close()
	calls := []Call{{Keys: []string{"a"}, Args: []any{1}}, {Keys: []string{"b"}, Args: []any{1}}}
	if got, err := New(client, nil).RunAll(t.Context(), double, calls); err == nil {
		t.Errorf("%v without a server", got)
	}
}

func TestErrorsOfTheServerAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		_, err := New(client, nil).Run(t.Context(), redis.NewScript(`return redis.error_reply('ERR no such room')`), []string{"a"})
		if err == nil || !strings.Contains(err.Error(), "no such room") {
			t.Errorf("%v, want the script's own error", err)
		}
	})
}

func TestAPanicReachesTheCaller(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context()) // such a client needs a goroutine to obey it
	defer cancel()
	defer func() {
		if got := recover(); got != "a hook's" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, _ = Bounded(ctx, New(client, nil), func(context.Context) (int, error) { panic("a hook's") })
}
