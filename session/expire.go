// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A claim outlasts the calls of its batch: 4 rounds of all workers, of at most 30 s
// and the patience each, are less than claimFor, and where the store was slow the
// contexts of the last ones end earlier. So no other process is given a session while
// OnExpire handles it, as long as OnExpire returns when its context ends.
const (
	callbackRounds = 4
	callbackFor    = 30 * time.Second
	patience       = 5 * time.Second // with a call whose context has ended
	maxAttempts    = 5
	retryAfter     = time.Second // doubled with each attempt, up to CleanupInterval
)

// verdict is what came of one expired session.
type verdict struct {
	StoreSettle
	failed bool // OnExpire failed
	dead   bool // no call of OnExpire could handle it
}

// callBack hands expired sessions to OnExpire, a few at a time, and settles
// all of them together. What a settlement that fails leaves open is
// reported again: at least once, never lost.
func (m *Manager[T]) callBack(ctx context.Context, r *Report, due []StoreDue) error {
	if len(due) == 0 {
		return nil
	}
	verdicts := make([]verdict, len(due))
	var wg sync.WaitGroup
	workers := make(chan struct{}, m.cfg.CleanupWorkers)
	for i, d := range due {
		workers <- struct{}{}
		wg.Go(func() {
			defer func() { <-workers }()
			verdicts[i] = m.failed(ctx, d) // stays so if the codec ends the goroutine
			verdicts[i] = m.judge(ctx, d)
		})
	}
	wg.Wait()
	settlements := make([]StoreSettle, len(due))
	for i, v := range verdicts {
		settlements[i] = v.StoreSettle
		if v.failed {
			r.CallbackErrors++
		}
	}
	limited, cancel := m.bounded(context.WithoutCancel(ctx), storeFactor)
	defer cancel()
	if _, err := m.store.Claim(limited, StoreClaim{Space: m.cfg.Name, Settle: settlements}); err != nil {
		return unanswered(ctx, "settle", err)
	}
	for i, v := range verdicts {
		if v.Retry == 0 {
			m.endOne(ctx, r, due[i])
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
func (m *Manager[T]) judge(ctx context.Context, d StoreDue) verdict {
	s, ok := m.opened(ID{}, d.StoreRecord)
	if !ok {
		return m.left(ctx, d)
	}
	if ctx.Err() != nil || m.unstuck() != nil {
		return m.again(d)
	}
	ok = m.onExpire(ctx, Expired[T]{
		ID: hex.EncodeToString(d.Hash[:]) + "-" + strconv.FormatUint(d.Rev, 36), Data: s.Data, Subject: s.Subject, Conversation: s.Conversation,
		Reason: d.Reason, CreatedAt: d.CreatedAt, LastActivity: d.LastActivity, ExpiresAt: d.ExpiresAt, Attempt: d.Attempt,
	})
	if !ok {
		return m.failed(ctx, d)
	}
	return settled(d, 0)
}

// left is the verdict on a session that this instance cannot decode. It is due
// again until Config.Grace has passed, so that another instance can handle it.
// The time is counted in attempts, of which maxAttempts may be failures of
// OnExpire, which come sooner.
func (m *Manager[T]) left(ctx context.Context, d StoreDue) verdict {
	m.undecodable(ctx)
	wait := max(m.cfg.CleanupInterval, m.cfg.Grace/16)
	if d.Attempt > maxAttempts+1+int(m.cfg.Grace/wait) {
		return m.givenUp(d)
	}
	return settled(d, wait)
}

// settled is the verdict on a session that is gone for good, or due again after so
// long.
func settled(d StoreDue, retry time.Duration) verdict {
	return verdict{StoreSettle: StoreSettle{StoreHandle: d.StoreHandle, Rev: d.Rev, Retry: retry}}
}

// givenUp is the verdict on a session that no call of OnExpire could handle.
func (m *Manager[T]) givenUp(d StoreDue) verdict {
	v := settled(d, 0)
	v.Quarantine, v.dead = m.cfg.OnCorrupt == QuarantineCorrupt, true
	return v
}

// failed is the verdict on a session for which OnExpire did not succeed.
func (m *Manager[T]) failed(ctx context.Context, d StoreDue) verdict {
	v := m.again(d)
	if ctx.Err() != nil { // it was interrupted: that is not its failure
		return v
	}
	if d.Attempt >= maxAttempts {
		v = m.givenUp(d)
	}
	v.failed = true
	return v
}

func (m *Manager[T]) again(d StoreDue) verdict {
	return settled(d, min(retryAfter<<min(d.Attempt-1, 20), m.cfg.CleanupInterval))
}

// onExpire calls the user's function and reports whether it succeeded. A panic
// is a failure, and so is a call that does not heed the end of its context: it
// is left behind, so that it keeps neither the cleanup nor Stop waiting.
func (m *Manager[T]) onExpire(ctx context.Context, e Expired[T]) bool {
	ctx, cancel := context.WithTimeout(ctx, callbackFor)
	defer cancel()
	done := make(chan bool, 1)
	var over atomic.Bool // set by the one of caller and callee who is first to go
	go func() {
		ok := false
		defer func() {
			_ = recover()
			done <- ok
			if over.Swap(true) {
				m.stuck.Add(-1)
			}
		}()
		ok = m.cfg.OnExpire(ctx, e) == nil
	}()
	select {
	case ok := <-done:
		return ok
	case <-ctx.Done():
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case ok := <-done:
		return ok
	case <-late.C:
	}
	m.stuck.Add(1)
	if over.Swap(true) {
		m.stuck.Add(-1)
	}
	return false
}

// unstuck refuses to call OnExpire while as many calls as may run at once have
// been left behind: each further one would be one more goroutine.
func (m *Manager[T]) unstuck() error {
	if n := m.stuck.Load(); m.cfg.OnExpire != nil && n >= int64(m.cfg.CleanupWorkers) {
		return fmt.Errorf("session: cleanup: %d calls of OnExpire have not returned, though their contexts have ended", n)
	}
	return nil
}
