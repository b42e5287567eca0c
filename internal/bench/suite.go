// SPDX-License-Identifier: MIT

package bench

import (
	"fmt"
	"time"
)

// Suite is what is compared for one package.
type Suite struct {
	Name    string   // such as "circuitbreaker": the section in docs/benchmarks.md
	Peers   []string // module paths whose versions the section names
	Cases   []Case
	Bars    []Bar
	Figures []Figure // taken after the rounds

	// Sample is the least length of a case's part of a round, for cases that
	// wait for a server and so come in bursts.
	Sample time.Duration
}

// Case is one thing to measure.
type Case struct {
	Name string

	// Make returns what to measure, made anew for each round: a function that
	// does the operation n times. The loop is the case's own, so that the
	// compiler sees it as a user's.
	Make func() (op func(n int))

	Goroutines int  // that each call op once, at the same time; default 1
	NoAllocs   bool // allocations are a missed bar
}

// Bar is a bound on how many times longer the case Slow takes than the case
// Fast. One of AtLeast and AtMost is set.
type Bar struct {
	Slow, Fast      string
	AtLeast, AtMost float64
}

func (b Bar) String() string {
	if b.AtMost > 0 {
		return fmt.Sprintf("≤ %g", b.AtMost)
	}
	return fmt.Sprintf("≥ %g", b.AtLeast)
}

// met reports whether the end of the interval that is worse for the bar meets
// it.
func (b Bar) met(r Ratio) bool {
	if b.AtMost > 0 {
		return r.High <= b.AtMost
	}
	return r.Low >= b.AtLeast
}
