// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// Step is one part of how an answer came about.
type Step struct {
	What, How string
	Bad       bool
}

// steps puts a trace into words: what was wanted, what the breaker said, how
// long the PMS took, what the locks did, and what went into the trail.
func steps(lang talk.Lang, t *desk.Trace) []Step {
	say := func(key string, args ...any) string { return word(lang, key, args...) }
	asked := say("trace.notAsked")
	if t.Calls > 0 {
		asked = fmt.Sprintf("%d ms", t.PMSTime.Round(time.Millisecond).Milliseconds())
		if t.Calls > 1 {
			asked += fmt.Sprintf(" · %d×", t.Calls)
		}
	}
	locks := "–"
	var done []string
	for _, kind := range t.Audit {
		if op, ok := strings.CutPrefix(kind, "lock."); ok {
			done = append(done, say("lock."+op))
		}
	}
	if len(done) > 0 {
		locks = strings.Join(done, ", ")
	}
	return []Step{
		{say("trace.intent"), say("intent." + string(t.Intent)), t.Intent == talk.Unknown},
		{say("trace.breaker"), say("state." + t.Breaker), t.Breaker == "open"},
		{"PMS", asked, t.Outcome == desk.Fallback && t.Calls > 0},
		{say("trace.lock"), locks, strings.Contains(locks, say("lock.conflict"))},
		{say("trace.audit"), say("trace.events", len(t.Audit)) + " #" + t.ID, false},
	}
}
