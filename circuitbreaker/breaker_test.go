// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// long multiplies the counts of tests that search at random. HOLDFAST_LONG=1
// runs them in full.
func long(n, factor int) int {
	if os.Getenv("HOLDFAST_LONG") == "1" {
		return n * factor
	}
	return n
}

var errDown = errors.New("down")

// steady is a configuration without jitter: 3 failures in a row open it for
// 10 s, one success closes it.
func steady() Config {
	return Config{
		Name:                "pms",
		ConsecutiveFailures: 3,
		OpenFor:             Backoff{Base: 10 * time.Second, Jitter: -1},
		Probes:              Probes{Concurrent: 1, Successes: 1, Timeout: 30 * time.Second},
	}
}

func mustNew(t testing.TB, cfg Config) *Breaker {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func call(b *Breaker, result error) error {
	return b.Do(context.Background(), func(context.Context) error { return result })
}

// panicOf returns what f panics with.
func panicOf(f func()) (got any) {
	defer func() { got = recover() }()
	f()
	return nil
}

func times(n int, f func()) {
	for range n {
		f()
	}
}

func wantState(t testing.TB, b *Breaker, want State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("state is %v, want %v", got, want)
	}
}

// bring puts a fresh steady breaker into a state.
func bring(b *Breaker, s State) {
	switch s {
	case HalfOpen:
		b.Trip(errDown)
		time.Sleep(10 * time.Second)
		synctest.Wait()
	case Open:
		b.Trip(errDown)
	case ForcedOpen:
		b.ForceOpen(errDown)
	case Disabled:
		b.Disable()
	}
}

// events keeps the events that it gets.
type events struct {
	mu   sync.Mutex
	list []Event
}

func (r *events) ObserveBreaker(_ context.Context, e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

func (r *events) all() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// last returns the latest event.
func (r *events) last() Event {
	all := r.all()
	return all[len(all)-1]
}

func (r *events) transitions() (list []string) {
	for _, e := range r.all() {
		if e.Op == OpChanged {
			list = append(list, e.From.String()+">"+e.To.String()+" "+e.Reason.String())
		}
	}
	return list
}
