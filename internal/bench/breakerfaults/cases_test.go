// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// peerCase is something that a peer's own tests promise, and what holdfast does
// in the same place. Left out are the cases of what holdfast has no part for:
// bulkheads, time limits, retries, breakers shared through Redis, and a peer's
// inner parts.
type peerCase struct {
	promise string
	differs string // what holdfast does instead, and why; empty where it does the same
	run     func(*trial)
}

func TestWhatPeersPromise(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	count := 0
	for _, peer := range []struct {
		name  string
		cases []peerCase
	}{
		{"gobreaker", gobreakerCases}, {"failsafe-go", failsafeCases}, {"eapache", eapacheCases},
		{"cep21", cep21Cases}, {"cep21 hystrix", hystrixCases},
	} {
		for _, c := range peer.cases {
			count++
			if c.differs != "" {
				fmt.Fprintf(w, "%s\t%s\t%s\n", peer.name, c.promise, c.differs)
			}
			t.Run(peer.name+"/"+c.promise, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.run(&trial{T: t}) })
			})
		}
	}
	_ = w.Flush()
	t.Logf("%d cases; holdfast does otherwise:\n%s", count, table.String())
}

// trial is one case, in virtual time.
type trial struct {
	*testing.T

	mu     sync.Mutex
	events []circuitbreaker.Event
}

const (
	closed   = circuitbreaker.Closed
	halfOpen = circuitbreaker.HalfOpen
	opened   = circuitbreaker.Open
	forced   = circuitbreaker.ForcedOpen
)

// breaker makes a breaker that stays open for ten seconds, and records its
// changes.
func (t *trial) breaker(cfg circuitbreaker.Config) *circuitbreaker.Breaker {
	t.Helper()
	cfg.Name = "peers"
	if cfg.OpenFor.Base == 0 {
		cfg.OpenFor = circuitbreaker.Backoff{Base: openFor, Factor: 1, Jitter: -1}
	}
	record := observer(func(_ context.Context, e circuitbreaker.Event) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.events = append(t.events, e)
	})
	cfg.Observer = circuitbreaker.Observers(record, cfg.Observer)
	b, err := circuitbreaker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inARow opens after n failures in a row, and closes after so many successful
// probes.
func (t *trial) inARow(n, successes int) *circuitbreaker.Breaker {
	t.Helper()
	return t.breaker(circuitbreaker.Config{ConsecutiveFailures: n, Probes: circuitbreaker.Probes{Successes: successes}})
}

// lastCalls opens at a share of failures among the last calls, once there are
// so many.
func (t *trial) lastCalls(calls int, rate float64) *circuitbreaker.Breaker {
	t.Helper()
	return t.breaker(circuitbreaker.Config{
		FailureRate: rate, MinCalls: calls, Window: circuitbreaker.Window{Calls: calls},
		Probes: circuitbreaker.Probes{Successes: 1},
	})
}

// changes lists the states that were reported.
func (t *trial) changes(want ...circuitbreaker.State) {
	t.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	var got []circuitbreaker.State
	for _, e := range t.events {
		got = append(got, e.To)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("reported %v, want %v", got, want)
	}
}

// play makes calls one after the other and checks the state after the last
// one: s succeeds, f fails, i is the caller's own fault, p panics, and r must be
// rejected; all others must be let through.
func (t *trial) play(b *circuitbreaker.Breaker, script string, want circuitbreaker.State) {
	t.Helper()
	for i, call := range strings.ReplaceAll(script, " ", "") {
		ran := false
		contained(func() {
			_ = b.Do(t.Context(), func(context.Context) error {
				ran = true
				switch call {
				case 'f':
					return errDown
				case 'i':
					return circuitbreaker.Ignore(errOther)
				case 'p':
					panic("call")
				}
				return nil
			})
		})
		if ran == (call == 'r') {
			t.Fatalf("call %d of %q: let through is %v, in state %v", i+1, script, ran, b.State())
		}
	}
	t.is(b, want)
}

func (t *trial) is(b *circuitbreaker.Breaker, want circuitbreaker.State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Errorf("the state is %v, want %v", got, want)
	}
}

// begin starts a call that is in flight until end.
func (t *trial) begin(b *circuitbreaker.Breaker) (end func(error)) {
	t.Helper()
	permit, err := b.Allow()
	if err != nil {
		t.Fatal(err)
	}
	return func(err error) { permit.Done(t.Context(), err) }
}

// pass lets time go by, and timers do what they do.
func (t *trial) pass(d time.Duration) {
	time.Sleep(d) // in the bubble of the case
	synctest.Wait()
}

// window checks what the rules see.
func (t *trial) window(b *circuitbreaker.Breaker, success, failure uint64) {
	t.Helper()
	if got := b.Stats().Window; got.Success != success || got.Failure != failure {
		t.Errorf("the window has %d successes and %d failures, want %d and %d", got.Success, got.Failure, success, failure)
	}
}

// total checks what was counted since the breaker was made.
func (t *trial) total(b *circuitbreaker.Breaker, success, failure, ignored uint64) {
	t.Helper()
	if got := b.Stats().Total; got.Success != success || got.Failure != failure || got.Ignored != ignored {
		t.Errorf("counted %+v, want %d, %d and %d", got, success, failure, ignored)
	}
}

// error checks an error; nil stands for none.
func (t *trial) error(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

// observer is an observer that is a function.
type observer func(context.Context, circuitbreaker.Event)

func (f observer) ObserveBreaker(ctx context.Context, e circuitbreaker.Event) {
	if e.Op == circuitbreaker.OpChanged {
		f(ctx, e)
	}
}
