// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestNewNeedsAStore(t *testing.T) {
	for _, store := range []lock.Store{nil, (*memlock.Store)(nil), (*faulty)(nil)} {
		_, err := lock.New(store, lock.Config{Name: "rooms"})
		wantErr(t, err, lock.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), "New needs a store") {
			t.Errorf("%T: %v", store, err)
		}
	}
}

func TestANilRecorderOrObserverIsNone(t *testing.T) {
	var (
		trail *audit.Log
		seen  *watcher
	)
	m, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Audit: trail, Observer: seen})
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err)
	wantErr(t, l.Release(t.Context()))
	wantErr(t, m.Close(t.Context()))
	if s := m.Stats(); s != (lock.Stats{}) {
		t.Errorf("stats: %+v, want no failure", s)
	}
	_, err = lock.New(memlock.New(), lock.Config{Name: "rooms", Audit: trail, AuditRequired: true})
	wantErr(t, err, lock.ErrInvalid)
}

func TestNilOptionsAreSkipped(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("a"), nil, lock.Holder("ada"), nil)
	l, err := d.Resume(t.Context(), l.Detach(), nil)
	wantErr(t, err)
	wantErr(t, d.ForceRelease(t.Context(), lock.Hold{ID: l.ID(), Resource: l.Resource()}, nil))
	wantErr(t, d.Do(t.Context(), lock.Key("b"), func(context.Context, *lock.Lease) error { return nil }, nil))
}

// refusing is a store that cannot work as it was made.
type refusing struct{ sent *int }

var errMisconfigured = fmt.Errorf("%w: no server was named", lock.ErrInvalid)

func (refusing) Acquire(context.Context, lock.StoreClaim) (lock.StoreGrant, error) {
	return lock.StoreGrant{}, errMisconfigured
}
func (refusing) Wait(context.Context, lock.StoreClaim, lock.StoreGrant) (lock.StoreGrant, error) {
	return lock.StoreGrant{}, errMisconfigured
}
func (refusing) Extend(context.Context, []lock.StoreRenewal) ([]lock.StoreGrant, error) {
	return nil, errMisconfigured
}
func (r refusing) Release(context.Context, []lock.StoreTicket) ([]lock.StoreGrant, error) {
	*r.sent++
	return nil, errMisconfigured
}
func (refusing) Holds(context.Context, lock.StoreQuery) iter.Seq2[lock.Hold, error] {
	return func(yield func(lock.Hold, error) bool) { yield(lock.Hold{}, errMisconfigured) }
}
func (refusing) Sweep(context.Context, lock.StoreQuery, []string) ([]lock.Hold, error) {
	return nil, errMisconfigured
}

func TestWhatAStoreRefusesAsInvalidIsNotUnavailable(t *testing.T) {
	released := 0
	m, err := lock.New(refusing{&released}, lock.Config{Name: "rooms"})
	if err != nil {
		t.Fatal(err)
	}
	ref := newDesk(t, lock.Config{}).take(t, lock.Key("room")).Detach()
	for what, call := range map[string]func() error{
		"TryAcquire": func() error { _, err := m.TryAcquire(t.Context(), lock.Key("room")); return err },
		"Acquire":    func() error { _, err := m.Acquire(t.Context(), lock.Key("room")); return err },
		"Resume":     func() error { _, err := m.Resume(t.Context(), ref); return err },
		"Sweep":      func() error { _, err := m.Sweep(t.Context()); return err },
		"Holds": func() (err error) {
			for _, err = range m.Holds(t.Context(), lock.Resource{}) {
			}
			return err
		},
	} {
		if err := call(); !errors.Is(err, lock.ErrInvalid) || errors.Is(err, lock.ErrUnavailable) {
			t.Errorf("%s: %v, want an ErrInvalid that is no ErrUnavailable", what, err)
		}
	}
	wantErr(t, m.Close(t.Context()))
	if released != 0 {
		t.Errorf("%d releases of claims that were never sent", released)
	}
}
