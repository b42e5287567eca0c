// SPDX-License-Identifier: MIT

package metrics

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

type logSeries struct {
	writes     [len(writeResults)]atomic.Uint64
	took       *distribution
	afterClose atomic.Uint64 // drops of logs that are let go of
	gaps       atomic.Int64
	findings   atomic.Int64
	verified   atomic.Int64 // in microseconds; 0 and tried before the first result
}

// writeResults are the results of a try to write, in the order of
// logSeries.writes.
var writeResults = [...]string{"success", "error", "timeout"}

const wroteLate = 2

func (m *Metrics) newLogSeries(label string) *logSeries {
	return &logSeries{took: m.histogram(auditTook, label)}
}

// ObserveAudit implements [audit.Observer]. It counts tries to write; events
// are read from the source at scrape.
func (m *Metrics) ObserveAudit(ctx context.Context, a audit.Activity) {
	if a.Source == nil {
		return
	}
	s := m.logs.meet(a.Source, a.Op == audit.OpNew, a.Op == audit.OpClosed)
	if s == nil {
		return
	}
	if a.Drop == audit.AfterClose {
		s.afterClose.Add(1)
	}
	if a.Op != audit.OpWrite {
		return
	}
	result := writeResult(a.Err)
	s.writes[result].Add(1)
	m.observe(ctx, s.took, a.Took.Seconds())
	if m.original != nil && result == wroteLate {
		m.original.timeouts.Add(1)
	}
}

// AuditGaps sets holdfast_audit_gaps of a log that the metrics observe: the length
// of what the Gaps of a gormsink.Sink returns. Call it every few minutes. An
// unknown log is ignored.
func (m *Metrics) AuditGaps(log string, gaps int) {
	if !m.made() {
		return
	}
	if s := m.logs.find(log); s != nil {
		s.gaps.Store(int64(gaps))
	}
}

// AuditVerified sets holdfast_audit_findings and holdfast_audit_verified_timestamp_seconds
// of a log that the metrics observe, from what the Verify of package audit/seal has
// returned. An error changes neither, but begins the time from which on a result is
// overdue. An unknown log is ignored.
func (m *Metrics) AuditVerified(log string, findings int64, err error) {
	if !m.made() {
		return
	}
	s := m.logs.find(log)
	switch {
	case s == nil:
	case err == nil:
		s.findings.Store(findings)
		s.verified.Store(time.Now().UnixMicro())
	default:
		s.verified.CompareAndSwap(0, tried)
	}
}

// tried is in the place of the time of a verification that had no result.
const tried = -1

// writeResult is the place of a try's result in writeResults.
func writeResult(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.DeadlineExceeded):
		return wroteLate
	default:
		return 1
	}
}

// Places in logTotals; the dropped events follow, by reason.
const (
	totalRecorded = iota
	totalWritten
	totalRetries
	totalLogPanics
	totalSpoolFailures
	totalDropped
)

func logTotals(s audit.Stats) []float64 {
	t := []float64{
		totalRecorded:      float64(s.Recorded),
		totalWritten:       float64(s.Written),
		totalRetries:       float64(s.Retries),
		totalLogPanics:     float64(s.ObserverPanics),
		totalSpoolFailures: float64(s.SpoolFailures),
	}
	for _, reason := range audit.DropReasons() {
		t = append(t, float64(s.Dropped[reason]))
	}
	return t
}

func (o output) log(r reading[audit.Stats, logSeries]) {
	var queued, capacity, bytes, spooled, spoolLimit float64
	var oldest time.Duration
	var latest time.Time
	for _, s := range r.live {
		queued += float64(s.Queued)
		capacity += float64(s.Capacity)
		bytes += float64(s.QueuedBytes)
		spooled += float64(s.SpoolBytes)
		spoolLimit += float64(s.SpoolLimit)
		oldest = max(oldest, s.OldestPending)
		if s.LastSuccess.After(latest) {
			latest = s.LastSuccess
		}
	}
	if len(r.live) > 0 {
		o.put(auditQueued, queued, r.label)
		o.put(auditCapacity, capacity, r.label)
		o.put(auditQueuedBytes, bytes, r.label)
		o.put(auditOldest, oldest.Seconds(), r.label)
		o.put(auditLastSuccess, unix(latest, r.since), r.label)
		o.put(auditGaps, float64(r.pushed.gaps.Load()), r.label)
		o.put(auditFindings, float64(r.pushed.findings.Load()), r.label)
		switch at := r.pushed.verified.Load(); at {
		case 0:
			o.put(auditVerified, 0, r.label)
		case tried:
			o.put(auditVerified, unix(time.Time{}, r.since), r.label)
		default:
			o.put(auditVerified, unix(time.UnixMicro(at), r.since), r.label)
		}
		o.put(auditSpoolBytes, spooled, r.label)
		o.put(auditSpoolLimit, spoolLimit, r.label)
	}
	o.put(auditSpoolFailures, r.totals[totalSpoolFailures], r.label)
	o.put(auditRecorded, r.totals[totalRecorded], r.label)
	o.put(auditWritten, r.totals[totalWritten], r.label)
	o.put(auditRetries, r.totals[totalRetries], r.label)
	for i, reason := range audit.DropReasons() {
		n := r.totals[totalDropped+i]
		if reason == audit.AfterClose {
			n = float64(r.pushed.afterClose.Load())
		}
		o.put(auditDropped, n, r.label, reason.String())
	}
	for i, result := range writeResults {
		o.put(auditWrites, float64(r.pushed.writes[i].Load()), r.label, result)
	}
	o.put(observerPanics, r.totals[totalLogPanics], "audit", r.label)
}
