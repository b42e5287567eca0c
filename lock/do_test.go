// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestDoRenewsWhileTheFunctionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		got, err := lock.Do(t.Context(), d.Manager, lock.Key("room"), func(ctx context.Context, l *lock.Lease) (string, error) {
			time.Sleep(time.Hour)
			return "booked", errors.Join(ctx.Err(), l.Err())
		})
		wantErr(t, err)
		if got != "booked" {
			t.Errorf("got %q", got)
		}
		wantList(t, "held", d.held(t))
	})
}

func TestDoWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, lock.Key("room"), lock.TTL(time.Second)).Detach()
		wantErr(t, d.Do(t.Context(), lock.Key("room"), func(_ context.Context, l *lock.Lease) error {
			if l.Waited() != time.Second {
				t.Errorf("waited %s", l.Waited())
			}
			return nil
		}))
	})
}

func TestDoSaysWhenTheLeaseWasLost(t *testing.T) {
	own := errors.New("own")
	for _, c := range []struct {
		name string
		cfg  lock.Config
		want error
	}{
		{"lost", lock.Config{}, lock.ErrLost},
		{"MaxHold", lock.Config{MaxHold: time.Minute}, lock.ErrMaxReached},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, c.cfg)
				for _, result := range []error{nil, own} {
					err := d.Do(t.Context(), lock.Key("room"), func(ctx context.Context, _ *lock.Lease) error {
						d.store.hang.Store(c.want == lock.ErrLost)
						<-ctx.Done()
						return result
					})
					wantErr(t, err, c.want, lock.ErrNotHeld)
					if result != nil {
						wantErr(t, err, own)
					}
					d.store.hang.Store(false)
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

func TestDoReleasesWhateverWayTheFunctionEnds(t *testing.T) {
	d := newDesk(t, lock.Config{})
	own := errors.New("own")
	err := d.Do(t.Context(), lock.Key("room"), func(context.Context, *lock.Lease) error { return own })
	if err != own {
		t.Errorf("error is %v, want the function's own", err)
	}
	func() {
		defer func() {
			if recover() != "fn" {
				t.Error("the panic was swallowed")
			}
		}()
		_ = d.Do(t.Context(), lock.Key("room"), func(context.Context, *lock.Lease) error { panic("fn") })
	}()
	wantErr(t, d.Do(t.Context(), lock.Key("room"), func(ctx context.Context, l *lock.Lease) error { return l.Release(ctx) }))
	wantList(t, "held", d.held(t))
}

func TestDoReportsThatCloseReleasedItsLease(t *testing.T) {
	d := newDesk(t, lock.Config{})
	other, own := newDesk(t, lock.Config{}, d.store), errors.New("own")
	err := d.Do(t.Context(), lock.Key("room"), func(ctx context.Context, l *lock.Lease) error {
		wantErr(t, d.Close(context.WithoutCancel(ctx)))
		wantErr(t, context.Cause(ctx), lock.ErrReleased, lock.ErrClosed)
		other.take(t, lock.Key("room"))
		return own
	})
	wantErr(t, err, own, lock.ErrNotHeld, lock.ErrClosed)
}

func TestDoForgivesAReleaseWithoutAnAnswer(t *testing.T) {
	d := newDesk(t, lock.Config{})
	wantErr(t, d.Do(t.Context(), lock.Key("room"), func(context.Context, *lock.Lease) error {
		d.store.down.Store(true)
		return nil
	}))
	if e := d.seen.last(); e.Op != lock.OpRelease || e.Result != lock.ResultUnavailable {
		t.Errorf("observed %s %s", e.Op, e.Result)
	}
}

func TestDoRefusesNoFunctionAndNoLease(t *testing.T) {
	d := newDesk(t, lock.Config{})
	wantErr(t, d.Do(t.Context(), lock.Key("room"), nil), lock.ErrInvalid)
	_, err := lock.Do[int](t.Context(), d.Manager, lock.Key("room"), nil)
	wantErr(t, err, lock.ErrInvalid)
	called := false
	_, err = lock.Do(t.Context(), d.Manager, lock.Key(""), func(context.Context, *lock.Lease) (int, error) { called = true; return 1, nil })
	wantErr(t, err, lock.ErrInvalid)
	if called {
		t.Error("the function ran without a lease")
	}
}
