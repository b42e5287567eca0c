// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Config says when a breaker opens, for how long, and how it closes again.
// Only Name is required; a zero field has the documented default.
//
// The rules (ConsecutiveFailures, FailureRate, SlowRate, TripWhen) work
// together: they are asked in this order and the first one that is met opens
// the breaker and is named in [Event.Reason]. With none of them set, a breaker
// has ConsecutiveFailures 5 and FailureRate 0.5. Rules are asked only after a
// failure or a slow call: a success never opens a breaker, even when it is the
// call that reaches MinCalls.
type Config struct {
	Name string // in errors, events and metrics

	ConsecutiveFailures int               // open after so many failures in a row, whatever time lies between them; negative: off
	FailureRate         float64           // in (0,1]: open at this share of failures in the window; negative: off
	SlowRate            float64           // in (0,1]: open at this share of slow calls in the window; negative: off. A slow probe then counts as failed
	SlowCall            time.Duration     // a call that takes at least this long is slow; not positive: none is
	TripWhen            func(Counts) bool // own rule: given the window's counts, true opens. Called on the goroutine of the call, without a lock

	Window   Window // what the rates and TripWhen look at
	MinCalls int    // rates say nothing below this; default 20, or Window.Calls if that is less; negative: 1

	OpenFor Backoff
	Probes  Probes

	// Classify says what a call's error (or its absence) tells about the
	// dependency; nil is [DefaultClassify]. Errors marked by [Ignore] never
	// reach it. An unknown Outcome is a Failure.
	Classify func(context.Context, error) Outcome

	Shadow   bool     // decide and report as always, but reject nothing
	Observer Observer // see [Observers] for several
}

// Window is the stretch of the past that rates look at: of time, or of calls.
// The zero Window is 10 s in 10 buckets.
type Window struct {
	// Duration is the length of a window of time, default 10 s. It is counted
	// in Buckets, default 10, each at least 1 ms long, and slides by one bucket:
	// the oldest part of it is up to one bucket short.
	Duration time.Duration
	Buckets  int

	// Calls, when set, makes it a window of the last so many calls instead.
	// It takes 8 bytes a call, and a failure looks at all of them.
	Calls int
}

// Probes says how a half-open breaker finds out whether the dependency is well.
type Probes struct {
	Concurrent int // calls let through at a time, at most 1024; default 1
	Successes  int // so many successful probes close the breaker; default 2. One failed probe opens it

	// Timeout bounds one probe: the breaker opens again when a probe takes
	// longer, and the late result is ignored. Default 30 s.
	Timeout time.Duration
}

const (
	defaultInARow      = 5
	defaultFailureRate = 0.5
	defaultMinCalls    = 20
	defaultWindow      = 10 * time.Second
	defaultBuckets     = 10
	minBucket          = time.Millisecond
	maxBuckets         = 4096
	maxCalls           = 1 << 16
	maxConcurrent      = 1024
)

// policy is what breakers need of a valid Config. It is immutable, and those of
// a [Group] share one; a breaker on its own has one to itself, so it is packed.
type policy struct {
	classify func(context.Context, error) Outcome
	slowCall time.Duration
	tripWhen func(Counts) bool
	observer Observer
	openFor  Backoff
	probes   Probes
	ring     ring // the time window's shape

	failures, slows         fraction // rates; zero when off
	inARow, minCalls, calls int32    // ConsecutiveFailures, MinCalls and Window.Calls

	shadow   bool
	windowed bool // a rule looks at the window
	timed    bool // settling a call needs the clock
}

// complete fills in the defaults and finds the contradictions.
func complete(cfg Config) (Config, problems) {
	if cfg.ConsecutiveFailures == 0 && cfg.FailureRate == 0 && cfg.SlowRate == 0 && cfg.TripWhen == nil {
		cfg.ConsecutiveFailures, cfg.FailureRate = defaultInARow, defaultFailureRate
	}
	var problems problems
	problems.checkName(cfg.Name)
	problems.checkRules(&cfg)
	problems.checkWindow(&cfg.Window)
	problems.checkMinCalls(&cfg)
	problems.checkProbes(&cfg.Probes)
	problems.checkBackoff(&cfg.OpenFor)
	return cfg, problems
}

// newPolicy returns nil and the problems if there are any.
func newPolicy(cfg Config) (*policy, problems) {
	cfg, problems := complete(cfg)
	if len(problems) > 0 {
		return nil, problems
	}
	p := &policy{
		classify: cfg.Classify, slowCall: cfg.SlowCall, tripWhen: cfg.TripWhen, observer: cfg.Observer,
		openFor: cfg.OpenFor, probes: cfg.Probes,
		failures: newFraction(cfg.FailureRate), slows: newFraction(cfg.SlowRate),
		inARow: atMost32(cfg.ConsecutiveFailures), minCalls: atMost32(cfg.MinCalls), calls: int32(cfg.Window.Calls),
		shadow:   cfg.Shadow,
		windowed: cfg.FailureRate > 0 || cfg.SlowRate > 0 || cfg.TripWhen != nil,
	}
	if p.calls == 0 {
		p.ring = newRing(cfg.Window)
	}
	p.timed = p.slowCall > 0 || p.windowed && p.calls == 0
	return p, nil
}

// atMost32 keeps a count that nothing is expected to reach.
func atMost32(n int) int32 { return int32(min(n, math.MaxInt32)) }

// problems collects every contradiction of a Config, so that one error names
// them all. The checks also fill in the defaults.
type problems []error

func (p problems) join() error { return errors.Join(p...) }

func (p *problems) add(field string, value any, why string) {
	*p = append(*p, &ConfigError{Field: field, Value: value, Why: why})
}

func (p *problems) checkName(name string) {
	switch {
	case name == "":
		p.add("Name", name, "a text: breakers are told apart by it")
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		p.add("Name", name, "UTF-8 without NUL")
	}
}

func (p *problems) checkRules(c *Config) {
	c.ConsecutiveFailures = max(c.ConsecutiveFailures, 0)
	c.SlowCall = max(c.SlowCall, 0)
	p.checkRate("FailureRate", &c.FailureRate)
	p.checkRate("SlowRate", &c.SlowRate)
	if c.SlowRate > 0 && c.SlowCall == 0 {
		p.add("SlowCall", c.SlowCall, "a time: SlowRate needs to know which calls are slow")
	}
}

func (p *problems) checkRate(field string, rate *float64) {
	if *rate > 1 || math.IsNaN(*rate) {
		p.add(field, *rate, "a share, above 0 and at most 1")
	}
	*rate = max(*rate, 0)
}

func (p *problems) checkWindow(w *Window) {
	switch {
	case w.Calls < 0 || w.Calls > maxCalls:
		p.add("Window.Calls", w.Calls, "1 to 65536")
	case w.Calls > 0 && (w.Duration != 0 || w.Buckets != 0):
		p.add("Window", *w, "either a time or a number of calls")
	case w.Calls > 0:
		return
	}
	if w.Duration == 0 {
		w.Duration = defaultWindow
	}
	if w.Buckets == 0 {
		w.Buckets = defaultBuckets
	}
	badBuckets := w.Buckets < 0 || w.Buckets > maxBuckets
	if badBuckets {
		p.add("Window.Buckets", w.Buckets, "1 to 4096")
	}
	switch {
	case w.Duration < 0:
		p.add("Window.Duration", w.Duration, "more than 0")
	case !badBuckets && w.Duration/time.Duration(w.Buckets) < minBucket:
		p.add("Window.Duration", w.Duration, fmt.Sprintf("at least 1ms for each of its %d buckets", w.Buckets))
	}
}

func (p *problems) checkMinCalls(c *Config) {
	calls := c.Window.Calls
	switch {
	case c.MinCalls < 0:
		c.MinCalls = 1
	case c.MinCalls == 0:
		c.MinCalls = defaultMinCalls
		if calls > 0 {
			c.MinCalls = min(calls, defaultMinCalls)
		}
	case calls > 0 && c.MinCalls > calls:
		p.add("MinCalls", c.MinCalls, fmt.Sprintf("at most Window.Calls (%d), or it is never reached", calls))
	}
}

func (p *problems) checkProbes(c *Probes) {
	if c.Concurrent < 0 || c.Concurrent > maxConcurrent {
		p.add("Probes.Concurrent", c.Concurrent, "1 to 1024")
	}
	if c.Successes < 0 {
		p.add("Probes.Successes", c.Successes, "at least 1")
	}
	if c.Timeout < 0 {
		p.add("Probes.Timeout", c.Timeout, "more than 0, or a hung probe would hold its slot for ever")
	}
	if c.Concurrent == 0 {
		c.Concurrent = 1
	}
	if c.Successes == 0 {
		c.Successes = 2
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
}
