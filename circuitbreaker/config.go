// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Config configures a breaker: when it opens, for how long, and how it closes
// again. Only Name is required; a zero field has the documented default.
//
// The rules (ConsecutiveFailures, FailureRate, SlowRate, TripWhen) work
// together: they are checked in this order, and the first one that is met opens
// the breaker and is named in [Event.Reason]. With none of them set, a breaker
// has ConsecutiveFailures 5 and FailureRate 0.5. Rules are checked only after a
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
	MinCalls int    // the rates are not checked below this; default 20, or Window.Calls if that is less; negative: 1

	OpenFor Backoff
	Probes  Probes

	// Classify returns the outcome of a call from its error, which may be nil;
	// nil is [DefaultClassify]. It does not get errors marked by [Ignore]. An
	// unknown Outcome is a Failure.
	Classify func(context.Context, error) Outcome

	Shadow   bool     // decide and report as always, but reject nothing
	Observer Observer // nil for none; see [Observers] for several
}

// Window is what the rates are computed over: the calls of a time, or a number
// of calls. The zero Window is 10 s in 10 buckets.
type Window struct {
	// Duration is the length of a window of time, default 10 s. It is counted
	// in Buckets, default 10, each at least 1 ms long, and slides by one bucket:
	// the oldest part of it is up to one bucket short.
	Duration time.Duration
	Buckets  int

	// Calls, when set, makes it a window of the last so many calls instead.
	// It takes 8 bytes a call, and a failure reads all of them.
	Calls int
}

// Probes configures the probes of a half-open breaker.
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
	minBucket          = time.Millisecond
	maxBuckets         = 4096
	maxCalls           = 1 << 16
	maxConcurrent      = 1024
)

// policy is the part of a valid Config that breakers use. It is immutable. The
// breakers of a [Group] share one; any other breaker has its own, so it is packed.
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

// withDefaults returns cfg with its defaults, or every contradiction in it.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.ConsecutiveFailures == 0 && cfg.FailureRate == 0 && cfg.SlowRate == 0 && cfg.TripWhen == nil {
		cfg.ConsecutiveFailures, cfg.FailureRate = defaultInARow, defaultFailureRate
	}
	cfg.ConsecutiveFailures = max(cfg.ConsecutiveFailures, 0)
	cfg.SlowCall = max(cfg.SlowCall, 0)
	p := configerr.Collect(problem)
	p.Want(isName(cfg.Name), "Name", cfg.Name, "valid UTF-8 without NUL, not empty")
	p.Want(cfg.FailureRate <= 1, "FailureRate", cfg.FailureRate, "a share, above 0 and at most 1")
	p.Want(cfg.SlowRate <= 1, "SlowRate", cfg.SlowRate, "a share, above 0 and at most 1")
	p.Want(cfg.SlowRate <= 0 || cfg.SlowCall > 0, "SlowCall", cfg.SlowCall, "more than 0, because SlowRate is set")
	cfg.FailureRate, cfg.SlowRate = max(cfg.FailureRate, 0), max(cfg.SlowRate, 0)
	cfg.Window.withDefaults(p)
	most := math.MaxInt
	if cfg.Window.Calls > 0 {
		most = cfg.Window.Calls
	}
	configerr.Default(&cfg.MinCalls, min(defaultMinCalls, most))
	cfg.MinCalls = max(cfg.MinCalls, 1)
	p.Want(cfg.MinCalls <= most, "MinCalls", cfg.MinCalls, fmt.Sprintf("at most Window.Calls (%d), or it is never reached", most))
	cfg.Probes.withDefaults(p)
	cfg.OpenFor.withDefaults(p)
	return cfg, p.Err()
}

func isName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func (w *Window) withDefaults(p *configerr.Problems) {
	p.Want(0 <= w.Calls && w.Calls <= maxCalls, "Window.Calls", w.Calls, "1 to 65536")
	if w.Calls > 0 {
		p.Want(w.Duration == 0 && w.Buckets == 0, "Window", *w, "either a time or a number of calls")
		return
	}
	configerr.Default(&w.Duration, 10*time.Second)
	configerr.Default(&w.Buckets, 10)
	p.Want(0 < w.Buckets && w.Buckets <= maxBuckets, "Window.Buckets", w.Buckets, "1 to 4096")
	least := minBucket * time.Duration(max(1, min(w.Buckets, maxBuckets)))
	p.Want(w.Duration >= least, "Window.Duration", w.Duration, fmt.Sprintf("at least %v, 1ms for each bucket", least))
}

func (c *Probes) withDefaults(p *configerr.Problems) {
	configerr.Default(&c.Concurrent, 1)
	configerr.Default(&c.Successes, 2)
	configerr.Default(&c.Timeout, 30*time.Second)
	p.Want(0 < c.Concurrent && c.Concurrent <= maxConcurrent, "Probes.Concurrent", c.Concurrent, "1 to 1024")
	p.Want(c.Successes > 0, "Probes.Successes", c.Successes, "at least 1")
	p.Want(c.Timeout > 0, "Probes.Timeout", c.Timeout, "more than 0, or a hung probe would hold its slot for ever")
}

// newPolicy returns the policy of a Config with its defaults.
func newPolicy(cfg Config) *policy {
	p := &policy{
		classify: cfg.Classify, slowCall: cfg.SlowCall, tripWhen: cfg.TripWhen,
		openFor: cfg.OpenFor, probes: cfg.Probes,
		failures: newFraction(cfg.FailureRate), slows: newFraction(cfg.SlowRate),
		inARow: atMost32(cfg.ConsecutiveFailures), minCalls: atMost32(cfg.MinCalls), calls: int32(cfg.Window.Calls),
		shadow:   cfg.Shadow,
		windowed: cfg.FailureRate > 0 || cfg.SlowRate > 0 || cfg.TripWhen != nil,
	}
	if !configerr.IsNil(cfg.Observer) {
		p.observer = cfg.Observer
	}
	if p.calls == 0 {
		p.ring = newRing(cfg.Window)
	}
	p.timed = p.slowCall > 0 || p.windowed && p.calls == 0
	return p
}

// atMost32 cuts a count that is too large to be reached.
func atMost32(n int) int32 { return int32(min(n, math.MaxInt32)) }
