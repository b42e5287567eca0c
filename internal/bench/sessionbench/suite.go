// SPDX-License-Identifier: MIT

// Package sessionbench compares sessions with those of scs, both in Redis, and
// with themselves at another size. It starts the servers that it needs.
package sessionbench

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// Sizes are how many sessions the figures are taken with.
type sizes struct{ large, middle, small, weighed, messages, owned int }

// Suite is the comparison. Its mix is a web application's: of 20 requests 19
// only read, sessions end when idle, and the data has 1 KiB. One of 30 requests
// finds that the activity has to be recorded, as when a session is used once a
// second and TouchEvery is its default of 30 s.
func Suite(t testing.TB) bench.Suite {
	return suite(t, sizes{large: 1_000_000, middle: 10_000, small: 1000, weighed: 20_000, messages: 1000, owned: 100_000})
}

func suite(t testing.TB, n sizes) bench.Suite {
	client := redistest.Real(t).Client(t)
	ours, theirs := newHoldfast(t, client, users), newSCS(t, client, users)
	crowd, talk, everywhere := newCrowd(t, n), newTalk(t, n.messages), newEverywhere(t, n.owned)
	return bench.Suite{
		Name:   "session",
		Peers:  []string{"github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/goredisstore", "github.com/redis/go-redis/v9"},
		Sample: 300 * time.Millisecond,
		Cases: []bench.Case{
			{Name: "holdfast, 95/5 mix, 16 goroutines", Make: ours.mix, Goroutines: 16},
			{Name: "scs, 95/5 mix, 16 goroutines", Make: theirs.mix, Goroutines: 16},
			{Name: "holdfast, 95/5 mix", Make: ours.mix},
			{Name: "scs, 95/5 mix", Make: theirs.mix},
			{Name: "holdfast, page that reads and touches, 16 goroutines", Make: ours.page(t), Goroutines: 16},
			{Name: "scs, page that reads and touches, 16 goroutines", Make: theirs.page(t), Goroutines: 16},
			{Name: "holdfast, page that reads and touches", Make: ours.page(t)},
			{Name: "scs, page that reads and touches", Make: theirs.page(t)},
		},
		Bars: []bench.Bar{
			{Slow: "scs, 95/5 mix, 16 goroutines", Fast: "holdfast, 95/5 mix, 16 goroutines", AtLeast: 1.95},
			{Slow: "scs, page that reads and touches, 16 goroutines", Fast: "holdfast, page that reads and touches, 16 goroutines", AtLeast: 1.7},
			{Slow: "scs, page that reads and touches", Fast: "holdfast, page that reads and touches", AtLeast: 1.7},
		},
		Figures: []bench.Figure{
			{Name: "bytes appended to the AOF by the mix, of those that scs has appended", Unit: "share", AtMost: 0.15, Measure: func() (float64, error) { return appended(t) }},
			{Name: "memory of a session of 1 KiB, of a bare key of scs", Unit: "times", AtMost: 1.35, Measure: func() (float64, error) { return weight(t, n.weighed) }},
			{Name: "script calls of a cleanup cycle, 1 % of 10^6 sessions expired", Unit: "calls", AtMost: 100, Measure: crowd.cycleCalls},
			{Name: "SCAN and KEYS in that cycle", Unit: "calls", AtMost: 0.5, Measure: crowd.cycleScans},
			{Name: "its slowest script, of that at 10^4 sessions", Unit: "times", AtMost: 2, Runs: 3, Measure: crowd.cycleGrowth},
			{Name: "server time of Count at 10^6 sessions, of that at 10^3", Unit: "times", AtMost: 3, Runs: 3, Measure: crowd.countGrowth},
			{Name: "scripts of a message that waits for others of its conversation, at 8 processes", Unit: "scripts", AtMost: 3, Measure: talk.scripts},
			{Name: "its wait (p99), of what those before it take alone", Unit: "times", AtMost: 1.5, Measure: talk.waited},
			{Name: "a read (p99) while nothing else happens", Unit: "ms", Measure: everywhere.figure(func(w waits) float64 { return w.idle })},
			{Name: "a read (p99) while 10^5 sessions of one subject are ended", Unit: "ms", Measure: everywhere.figure(func(w waits) float64 { return w.busy })},
			{Name: "so much longer", Unit: "ms", AtMost: 2, Measure: everywhere.figure(func(w waits) float64 { return max(0, w.busy-w.idle) })},
			{Name: "the longest script that ended some", Unit: "ms", Measure: everywhere.figure(func(w waits) float64 { return w.script })},
		},
	}
}
