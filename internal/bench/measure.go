// SPDX-License-Identifier: MIT

package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Options say how thoroughly to measure.
type Options struct {
	Rounds int           // at least 10, which is also the default
	Sample time.Duration // length of a case's part of a round; default 20 ms
}

// Result is what was measured.
type Result struct {
	Suite  Suite
	Rounds int
	ns     map[string][]float64 // per operation, by case and round
	allocs map[string]float64   // per operation: the round with the fewest
	taken  map[string]taken     // by figure
}

// sample is one case's part of one round.
type sample struct {
	ns, allocs float64 // per operation
}

// Measure runs the rounds and then takes the figures.
func Measure(s Suite, o Options) (*Result, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	o.Rounds = max(o.Rounds, 10)
	if o.Sample <= 0 {
		o.Sample = 20 * time.Millisecond
	}
	o.Sample = max(o.Sample, s.Sample)
	r := &Result{Suite: s, Rounds: o.Rounds, ns: make(map[string][]float64), allocs: make(map[string]float64), taken: make(map[string]taken)}
	counts := make(map[string]int)
	for _, c := range s.Cases {
		counts[c.Name] = c.calibrate(o.Sample)
	}
	order := slices.Clone(s.Cases)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range o.Rounds {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, c := range order {
			got := c.run(counts[c.Name])
			r.ns[c.Name] = append(r.ns[c.Name], got.ns)
			if fewest := r.allocs[c.Name]; round == 0 || got.allocs < fewest {
				r.allocs[c.Name] = got.allocs
			}
		}
	}
	for _, f := range s.Figures {
		var err error
		if r.taken[f.Name], err = f.take(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// check finds what would otherwise be a bar that is silently not measured.
func (s Suite) check() error {
	known := make(map[string]bool)
	for _, c := range s.Cases {
		if known[c.Name] {
			return fmt.Errorf("bench: suite %s has two cases %q", s.Name, c.Name)
		}
		known[c.Name] = true
	}
	for _, b := range s.Bars {
		if !known[b.Slow] || !known[b.Fast] || (b.AtLeast > 0) == (b.AtMost > 0) {
			return fmt.Errorf("bench: suite %s has a bar without its cases or its one bound: %+v", s.Name, b)
		}
	}
	for _, f := range s.Figures {
		if known[f.Name] || f.Measure == nil || f.AtLeast > 0 && f.AtMost > 0 {
			return fmt.Errorf("bench: suite %s has two of the name %q, or a figure without a measure or with two bounds", s.Name, f.Name)
		}
		known[f.Name] = true
	}
	return nil
}

// calibrate finds how many operations fill a sample. It believes the fastest of
// three runs: a goroutine that had to wait looks like a slow operation.
func (c Case) calibrate(sample time.Duration) int {
	for n := 1; ; n *= 2 {
		ns := min(c.run(n).ns, c.run(n).ns, c.run(n).ns)
		if took := ns * float64(n*c.goroutines()); took >= float64(sample)/2 {
			return max(int(float64(n)*float64(sample)/took), 1)
		}
	}
}

func (c Case) goroutines() int { return max(c.Goroutines, 1) }

// run measures n operations on each goroutine of a case made for it. With
// several goroutines, the time per operation is that of all of them together.
func (c Case) run(n int) sample {
	op := c.Make()
	op(min(n, 100)) // first-call costs are not what is compared
	runtime.GC()
	goroutines := c.goroutines()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if goroutines == 1 {
		op(n)
	} else {
		together(goroutines, func() { op(n) })
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	ops := float64(n * goroutines)
	return sample{ns: float64(took.Nanoseconds()) / ops, allocs: float64(after.Mallocs-before.Mallocs) / ops}
}

func together(goroutines int, f func()) {
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(f)
	}
	wg.Wait()
}
