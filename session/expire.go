// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"encoding/hex"
	"strconv"
	"sync"
	"time"
)

// A claim outlasts the calls of its batch: 32 sessions by 8 workers are 4
// rounds of at most 30 s each, and claimFor is 5 of them. So nobody else is
// given a session while OnExpire is at work on it, as long as it heeds its
// context.
const (
	callbackWorkers = 8
	callbackBatch   = 4 * callbackWorkers
	callbackFor     = 30 * time.Second
	maxAttempts     = 5
	retryAfter      = time.Second // doubled with each attempt, up to CleanupInterval
)

// verdict is what came of one expired session.
type verdict struct {
	settlement Settlement
	over       bool // it is gone for good, for cause
	cause      EndCause
	failed     bool // OnExpire failed
	dead       bool
}

// callBack hands expired sessions to OnExpire, a few at a time, and settles
// all of them together. What a settlement that fails leaves open is told
// again: at least once, never lost.
func (m *Manager[T]) callBack(ctx context.Context, r *Report, due []Due) error {
	if len(due) == 0 {
		return nil
	}
	verdicts := make([]verdict, len(due))
	var wg sync.WaitGroup
	workers := make(chan struct{}, callbackWorkers)
	for i, d := range due {
		workers <- struct{}{}
		wg.Go(func() {
			defer func() { <-workers }()
			verdicts[i] = m.failed(ctx, d) // stays so if OnExpire ends the goroutine
			verdicts[i] = m.judge(ctx, d)
		})
	}
	wg.Wait()
	settlements := make([]Settlement, len(due))
	for i, v := range verdicts {
		settlements[i] = v.settlement
		if v.failed {
			r.CallbackErrors++
		}
	}
	limited, cancel := m.patient(context.WithoutCancel(ctx))
	defer cancel()
	if err := m.store.Settle(limited, m.cfg.Name, settlements); err != nil {
		return unanswered(ctx, "settle", err)
	}
	for i, v := range verdicts {
		if v.over {
			m.endOne(ctx, r, due[i], v.cause)
		}
		if v.dead {
			r.Dead++
		}
	}
	return nil
}

// judge decodes one expired session and calls OnExpire. One that was handed
// out often, because processes died with it, is still called for: only a call
// that fails at the last attempt gives it up.
func (m *Manager[T]) judge(ctx context.Context, d Due) verdict {
	gone := Settlement{Handle: d.Handle, Rev: d.Rev}
	e, ok := openEnvelope(d.Payload)
	var data T
	if ok {
		data, ok = decode[T](m.cfg.Codec, e.Data)
	}
	if !ok {
		gone.Quarantine = m.cfg.OnCorrupt == Quarantine
		return verdict{settlement: gone, over: true, cause: InvalidFormat}
	}
	if ctx.Err() != nil {
		return verdict{settlement: m.retry(d)}
	}
	ok = m.onExpire(ctx, Expired[T]{
		ID: hex.EncodeToString(d.Hash[:]) + "-" + strconv.FormatUint(d.Rev, 36), Data: data, Subject: e.Subject, Key: e.Key,
		Cause: d.Cause, CreatedAt: d.CreatedAt, LastActivity: d.LastActivity, ExpiresAt: d.ExpiresAt, Attempt: d.Attempt,
	})
	if !ok {
		return m.failed(ctx, d)
	}
	return verdict{settlement: gone, over: true, cause: d.Cause}
}

// failed is the verdict on a session for which OnExpire did not succeed.
func (m *Manager[T]) failed(ctx context.Context, d Due) verdict {
	switch {
	case ctx.Err() != nil: // it was interrupted: that is not its failure
		return verdict{settlement: m.retry(d)}
	case d.Attempt >= maxAttempts:
		gone := Settlement{Handle: d.Handle, Rev: d.Rev, Quarantine: m.cfg.OnCorrupt == Quarantine}
		return verdict{settlement: gone, over: true, cause: d.Cause, failed: true, dead: true}
	}
	return verdict{settlement: m.retry(d), failed: true}
}

func (m *Manager[T]) retry(d Due) Settlement {
	wait := retryAfter << min(d.Attempt-1, 20)
	return Settlement{Handle: d.Handle, Rev: d.Rev, Retry: min(wait, m.cfg.CleanupInterval)}
}

// onExpire calls the user's function and reports whether it succeeded. A panic
// is a failure.
func (m *Manager[T]) onExpire(ctx context.Context, e Expired[T]) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, callbackFor)
	defer cancel()
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return m.cfg.OnExpire(ctx, e) == nil
}
