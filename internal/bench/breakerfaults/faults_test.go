// SPDX-License-Identifier: MIT

package breakerfaults

import (
	"context"
	"errors"
	"runtime"
	"testing/synctest"
	"time"
	"weak"
)

// A fault happens to a breaker that new makes. It returns what goes wrong, or
// "" when the breaker stands it. It runs in a bubble.
type fault struct {
	name   string
	happen func(new func(hooks) guard) string
}

var faults = []fault{
	{"hung probe", hungProbe},
	{"panicking probe", func(new func(hooks) guard) string {
		return endedProbe(new, func() { panic("probe") })
	}},
	{"Goexit in a probe", func(new func(hooks) guard) string {
		return endedProbe(new, runtime.Goexit)
	}},
	{"cancelled probe", cancelledProbe},
	{"stale results", staleResult},
	{"re-entrant observer", reentrantObserver},
	{"blocking observer", blockingObserver},
	{"panicking observer", panickingObserver},
	{"panicking classifier", panickingClassifier},
	{"panicking rule", panickingRule},
	{"Reset at the timer's instant", resetAtTheInstant},
	{"dropped while closed", func(new func(hooks) guard) string { return dropped(new, false) }},
	{"dropped after it was open", func(new func(hooks) guard) string { return dropped(new, true) }},
}

var (
	errDown  = errors.New("down")
	errOther = errors.New("other")
)

func result(g guard, err error) error {
	return g.call(context.Background(), func(context.Context) error { return err })
}

// contained makes a call that may panic or end its goroutine, waits until it
// has ended, and reports whether it panicked.
func contained(f func()) (panicked bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() != nil }()
		f()
	}()
	<-done
	return panicked
}

func open(g guard) {
	for range 3 {
		result(g, errDown)
	}
}

// halfOpen brings the breaker to where the next call is a probe.
func toHalfOpen(g guard) {
	open(g)
	time.Sleep(openFor + time.Second)
	synctest.Wait()
}

// recovers gives a breaker whose dependency is well ten minutes to close.
func recovers(g guard) string {
	for range 10 {
		time.Sleep(time.Minute)
		result(g, nil)
		if g.isClosed() {
			return ""
		}
	}
	return "rejects for ever"
}

func hungProbe(new func(hooks) guard) string {
	g, release := new(hooks{}), make(chan struct{})
	defer close(release)
	toHalfOpen(g)
	go g.call(context.Background(), func(context.Context) error { <-release; return nil })
	synctest.Wait()
	return recovers(g)
}

func endedProbe(new func(hooks) guard, end func()) string {
	g := new(hooks{})
	toHalfOpen(g)
	contained(func() { g.call(context.Background(), func(context.Context) error { end(); return nil }) })
	return recovers(g)
}

// A probe whose caller gave up says nothing: it neither closes nor opens the
// breaker, and another may take its place.
func cancelledProbe(new func(hooks) guard) string {
	g := new(hooks{})
	toHalfOpen(g)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g.call(ctx, func(ctx context.Context) error { return ctx.Err() })
	if g.isClosed() {
		return "closes on it"
	}
	if result(g, nil) != nil {
		return "lets no other probe through"
	}
	return ""
}

// A call that began before the breaker opened ends while a probe is running.
func staleResult(new func(hooks) guard) string {
	g, late, probe := new(hooks{}), make(chan struct{}), make(chan struct{})
	go g.call(context.Background(), func(context.Context) error { <-late; return nil })
	synctest.Wait()
	toHalfOpen(g)
	go g.call(context.Background(), func(context.Context) error { <-probe; return errDown })
	synctest.Wait()
	close(late)
	synctest.Wait()
	closed := g.isClosed()
	close(probe)
	synctest.Wait()
	if closed {
		return "closes on one"
	}
	return ""
}

func reentrantObserver(new func(hooks) guard) string {
	var g guard
	g = new(hooks{changed: func() { g.isClosed(); result(g, nil) }})
	open(g)
	if g.isClosed() {
		return "does not open"
	}
	return ""
}

func blockingObserver(new func(hooks) guard) string {
	release := make(chan struct{})
	g := new(hooks{changed: func() { <-release }})
	go open(g)
	synctest.Wait()
	rejected := result(g, nil)
	close(release)
	synctest.Wait()
	if rejected == nil {
		return "is not open meanwhile"
	}
	return ""
}

func panickingObserver(new func(hooks) guard) string {
	reported := 0
	g := new(hooks{changed: func() { reported++; panic("observer") }})
	if contained(func() { open(g) }) {
		return "panics at the caller"
	}
	time.Sleep(openFor + time.Second)
	synctest.Wait()
	result(g, nil)
	if !g.isClosed() || reported != 3 {
		return "does not go on"
	}
	return ""
}

// The panic belongs to the author of the classifier; the breaker must work on.
func panickingClassifier(new func(hooks) guard) string {
	g := new(hooks{isFailure: func(err error) bool {
		if err == errOther {
			panic("classifier")
		}
		return true
	}})
	toHalfOpen(g)
	contained(func() { result(g, errOther) })
	return recovers(g)
}

func panickingRule(new func(hooks) guard) string {
	asked := 0
	g := new(hooks{trips: func(failures int) bool {
		if asked++; asked == 1 {
			panic("rule")
		}
		return failures >= 3
	}})
	contained(func() { result(g, errDown) })
	result(g, errDown)
	if !g.isClosed() {
		return "counts a failure twice"
	}
	result(g, errDown)
	if g.isClosed() {
		return "does not trip any more"
	}
	return ""
}

// Reset comes at the very instant at which the open time ends: once before and
// once after the timer, as the order of starting decides.
func resetAtTheInstant(new func(hooks) guard) string {
	first, second := new(hooks{}), new(hooks{})
	open(first)
	go func() { time.Sleep(openFor); first.reset(); second.reset() }()
	synctest.Wait()
	open(second)
	time.Sleep(time.Hour)
	for _, g := range []guard{first, second} {
		if !g.isClosed() || result(g, nil) != nil {
			return "is not closed afterwards"
		}
	}
	return ""
}

// dropped looks at an object that only the breaker's observer refers to: it is
// collected when the breaker is.
func dropped(new func(hooks) guard, opened bool) string {
	before := runtime.NumGoroutine()
	watched := func() weak.Pointer[[64]byte] {
		mark := &[64]byte{1}
		g := new(hooks{changed: func() { mark[0]++ }})
		result(g, nil)
		if opened {
			toHalfOpen(g)
		}
		return weak.Make(mark)
	}()
	for range 10 {
		runtime.GC()
		synctest.Wait()
		if watched.Value() == nil {
			if runtime.NumGoroutine() > before {
				return "leaves a goroutine"
			}
			return ""
		}
	}
	return "is never collected"
}
