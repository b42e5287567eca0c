// SPDX-License-Identifier: MIT

package desk

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// Trace tells how an answer came about.
type Trace struct {
	ID      string        `json:"id"` // that the answer's audit events carry as their correlation
	Intent  talk.Intent   `json:"intent"`
	Outcome Outcome       `json:"outcome"`
	Breaker string        `json:"breaker"` // its state when the answer was ready
	Calls   int           `json:"pms_calls"`
	PMSTime time.Duration `json:"pms_ns"`          // all calls together
	Audit   []string      `json:"audit,omitempty"` // types of the events, the lock's among them
}

// tracer collects a trace. The locks record their events on goroutines of
// their own.
type tracer struct {
	mu sync.Mutex
	Trace
}

type traceKey struct{}

func withTrace(ctx context.Context, i talk.Intent) (context.Context, *tracer) {
	t := &tracer{Trace: Trace{ID: rand.Text()[:8], Intent: i}}
	return context.WithValue(ctx, traceKey{}, t), t
}

// means replaces the intent of the message alone by that in its conversation.
func (t *tracer) means(i talk.Intent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Intent = i
}

// called adds a call that reached out for the PMS.
func (t *tracer) called(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Calls++
	t.PMSTime += took
}

// read returns the trace so far, with what is known at the end.
func (t *tracer) read(o Outcome, breaker circuitbreaker.State) Trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	trace := t.Trace
	trace.Outcome, trace.Breaker, trace.Audit = o, breaker.String(), slices.Clone(t.Audit)
	return trace
}

// Enrich is an [audit.Config]'s Enrich: it connects each event with the answer
// that caused it.
func Enrich(ctx context.Context, e *audit.Event) {
	t, ok := ctx.Value(traceKey{}).(*tracer)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Audit = append(t.Audit, e.Type)
	e.Correlation = t.ID
}
