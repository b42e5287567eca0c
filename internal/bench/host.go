// SPDX-License-Identifier: MIT

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// Run makes a suite, measures it, and takes down what the suite started with
// its [testing.TB]: helpers that give tests a server give suites one, too.
// What would fail or skip a test is an error.
func Run(suite func(testing.TB) Suite, o Options) (*Result, error) {
	h := &host{}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	var r *Result
	err := errors.New("bench: the suite ended its goroutine")
	var done sync.WaitGroup
	done.Go(func() { // of its own, since failing ends the goroutine
		defer h.cleanUp()
		r, err = Measure(suite(h), o)
	})
	done.Wait()
	if failed := h.err(); failed != nil {
		return nil, failed
	}
	return r, err
}

// Check measures a suite for a few milliseconds a case, and fails the test for each
// bar that is missed. Speed is .ci/bars' to judge, on a quiet machine: leave such bars
// out. That nothing is allocated holds on any.
func Check(t testing.TB, s Suite) *Result {
	t.Helper()
	r, err := Measure(s, Options{Sample: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Missed() {
		t.Error(m)
	}
	return r
}

// host is a [testing.TB] outside of a test. It has what helpers that start
// something need; the rest of the embedded interface is nil.
type host struct {
	testing.TB
	ctx    context.Context
	cancel func()

	mu       sync.Mutex
	failures []error
	cleanups []func()
}

func (h *host) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.failures...)
}

func (h *host) cleanUp() {
	h.cancel()
	for _, f := range slices.Backward(h.cleanups) {
		f()
	}
}

func (h *host) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

func (h *host) Errorf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, fmt.Errorf("bench: "+format, args...))
}

func (h *host) FailNow() { runtime.Goexit() }

func (h *host) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	h.FailNow()
}

func (h *host) Error(args ...any)                { h.Errorf("%s", fmt.Sprint(args...)) }
func (h *host) Fatal(args ...any)                { h.Fatalf("%s", fmt.Sprint(args...)) }
func (h *host) Skip(args ...any)                 { h.Fatal(args...) }
func (h *host) Skipf(format string, args ...any) { h.Fatalf(format, args...) }
func (h *host) Logf(format string, args ...any)  { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (h *host) Log(args ...any)                  { fmt.Fprintln(os.Stderr, args...) }
func (h *host) Failed() bool                     { return h.err() != nil }
func (h *host) Context() context.Context         { return h.ctx }
func (h *host) Name() string                     { return "bench" }
func (*host) Helper()                            {}

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
