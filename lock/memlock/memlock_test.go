// SPDX-License-Identifier: MIT

package memlock_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/locktest"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestTheStoreKeepsItsPromises(t *testing.T) {
	locktest.Run(t, func(testing.TB) lock.Store { return memlock.New() }, locktest.Virtual(), locktest.Steps(50_000))
}

func TestUnrecordedExpiriesAreBoundedInNumberAndDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memlock.New()
		claim := func(i int) lock.StoreClaim {
			return lock.StoreClaim{
				StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", ID: fmt.Sprint("id", i), Token: "token"},
				Resource:    lock.Span("room", int64(i), int64(i+1)), Capacity: []int{1}, TTL: time.Second + time.Duration(i)*time.Millisecond,
			}
		}
		for i := range 1100 {
			if g, err := s.Acquire(t.Context(), claim(i)); err != nil || g.Status != lock.StatusGranted {
				t.Fatalf("claim %d: status %d, %v", i, g.Status, err)
			}
		}
		time.Sleep(time.Hour)
		due := func() []lock.Hold {
			list, err := s.Sweep(t.Context(), lock.StoreQuery{Space: "rooms", Group: "all", Limit: 5000}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if list := due(); len(list) != 1024 || list[0].ID != "id76" {
			t.Errorf("%d expired holds are listed, want the youngest 1024", len(list))
		}
		time.Sleep(7 * 24 * time.Hour)
		if n := len(due()); n != 0 {
			t.Errorf("%d expired holds are listed after a week, want none", n)
		}
	})
}

func TestAnIdInUseIsNotGrantedToAnotherToken(t *testing.T) {
	s := memlock.New()
	c := lock.StoreClaim{
		StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", ID: "id", Token: "mine"},
		Resource:    lock.Key("a"), Capacity: []int{1}, TTL: time.Minute,
	}
	if g, err := s.Acquire(t.Context(), c); err != nil || g.Status != lock.StatusGranted {
		t.Fatalf("status %d, %v", g.Status, err)
	}
	c.Token, c.Resource = "yours", lock.Key("b")
	if g, err := s.Acquire(t.Context(), c); err != nil || g.Status != lock.StatusMissing {
		t.Errorf("status %d, %v; want Missing", g.Status, err)
	}
}

func TestAClaimOfNothingIsInvalid(t *testing.T) {
	if _, err := memlock.New().Acquire(t.Context(), lock.StoreClaim{TTL: time.Minute}); !errors.Is(err, lock.ErrInvalid) {
		t.Errorf("error is %v, want ErrInvalid", err)
	}
}

// It also ends: a timer that is always due would never let the clock go on.
func TestAPlaceThatIsNotUsedIsDroppedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memlock.New()
		claim := func(id string) lock.StoreClaim {
			return lock.StoreClaim{
				StoreTicket: lock.StoreTicket{Space: "rooms", Group: "all", ID: id, Token: "token"},
				Resource:    lock.Key("a"), Capacity: []int{1}, TTL: time.Hour, Queue: true,
			}
		}
		for i, id := range []string{"holder", "dead"} {
			if g, err := s.Acquire(t.Context(), claim(id)); err != nil || g.Place != i {
				t.Fatalf("place %d, %v", g.Place, err)
			}
		}
		time.Sleep(10 * time.Second)
		if g, err := s.Acquire(t.Context(), claim("next")); err != nil || g.Place != 1 {
			t.Errorf("behind one that has not waited for 10 s: place %d, %v; want 1", g.Place, err)
		}
	})
}

func TestGroupsWithoutAHoldAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memlock.New()
		m, err := lock.New(s, lock.Config{Name: "rooms", GroupBy: func(name string) string { return name }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			l, err := m.TryAcquire(t.Context(), lock.Key(fmt.Sprint("room", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * lock.StoreRememberFor)
		if n := s.Groups(); n != 0 {
			t.Errorf("%d groups are remembered, want none", n)
		}
	})
}
