// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

type sessionSeries struct {
	ops                     [session.OpCleanup + 1][session.ResultFailed + 1]atomic.Uint64
	took                    [session.OpCleanup + 1]*distribution // nil for what is no operation
	bytes, cleanup          *distribution
	cleanups                [len(cleanupResults)]atomic.Uint64
	ended                   [session.ReasonUndecodable + 1]atomic.Uint64
	callbackErrors, givenUp atomic.Uint64
	undecodable             atomic.Uint64
	backlog                 atomic.Int64
}

// cleanupResults are the results of a cleanup cycle, in the order of
// sessionSeries.cleanups.
var cleanupResults = [...]string{"success", "error"}

func (m *Metrics) newSessionSeries(label string) *sessionSeries {
	s := &sessionSeries{bytes: m.histogram(sessionBytes, label), cleanup: m.histogram(sessionCleanupTook, label)}
	for _, o := range sessionOutcomes {
		s.took[o.op] = m.histogram(sessionTook, label, o.op.String())
	}
	return s
}

// ObserveSession implements [session.Observer].
func (m *Metrics) ObserveSession(ctx context.Context, e session.Event) {
	if e.Source == nil || int(e.Op) >= len(sessionSeries{}.ops) {
		return
	}
	s := m.sessions.meet(e.Source, e.Op == session.OpNew, false)
	if s == nil {
		return
	}
	switch {
	case e.Op == session.OpEnded:
		if int(e.Reason) < len(s.ended) {
			s.ended[e.Reason].Add(1)
		}
	case e.Op == session.OpUndecodable:
		s.undecodable.Add(1)
	case e.Op == session.OpCleanup:
		s.cleaned(e)
		m.observe(ctx, s.cleanup, e.Took.Seconds())
	case s.took[e.Op] != nil:
		s.ops[e.Op][min(e.Result, session.ResultFailed)].Add(1)
		m.observe(ctx, s.took[e.Op], (e.Took - e.Waited).Seconds())
		if e.Bytes > 0 && e.Result == session.ResultOK && !reads(e.Op) {
			m.observe(ctx, s.bytes, float64(e.Bytes))
		}
	}
	if m.original != nil {
		m.original.session(e)
	}
}

// reads reports whether an operation leaves the payload as it is.
func reads(op session.Op) bool {
	return op == session.OpGet || op == session.OpPeek || op == session.OpTouch
}

func (s *sessionSeries) cleaned(e session.Event) {
	s.cleanups[cleanupResult(e)].Add(1)
	s.backlog.Store(e.Report.Backlog)
	s.callbackErrors.Add(uint64(max(0, e.Report.CallbackErrors)))
	s.givenUp.Add(uint64(max(0, e.Report.Dead)))
}

// cleanupResult is the place of a cycle's result in cleanupResults.
func cleanupResult(e session.Event) int {
	if e.Result == session.ResultOK {
		return 0
	}
	return 1
}

func sessionTotals(s session.Stats) []float64 { return []float64{float64(s.ObserverPanics)} }

// active is the number of sessions under a name. Managers of one name see one
// store, so the figures are not added up.
func active(r reading[session.Stats, sessionSeries]) (n int64) {
	for _, s := range r.live {
		n = max(n, s.Active)
	}
	return n
}

func (o output) session(r reading[session.Stats, sessionSeries]) {
	var limit int64
	var interval time.Duration
	var latest time.Time
	var running float64
	for _, s := range r.live {
		limit = max(limit, s.MaxSessions)
		interval = max(interval, s.Interval)
		if s.LastComplete.After(latest) {
			latest = s.LastComplete
		}
		if s.Running {
			running++
		}
	}
	if len(r.live) > 0 {
		o.put(sessionActive, float64(active(r)), r.label)
		o.put(sessionLimit, float64(limit), r.label)
		o.put(sessionInterval, interval.Seconds(), r.label)
		o.put(sessionRunning, running, r.label)
		o.put(sessionLastCleanup, unix(latest, r.since), r.label)
		o.put(sessionBacklog, float64(r.pushed.backlog.Load()), r.label)
	}
	o.put(observerPanics, r.totals[0], "session", r.label)

	for _, t := range sessionOutcomes {
		putOperation(o, sessionOps, t, r.label, r.pushed.ops[t.op][:])
	}
	for i, result := range cleanupResults {
		o.put(sessionCleanups, float64(r.pushed.cleanups[i].Load()), r.label, result)
	}
	for _, reason := range session.EndReasons() {
		o.put(sessionEnded, float64(r.pushed.ended[reason].Load()), r.label, reason.String())
	}
	o.put(sessionCallbackErrors, float64(r.pushed.callbackErrors.Load()), r.label)
	o.put(sessionUndecodable, float64(r.pushed.undecodable.Load()), r.label)
	o.put(sessionGivenUp, float64(r.pushed.givenUp.Load()), r.label)
}
