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
	SlowRate            float64           // in (0,1]: open at this share of slow calls in the window; negative: off
	SlowCall            time.Duration     // a call that takes at least this long is slow, also when its caller gave up; not positive: none is
	TripWhen            func(Counts) bool // own rule: given the window's counts, true opens. Called on the goroutine of the call, without a lock

	Window   Window // what the rates and TripWhen look at
	MinCalls int    // the rates are not checked below this; default 20, or Window.Calls if that is less; negative: 1

	OpenFor Backoff
	Probes  Probes

	// Classify returns the outcome of a call that returned an error; nil makes
	// each a Failure, a deadline included: only deadlines show that a dependency
	// hangs. An unknown Outcome is a Failure too. It is called only for errors
	// that may say something about the dependency. These do not, and are Ignored:
	//
	//   - one that is marked by [Ignore];
	//   - a rejection by another breaker, which kept the call from being made;
	//   - any error of a call whose ctx was cancelled by then, whatever the
	//     error is made of: the caller gave up. A ctx that was cancelled because
	//     a deadline had passed counts as a deadline;
	//   - any error of a call whose ctx reached a deadline that had left it less
	//     than 10 ms, or less than SlowCall if that is shorter: the deadline is to
	//     blame. Where deadlines are that short on purpose, set SlowCall.
	//
	// A call without an error is a Success. For one with a bad result, fn returns
	// an error of its own.
	Classify func(context.Context, error) Outcome

	Start    State    // the first state; default Closed
	Shadow   bool     // decide and report as always, but reject nothing
	Observer Observer // nil for none; see [Observers] for several

	// Trace begins a span for each call by [Do], [DoOr] and [Breaker.Do]: with the
	// op "circuitbreaker.call" and the breaker's name. The call goes on with the
	// context that it returns, and the function is called with what the call
	// returned, or the rejection. A panic is contained and counted in
	// [Stats.ObserverPanics]. Nil, which costs nothing, for none; metrics/otel has
	// one.
	Trace func(ctx context.Context, op, name string) (context.Context, func(error))
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
	// It takes 3 bytes a call, and each call takes a lock.
	Calls int
}

// Probes configures the probes of a half-open breaker: how many are let through,
// and what they decide. Either Of judges them by the rates that also open a closed
// breaker, so that a dependency which is well by the rules closes it; or, without
// Of, Successes in a row close it and one failure opens it.
type Probes struct {
	Concurrent int // calls let through at a time, at most 1024; default 1

	// Of is the number of probes that are judged: the breaker opens when
	// FailureRate or SlowRate is certain to be reached among them, and closes
	// when neither can be. Two failures before the first success open it at once.
	// Default 10 where FailureRate is set and Successes is not, else 0: off.
	Of int

	// Successes is how many probes must succeed without Of, default 2. One failed
	// probe opens the breaker, and where SlowRate is set a slow one does too.
	Successes int

	// Timeout bounds one probe. A probe that takes longer is one failure, and a
	// slow one, and its late result is not looked at. Default 30 s.
	Timeout time.Duration
}

const (
	defaultInARow      = 5
	defaultFailureRate = 0.5
	defaultMinCalls    = 20
	defaultOf          = 10
	minBucket          = time.Millisecond
	maxBuckets         = 4096
	maxCalls           = 1 << 16
	maxConcurrent      = 1024
)

// withDefaults returns cfg with its defaults, or every contradiction in it.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.FailureRate > 0 && cfg.Probes.Successes == 0 {
		configerr.Default(&cfg.Probes.Of, defaultOf)
	}
	if cfg.ConsecutiveFailures == 0 && cfg.FailureRate == 0 && cfg.SlowRate == 0 && cfg.TripWhen == nil {
		cfg.ConsecutiveFailures, cfg.FailureRate = defaultInARow, defaultFailureRate
	}
	p := configerr.Collect(problem)
	p.Want(isName(cfg.Name), "Name", cfg.Name, "valid UTF-8 without NUL, not empty")
	p.Want(cfg.FailureRate <= 1, "FailureRate", cfg.FailureRate, "a share, above 0 and at most 1")
	p.Want(cfg.SlowRate <= 1, "SlowRate", cfg.SlowRate, "a share, above 0 and at most 1")
	p.Want(cfg.SlowRate <= 0 || cfg.SlowCall > 0, "SlowCall", cfg.SlowCall, "more than 0, because SlowRate is set")
	cfg.Window.withDefaults(p)
	most := math.MaxInt
	if cfg.Window.Calls > 0 {
		most = cfg.Window.Calls
	}
	configerr.Default(&cfg.MinCalls, min(defaultMinCalls, most))
	cfg.MinCalls = max(cfg.MinCalls, 1)
	p.Want(cfg.MinCalls <= most, "MinCalls", cfg.MinCalls, fmt.Sprintf("at most Window.Calls (%d), or it is never reached", most))
	p.Want(cfg.Probes.Of <= 0 || cfg.FailureRate > 0, "Probes.Of", cfg.Probes.Of, "0, because FailureRate is off")
	cfg.Probes.withDefaults(p)
	cfg.OpenFor.withDefaults(p)
	p.Want(cfg.Start < numStates, "Start", cfg.Start, "a state")
	if configerr.IsNil(cfg.Observer) {
		cfg.Observer = nil
	}
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
	configerr.Default(&c.Timeout, 30*time.Second)
	if c.Of = max(c.Of, 0); c.Of == 0 {
		configerr.Default(&c.Successes, 2)
		p.Want(c.Successes > 0, "Probes.Successes", c.Successes, "at least 1")
	} else {
		p.Want(c.Successes == 0, "Probes.Successes", c.Successes, "0, because Of is set")
	}
	p.Want(0 < c.Concurrent && c.Concurrent <= maxConcurrent, "Probes.Concurrent", c.Concurrent, "1 to 1024")
	p.Want(c.Timeout > 0, "Probes.Timeout", c.Timeout, "more than 0, or a hung probe would hold its slot for ever")
	c.Timeout = min(c.Timeout, forever)
}
