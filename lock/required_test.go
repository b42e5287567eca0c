// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// sinkFunc is an audit sink made of a function.
type sinkFunc func(context.Context, []audit.Event) error

func (f sinkFunc) Write(ctx context.Context, batch []audit.Event) error { return f(ctx, batch) }

// With audit.Direct, an acquire that the trail could not store is undone,
// whatever became of the sink, and a release is never refused.
func TestWithDirectAnAcquireIsStoredOrUndone(t *testing.T) {
	for name, sink := range map[string]audit.Sink{
		"fails":        sinkFunc(func(context.Context, []audit.Event) error { return errors.New("disk full") }),
		"refuses":      sinkFunc(func(context.Context, []audit.Event) error { return fmt.Errorf("no: %w", audit.ErrPermanent) }),
		"panics":       sinkFunc(func(context.Context, []audit.Event) error { panic("sink") }),
		"hangs":        sinkFunc(func(ctx context.Context, _ []audit.Event) error { <-ctx.Done(); return ctx.Err() }),
		"is deaf":      sinkFunc(func(context.Context, []audit.Event) error { time.Sleep(time.Minute); return nil }),
		"is nil":       nil,
		"no path":      audit.NewJSONLines(""),
		"one of two":   audit.Multi(audit.NewMemory(), audit.NewJSONLines("")),
		"filter panic": audit.Filter(audit.NewMemory(), func(audit.Event) bool { panic("filter") }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, stored := memlock.New(), audit.NewMemory()
				well := newManager(t, store, audit.Direct(stored))
				ill := newManager(t, store, audit.Direct(sink))

				l, err := ill.TryAcquire(t.Context(), lock.Key("room"), lock.Holder("ana"))
				wantErr(t, err, lock.ErrAudit)
				if l != nil {
					t.Fatal("got a lease that the trail does not know of")
				}
				synctest.Wait()
				l, err = well.TryAcquire(t.Context(), lock.Key("room"), lock.Holder("ben"))
				wantErr(t, err)
				ref := l.Detach()
				l, err = ill.Resume(t.Context(), ref)
				wantErr(t, err)
				wantErr(t, l.Release(t.Context()))
				_, err = well.TryAcquire(t.Context(), lock.Key("room"), lock.Holder("cy"))
				wantErr(t, err)
				var who []string
				for _, e := range stored.Events() {
					if e.Type == "lock.acquired" {
						who = append(who, e.Actor.ID)
					}
				}
				if !slices.Equal(who, []string{"ben", "cy"}) {
					t.Errorf("the trail says that %v acquired the room, want ben and cy", who)
				}
				time.Sleep(time.Minute) // until the deaf sink has come back
			})
		})
	}
}

func TestAHangingTrailSaysWhatItHasNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := sinkFunc(func(ctx context.Context, _ []audit.Event) error { <-ctx.Done(); return ctx.Err() })
		_, err := newManager(t, memlock.New(), audit.Direct(hangs)).TryAcquire(t.Context(), lock.Key("room/101"))
		wantErr(t, err, lock.ErrAudit, context.DeadlineExceeded)
		if !strings.HasPrefix(err.Error(), "lock: audit event not recorded: lock.acquired of room/101: no answer within 100ms: ") {
			t.Error(err)
		}
	})
}

func TestTookIsWithoutTheTimeOfTheTrail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{AuditRequired: true})
		d.trail.breakWith(func(ctx context.Context, _ audit.Event) error { <-ctx.Done(); return ctx.Err() })
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrAudit)
		if e := d.seen.last(); e.Op != lock.OpAcquire || e.Took != 0 {
			t.Errorf("%s took %s, want the store's time, none", e.Op, e.Took)
		}
	})
}

func newManager(t *testing.T, store lock.Store, recorder audit.Recorder) *lock.Manager {
	t.Helper()
	m, err := lock.New(store, lock.Config{Name: "rooms", Audit: recorder, AuditRequired: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}
