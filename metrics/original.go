// SPDX-License-Identifier: MIT

package metrics

import (
	"database/sql"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/session"
)

// originalSeries are the counters of WithOriginalNames. They have no label
// for a manager, so they count for themselves: a sum over managers would fall
// when one of them goes.
type originalSeries struct {
	ops      [len(originalOps)][len(originalResults)]atomic.Uint64
	cleanups [len(cleanupResults)]atomic.Uint64
	ended    [session.ReasonInvalidFormat + 1]atomic.Uint64
	timeouts atomic.Uint64
}

var (
	originalOps     = [...]lock.Op{lock.OpAcquire, lock.OpExtend, lock.OpRelease}
	originalResults = [...]string{"success", "error", "conflict", "max_reached"}

	// originalReasons are the reasons of sessions that were not deleted.
	originalReasons = []session.EndReason{
		session.ReasonIdle, session.ReasonAbsolute, session.ReasonEvicted, session.ReasonVanished, session.ReasonCorrupted, session.ReasonInvalidFormat,
	}
)

func (s *originalSeries) lock(e lock.Event) {
	for i, op := range originalOps {
		if op == e.Op {
			s.ops[i][originalResult(e)].Add(1)
		}
	}
}

// originalResult is the place of a result in originalResults. A wait that
// ended without a lock is a conflict; the original did not wait.
func originalResult(e lock.Event) int {
	switch {
	case e.Result == lock.ResultOK:
		return 0
	case e.Result == lock.ResultConflict, e.Blocked && (e.Result == lock.ResultTimedOut || e.Result == lock.ResultCanceled):
		return 2
	case e.Result == lock.ResultMaxReached:
		return 3
	default:
		return 1
	}
}

func (s *originalSeries) session(e session.Event) {
	switch {
	case e.Op == session.OpCleanup:
		s.cleanups[cleanupResult(e)].Add(1)
	case e.Op == session.OpEnded && int(e.Reason) < len(s.ended):
		s.ended[e.Reason].Add(1)
	}
}

func (o output) original(breakers []reading[circuitbreaker.Stats, breakerSeries], sessions []reading[session.Stats, sessionSeries], dbs []reading[sql.DBStats, struct{}]) {
	s := o.m.original
	for _, r := range breakers {
		if r.label == "pms" {
			o.put(origBreakerState, worst(r))
		}
	}
	for i, op := range originalOps {
		for j, result := range originalResults {
			o.put(origLockOps, float64(s.ops[i][j].Load()), op.String(), result)
			if op == lock.OpExtend {
				o.put(origLockExtensions, float64(s.ops[i][j].Load()), result)
			}
		}
	}
	for key, n := range o.m.keys.snapshot() {
		o.put(origLockConflicts, float64(n), key)
	}
	var alive int64
	for _, r := range sessions {
		alive += active(r)
	}
	o.put(origSessionActive, float64(alive))
	for i, result := range cleanupResults {
		o.put(origSessionCleanups, float64(s.cleanups[i].Load()), result)
	}
	for _, reason := range originalReasons {
		o.put(origSessionExpirations, float64(s.ended[reason].Load()), reason.String())
	}
	var used float64
	for _, r := range dbs {
		used += inUse(r)
	}
	o.put(origDBConnections, used)
	o.put(origDBTimeouts, float64(s.timeouts.Load()))
}

// worst is the original's number for a state, of the breaker of a name that
// is worst off.
func worst(r reading[circuitbreaker.Stats, breakerSeries]) (number float64) {
	for _, s := range r.live {
		switch effective(s) {
		case circuitbreaker.HalfOpen:
			number = max(number, 1)
		case circuitbreaker.Open, circuitbreaker.ForcedOpen:
			number = 2
		}
	}
	return number
}
