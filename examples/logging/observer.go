// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"log/slog"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
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
	if e.Op == circuitbreaker.OpChanged {
		o.log.WarnContext(ctx, "breaker", "name", e.Source.Name(), "from", e.From, "to", e.To, "reason", e.Reason, "cause", e.Cause)
	}
}

func (o observer) ObserveLock(ctx context.Context, e lock.Event) {
	switch {
	case e.Op == lock.OpLost:
		o.log.ErrorContext(ctx, "lease lost", "manager", e.Source.Name(), "resource", e.Resource, "holder", e.Holder)
	case e.Result == lock.ResultConflict: // everyday business
		o.log.DebugContext(ctx, "conflict", "manager", e.Source.Name(), "resource", e.Resource, "holder", e.Holder)
	case e.Result != lock.ResultOK:
		o.log.WarnContext(ctx, "lock", "manager", e.Source.Name(), "op", e.Op, "resource", e.Resource, "err", e.Err)
	}
}

func (o observer) ObserveSession(ctx context.Context, e session.Event) {
	if e.Result != session.ResultOK && e.Result != session.ResultNotFound { // an id and its data are nothing for a log
		o.log.WarnContext(ctx, "session", "manager", e.Source.Name(), "op", e.Op, "err", e.Err)
	}
}

func (o observer) ObserveAudit(ctx context.Context, a audit.Activity) {
	if a.Err != nil || a.Drop != audit.NotDropped {
		o.log.ErrorContext(ctx, "audit", "log", a.Source.Name(), "op", a.Op, "events", a.Events, "dropped", a.Drop, "err", a.Err)
	}
}
