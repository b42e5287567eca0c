// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// trail hands audit events to the recorder. A recorder that panics is contained,
// and one that hangs is left behind after a timeout. No more than maxRecording
// calls of it are under way at once, so hung ones cannot pile up.
type trail struct {
	recorder audit.Recorder
	timeout  time.Duration
	slots    chan struct{}
	failed   atomic.Uint64
}

const maxRecording = 64

func newTrail(cfg Config) *trail {
	return &trail{recorder: cfg.Audit, timeout: cfg.AuditTimeout, slots: make(chan struct{}, maxRecording)}
}

var errRecorder = errors.New("the recorder panicked or ended its goroutine")

// record waits for the recorder for at most the timeout, or limit when that
// is shorter and not 0. A failure is counted and returned.
func (t *trail) record(ctx context.Context, limit time.Duration, e audit.Event) error {
	if t.recorder == nil {
		return nil
	}
	wait := t.timeout
	if limit > 0 {
		wait = min(wait, limit)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	err := t.bounded(ctx, e)
	if err == nil {
		return nil
	}
	t.failed.Add(1)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("no answer within %s: %w", wait.Round(time.Microsecond), err)
	}
	return fmt.Errorf("%w: %s of %s: %w", ErrAudit, e.Type, e.Resource.Name, err)
}

func (t *trail) bounded(ctx context.Context, e audit.Event) error {
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		err := errRecorder
		defer func() {
			_ = recover()
			<-t.slots
			done <- err
		}()
		err = t.recorder.Record(ctx, e)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entry is what all events have in common. What is locked is named by the
// resource's first name, so that a name's entries are found by it; all parts
// are in the resource's Name and in the details.
func entry(kind string, outcome audit.Outcome, r Resource, holder string, fields ...slog.Attr) audit.Event {
	e := audit.Event{
		Time:     time.Now().UTC().Truncate(time.Microsecond),
		Type:     kind,
		Outcome:  outcome,
		Resource: audit.Entity{Type: "lock", ID: r.Name(), Name: r.String()},
		Details:  audit.Fields(append(describe(r), fields...)...),
	}
	if holder != "" {
		e.Actor = audit.Entity{Type: "holder", ID: holder}
	}
	return e
}

// describe gives the bounds of what is locked, in the unit they count in.
func describe(r Resource) []slog.Attr {
	if len(r.parts()) > 1 {
		var names []string
		for _, p := range r.parts() {
			names = append(names, p.String())
		}
		return []slog.Attr{slog.Any("parts", names)}
	}
	var fields []slog.Attr
	if p := r.part; p.kind == Days {
		fields = append(fields, slog.String("check_in", p.bound(p.from)), slog.String("check_out", p.bound(p.to)), slog.Int64("nights", p.to-p.from))
	} else if p.kind != Whole {
		fields = append(fields, slog.String("from", p.bound(p.from)), slog.String("to", p.bound(p.to)))
	}
	if r.units != 1 {
		fields = append(fields, slog.Int("units", r.units))
	}
	return fields
}

// identity names a hold in an event's details.
func identity(id string, fence uint64) slog.Attr {
	return slog.Group("", slog.String("lease", id), slog.Uint64("fence", fence))
}

// inTheWay lists conflicts for an event's details.
func inTheWay(cs []Conflict) slog.Attr {
	var list []slog.Attr
	for i, c := range cs {
		list = append(list, slog.Group(fmt.Sprint(i),
			slog.String("holder", c.Hold.Holder), slog.String("resource", c.Hold.Resource.String()),
			slog.Duration("left", c.Hold.Left), identity(c.Hold.ID, c.Hold.Fence)))
	}
	return slog.Attr{Key: "conflicts", Value: slog.GroupValue(list...)}
}

// given lists the caller's own details, by key.
func given(details map[string]string) slog.Attr {
	var list []slog.Attr
	for _, k := range slices.Sorted(maps.Keys(details)) {
		list = append(list, slog.String(k, details[k]))
	}
	return slog.Attr{Key: "details", Value: slog.GroupValue(list...)}
}
