// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// airfield holds up everything that goes to the server until opened, and
// counts what went.
type airfield struct {
	mu        sync.Mutex
	open      chan struct{}
	alone     int
	pipelines []int   // how many commands each had
	parents   []any   // the value in the context of each
	callers   [][]any // the values in the contexts of its callers
}

type parent struct{}

func (a *airfield) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (a *airfield) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return next(ctx, cmd)
		}
		a.mu.Lock()
		a.alone++
		a.mu.Unlock()
		if err := a.wait(ctx); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func (a *airfield) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !strings.HasPrefix(cmds[0].Name(), "eval") {
			return next(ctx, cmds)
		}
		a.mu.Lock()
		a.pipelines = append(a.pipelines, len(cmds))
		a.parents = append(a.parents, ctx.Value(parent{}))
		var callers []any
		for _, caller := range Callers(ctx) {
			callers = append(callers, caller.Value(parent{}))
		}
		a.callers = append(a.callers, callers)
		a.mu.Unlock()
		if err := a.wait(ctx); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

func (a *airfield) wait(ctx context.Context) error {
	a.mu.Lock()
	open := a.open
	a.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// crowded returns a caller whose every flight is under way and stays so until
// land is called, when the calls that waited go out.
func crowded(t *testing.T) (c *Caller, a *airfield, land func()) {
	return crowdedOn(t, func(c *redis.Client) redis.UniversalClient { return c })
}

func crowdedOn(t *testing.T, face func(*redis.Client) redis.UniversalClient) (c *Caller, a *airfield, land func()) {
	client, _ := redistest.Virtual(t)
	if err := double.Load(t.Context(), client).Err(); err != nil {
		t.Fatal(err)
	}
	a = &airfield{open: make(chan struct{})}
	client.AddHook(a)
	c = New(face(client), nil)
	for range maxFlights {
		go c.Run(t.Context(), double, []string{"{full}before"}, 1)
	}
	synctest.Wait()
	return c, a, func() { close(a.open); synctest.Wait() }
}

func (b *batcher) underWay() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		n += l.flights
	}
	return n
}

func TestCallsInACrowdShareARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, land := crowded(t)
		if a.alone != maxFlights {
			t.Fatalf("%d went at once, want %d", a.alone, maxFlights)
		}
		var wg sync.WaitGroup
		for i := range maxSeats + 10 {
			wg.Go(func() {
				got, err := c.Run(t.Context(), double, []string{fmt.Sprint(i)}, i)
				if want := int64(2 * i); err != nil || got != want {
					t.Errorf("call %d: %v, %v, want %d", i, got, err, want)
				}
			})
		}
		synctest.Wait()
		land()
		wg.Wait()
		slices.Sort(a.pipelines)
		if fmt.Sprint(a.alone, a.pipelines) != fmt.Sprint(maxFlights, []int{10, maxSeats}) {
			t.Errorf("%d alone and pipelines of %v, want %d and [10 %d]", a.alone, a.pipelines, maxFlights, maxSeats)
		}
		synctest.Wait()
		if n := c.batcher.underWay(); n != 0 {
			t.Errorf("in the end %d flights", n)
		}
	})
}

func TestHooksOfASharedRoundTripSeeTheContextsOfAllItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, land := crowded(t)
		for i := range 3 {
			go c.Run(context.WithValue(t.Context(), parent{}, i), double, []string{fmt.Sprint(i)}, i)
			synctest.Wait()
		}
		land()
		if got := fmt.Sprint(a.parents, a.callers); got != "[0] [[0 1 2]]" {
			t.Errorf("the values and the callers in the hooks' contexts are %v, want [0] [[0 1 2]]", got)
		}
	})
}

func TestACallThatIsGivenUpWhileItWaitsIsNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, land := crowded(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Run(ctx, double, []string{"late"}, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %s, want the deadline after 1s", err, time.Since(start))
		}
		land()
		if n := c.Client().Exists(t.Context(), "late").Val(); n != 0 || len(a.pipelines) != 0 {
			t.Errorf("it was sent: %d keys, pipelines %v", n, a.pipelines)
		}
	})
}

func TestAFlightLastsAsLongAsItsMostPatientCaller(t *testing.T) {
	for name, c := range map[string]struct {
		waits []time.Duration // 0 = for ever
		ends  bool
	}{
		"all have a deadline": {[]time.Duration{3 * time.Second, 5 * time.Second}, true},
		"one has none":        {[]time.Duration{3 * time.Second, 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caller, a, _ := crowded(t)
				for _, wait := range c.waits {
					ctx, cancel := context.WithCancel(t.Context())
					if wait > 0 {
						ctx, cancel = context.WithTimeout(t.Context(), wait)
					}
					defer cancel()
					go caller.Run(ctx, double, []string{"a"}, 1)
				}
				synctest.Wait()
				a.mu.Lock()
				close(a.open)
				a.open = make(chan struct{}) // those who waited are held up in the air, too
				a.mu.Unlock()
				synctest.Wait()
				time.Sleep(4 * time.Second)
				if n := caller.batcher.underWay(); n != 1 {
					t.Errorf("after 4s %d flights, want 1", n)
				}
				time.Sleep(2 * time.Second)
				if ended := caller.batcher.underWay() == 0; ended != c.ends {
					t.Errorf("after 6s ended: %t, want %t", ended, c.ends)
				}
				close(a.open)
			})
		})
	}
}

func TestANeighboursErrorIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, land := crowded(t)
		wrong := redis.NewScript(`return redis.error_reply('ERR no such room')`)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if i%2 == 0 {
					if _, err := c.Run(t.Context(), wrong, []string{"a"}); err == nil || !strings.Contains(err.Error(), "no such room") {
						t.Errorf("%v, want the script's own error", err)
					}
				} else if got, err := c.Run(t.Context(), double, []string{fmt.Sprint(i)}, i); err != nil || got != int64(2*i) {
					t.Errorf("%v, %v, want %d", got, err, 2*i)
				}
			})
		}
		synctest.Wait()
		c.Client().ScriptFlush(t.Context()) // so that all are sent again, with the text
		land()
		wg.Wait()
	})
}

func TestAPanicInAPipelineReachesAllItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, land := crowded(t)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				defer func() {
					if got := recover(); got != "a hook's" {
						t.Errorf("recovered %v", got)
					}
				}()
				_, _ = c.Run(t.Context(), double, []string{"a"}, 1)
			})
		}
		synctest.Wait()
		c.Client().AddHook(thrower{a})
		land()
		wg.Wait()
		if _, err := c.Run(t.Context(), double, []string{"a"}, 1); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// thrower panics in every pipeline.
type thrower struct{ *airfield }

func (thrower) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (thrower) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !strings.HasPrefix(cmds[0].Name(), "eval") {
			return next(ctx, cmds)
		}
		panic("a hook's")
	}
}

func TestWhereThereMayBeSeveralServersTheCallsOfASlotShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, land := crowdedOn(t, func(c *redis.Client) redis.UniversalClient { return struct{ redis.UniversalClient }{c} })
		for i := range 3 {
			go c.Run(t.Context(), double, []string{fmt.Sprintf("{full}%d", i)}, 1)
		}
		go c.Run(t.Context(), double, []string{"{other}"}, 1)
		synctest.Wait()
		if a.alone != maxFlights+1 {
			t.Errorf("%d went at once, want %d and that of another slot", a.alone, maxFlights)
		}
		land()
		if fmt.Sprint(a.pipelines) != "[3]" || len(c.batcher.lanes) != 0 {
			t.Errorf("pipelines of %v, and in the end %d lanes, want [3] and none", a.pipelines, len(c.batcher.lanes))
		}
	})
}

func TestTheHashTagOfAKeyIsThatOfRedis(t *testing.T) {
	for key, want := range map[string]string{
		"a": "a", "{a}b": "a", "a{b}c{d}": "b", "a{}b{c}": "a{}b{c}", "a{b": "a{b", "a}b{c}": "c", "": "", "{{a}}": "{a",
	} {
		if got := hashTag(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func TestCallsThatGaveUpDoNotPileUpBehindAHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, land := crowded(t)
		defer land()
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.Run(ctx, double, []string{"{full}late"}, 1)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if n := len(c.batcher.lanes[""].queue); n != 0 {
			t.Errorf("%d calls that gave up are kept", n)
		}
	})
}
