// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// Extend moves the deadline to ttl from now; 0 is the lease's own TTL. It
// never moves it back, and counts as an extension even when it moves nothing.
// One round trip; when the client sends it again after a lost reply it counts
// once, or twice if another extension was counted in between.
//
// [ErrMaxReached]: MaxExtensions is used up, or MaxHold leaves nothing to
// gain; the lease goes on until its deadline. [ErrNotHeld]: it had ended, or
// was found to have; Err says why. [ErrUnavailable]: unknown; the deadline
// stays as it was.
func (l *Lease) Extend(ctx context.Context, ttl time.Duration) error {
	start := time.Now()
	l.m.gate.join() // until the outcome is recorded
	defer l.m.gate.leave()
	ctx, end := l.m.span(ctx, OpExtend)
	if ttl == 0 {
		ttl = l.ttl
	}
	err := errAborted
	defer func() { end(err) }()
	err = l.extend(ctx, ttl)
	e := l.event(OpExtend)
	e.Took, e.TTL, e.Result, e.Err = time.Since(start), ttl, result(err), err
	switch e.Result {
	case ResultOK:
		_ = l.record(ctx, "lock.extended", audit.Success, "", slog.Duration("ttl", ttl))
	case ResultMaxReached:
		_ = l.record(ctx, "lock.max_reached", audit.Denied, "max_reached", slog.Duration("ttl", ttl))
	}
	l.report(ctx, e)
	return err
}

func (l *Lease) extend(ctx context.Context, ttl time.Duration) error {
	if l.m.stopping.Err() != nil {
		return ErrClosed
	}
	if ttl < minTTL || ttl > maxTTL {
		return invalid("a TTL of %s, want 1 ms to 10 years", ttl)
	}
	if err := l.Err(); err != nil {
		return l.notHeld("extending", err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("lock: extending %s: %w", l.resource, ended(ctx))
	}
	r := StoreRenewal{StoreTicket: l.ticket, TTL: ttl, MaxExtensions: l.m.cfg.MaxExtensions, Count: true, Nonce: rand.Text()[:8]}
	sent := time.Now()
	g, err := l.m.extend(ctx, r)
	if err != nil {
		return unavailable(ctx, "extending "+l.resource.String(), err)
	}
	return l.apply("extending", g, sent)
}

var errAnswers = errors.New("the store's answers do not fit the requests")

// apply takes the store's answer to an extension or a renewal.
func (l *Lease) apply(what string, g StoreGrant, sent time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.check() // an answer that comes too late revives nothing
	switch {
	case l.cause != nil:
		if g.Status == StatusGranted && !errors.Is(l.cause, ErrReleased) {
			l.m.undo(l.ticket) // it has no holder any more
		}
		return l.notHeld(what, l.cause)
	case g.Status == StatusGranted:
		if l.unconfirmed && !g.Hold.Unconfirmed {
			l.unconfirmed, l.deadline = false, time.Time{} // the answer replaces it, also by an earlier one
		}
		l.postpone(g.Hold, sent)
		l.timer.Reset(time.Until(l.deadline))
		return nil
	case g.Status == StatusCapped:
		l.capped = l.capped || !l.renew || what == renewing
		return fmt.Errorf("lock: %s %s: %w", what, l.resource, ErrMaxReached)
	}
	l.endLost(ErrLost, "missing")
	return l.notHeld(what, ErrLost)
}
