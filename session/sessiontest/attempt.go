// SPDX-License-Identifier: MIT

package sessiontest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// mostAttempts bounds how often a case is played in real time, each time with
// twice the unit of the time before.
const mostAttempts = 4

// attempt is one play of a case in real time. What it finds is kept back,
// because it means nothing when the machine was too slow to be at the right
// place at the right time.
type attempt struct {
	testing.TB
	mu       sync.Mutex
	found    []string
	cleanups []func() // run before the next attempt: its claims are of the same names
}

func (a *attempt) note(finding string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found = append(a.found, finding)
}

func (a *attempt) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *attempt) Helper()                           {}
func (a *attempt) Error(args ...any)                 { a.note(fmt.Sprint(args...)) }
func (a *attempt) Errorf(format string, args ...any) { a.note(fmt.Sprintf(format, args...)) }
func (a *attempt) Fatal(args ...any)                 { a.Error(args...); runtime.Goexit() }
func (a *attempt) Fatalf(format string, args ...any) { a.Errorf(format, args...); runtime.Goexit() }

func (a *attempt) Failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.found) > 0
}

// playReal plays a case in real time. A failure counts when time kept its
// pace, and at last in any case.
func (s *suite) playReal(t testing.TB, c conformanceCase, store session.Store) {
	slower := *s
	for n := 1; ; n++ {
		a := &attempt{TB: t}
		b := newBench(a, &slower, store)
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.run(b)
		}()
		<-done
		for _, f := range slices.Backward(a.cleanups) {
			f()
		}
		if a.Failed() && b.slipped() && n < mostAttempts {
			t.Logf("the machine was %v late, so these mean nothing: %q", b.late.Round(time.Millisecond), a.found)
			slower.stretch *= 2
			continue
		}
		for _, finding := range a.found {
			t.Error(finding)
		}
		return
	}
}
