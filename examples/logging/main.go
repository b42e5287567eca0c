// SPDX-License-Identifier: MIT

// Without Prometheus, one small type can observe everything and log what
// people want to know of: what went wrong, and every change of a breaker.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/session"
)

// observer logs. It implements the Observer of each package.
type observer struct{ log *slog.Logger }

var (
	_ circuitbreaker.Observer = observer{}
	_ lock.Observer           = observer{}
	_ session.Observer        = observer{}
	_ audit.Observer          = observer{}
)

func (o observer) ObserveBreaker(ctx context.Context, e circuitbreaker.Event) {
	if e.Kind == circuitbreaker.Changed {
		o.log.WarnContext(ctx, "breaker", "name", e.Source.Name(), "from", e.From, "to", e.To, "reason", e.Reason, "cause", e.Cause)
	}
}

func (o observer) ObserveLock(ctx context.Context, e lock.Event) {
	switch {
	case e.Op == lock.OpLost:
		o.log.ErrorContext(ctx, "lease lost", "manager", e.Source.Name(), "resource", e.Resource, "holder", e.Holder)
	case e.Result == lock.Conflicted: // everyday business
		o.log.DebugContext(ctx, "conflict", "manager", e.Source.Name(), "resource", e.Resource, "holder", e.Holder)
	case e.Result != lock.OK:
		o.log.WarnContext(ctx, "lock", "manager", e.Source.Name(), "op", e.Op, "resource", e.Resource, "err", e.Err)
	}
}

func (o observer) ObserveSession(ctx context.Context, e session.Event) {
	if e.Result != session.OK && e.Result != session.NotFound { // an id and its data are nothing for a log
		o.log.WarnContext(ctx, "session", "manager", e.Source.Name(), "op", e.Op, "err", e.Err)
	}
}

func (o observer) ObserveAudit(ctx context.Context, a audit.Activity) {
	if a.Err != nil || a.Drop != audit.NotDropped {
		o.log.ErrorContext(ctx, "audit", "log", a.Source.Name(), "op", a.Op, "events", a.Events, "dropped", a.Drop, "err", a.Err)
	}
}

func main() {
	ctx := context.Background()
	watch := observer{slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))}

	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 1, Observer: watch})
	check(err)
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", MaxExtensions: 1, Observer: watch})
	check(err)
	defer rooms.Close(ctx)

	_ = pms.Do(ctx, func(context.Context) error { return errors.New("no answer") })
	lease, err := rooms.TryAcquire(ctx, lock.Key("room/101"), lock.Holder("ana"))
	check(err)
	check(lease.Extend(ctx, 0))
	_ = lease.Extend(ctx, 0) // one too many
	check(lease.Release(ctx))
}

// withoutTime makes the lines the same each time.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
