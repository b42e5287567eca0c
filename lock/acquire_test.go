// SPDX-License-Identifier: MIT

package lock_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

func TestTryAcquireIsOneRoundTrip(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, nights("room/101", 12, 15), lock.Holder("ada"), lock.Reason("booking"), lock.Detail("channel", "web"))
	if n := d.store.calls.Load(); n != 1 {
		t.Errorf("%d calls of the store, want 1", n)
	}
	for h := range d.Holds(t.Context(), lock.Key("room/101")) {
		if h.ID != l.ID() || h.Fence != l.Fence() || h.Holder != "ada" || h.Reason != "booking" || h.Details["channel"] != "web" {
			t.Errorf("the hold is %+v", h)
		}
	}
	if l.Err() != nil || l.Waited() != 0 || l.Resource().String() != "room/101 [2026-12-12, 2026-12-15)" {
		t.Errorf("the lease is %v, %v, waited %s", l, l.Err(), l.Waited())
	}
}

func TestAConflictNamesWhoWhichNightsAndForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.take(t, nights("room/101", 12, 15), lock.Holder("ada"), lock.TTL(time.Minute))
		time.Sleep(18 * time.Second)
		_, err := d.TryAcquire(t.Context(), nights("room/101", 14, 16), lock.Holder("bob"))
		conflict, ok := errors.AsType[*lock.ConflictError](err)
		if !ok || !errors.Is(err, lock.ErrConflict) {
			t.Fatalf("error is %v, want a ConflictError", err)
		}
		first, ok := conflict.First()
		if !ok {
			t.Fatal("no conflict is named")
		}
		hold := first.Hold
		in, out := hold.Resource.Times()
		if hold.Holder != "ada" || in.Day() != 12 || out.Day() != 15 || hold.Left != 42*time.Second || conflict.RetryAfter() != 42*time.Second {
			t.Errorf("in the way is %+v, retry after %s", hold, conflict.RetryAfter())
		}
		want := "lock: room/101 [2026-12-14, 2026-12-16) is taken by a hold of room/101 [2026-12-12, 2026-12-15) that ends in 42s"
		if err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
		d.take(t, nights("room/101", 15, 16)) // arrives on the departure day
	})
}

func TestConflictsAreInTheOrderOfWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		for _, in := range []int{20, 12, 16, 14} {
			d.take(t, nights("room/102", in, in+1))
		}
		d.take(t, lock.Key("room/101"))
		_, err := d.TryAcquire(t.Context(), lock.All(lock.Key("room/102"), lock.Key("room/101")))
		conflict, _ := errors.AsType[*lock.ConflictError](err)
		var got []string
		for _, c := range conflict.Conflicts {
			got = append(got, c.Hold.Resource.String())
		}
		wantList(t, "conflicts", got, "room/101", "room/102 [2026-12-12, 2026-12-13)", "room/102 [2026-12-14, 2026-12-15)",
			"room/102 [2026-12-16, 2026-12-17)", "room/102 [2026-12-20, 2026-12-21)")
		if want := "lock: room/101, room/102 is taken by a hold of room/101 that ends in 30s, and by 4 more"; err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
	})
}

func TestThereIsNoReentrancy(t *testing.T) {
	d := newDesk(t, lock.Config{Holder: "ada"})
	d.take(t, lock.Key("room"))
	_, err := d.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err, lock.ErrConflict)
}

func TestNonsenseIsRefusedBeforeAnythingIsSent(t *testing.T) {
	d := newDesk(t, lock.Config{
		GroupBy: func(name string) string {
			if name == "nogroup" {
				return ""
			}
			return name[:1]
		},
		Capacity: func(string) int { return 2 },
	})
	many := make([]lock.Resource, 1025)
	for i := range many {
		many[i] = lock.Span("a", int64(i), int64(i+1))
	}
	key := lock.Key("a")
	for name, c := range map[string]struct {
		r    lock.Resource
		opts []lock.Option
	}{
		"zero resource":      {},
		"no name":            {r: lock.Key("")},
		"NUL":                {r: lock.Key("a\x00")},
		"huge name":          {r: lock.Key(strings.Repeat("a", 256))},
		"from = to":          {r: lock.Span("a", 1, 1)},
		"from > to":          {r: lock.Span("a", 2, 1)},
		"no night":           {r: nights("a", 12, 12)},
		"bounds":             {r: lock.Span("a", 0, lock.MaxBound+1)},
		"far away":           {r: lock.Between("a", date(1), date(1).AddDate(300, 0, 0))},
		"no date":            {r: lock.Dates("a", "2026-12-12", "15.12.2026")},
		"no first date":      {r: lock.Dates("a", "", "2026-12-15")},
		"shared units":       {r: key.Units(2).Shared()},
		"units of shared":    {r: key.Shared().Units(2)},
		"a part with units":  {r: lock.All(key, lock.Key("aa").Units(2)).Shared()},
		"a part is shared":   {r: lock.All(key, lock.Key("aa").Shared()).Units(2)},
		"negative Wait":      {r: key, opts: []lock.Option{lock.Wait(-1)}},
		"kept too long":      {r: key, opts: []lock.Option{lock.KeepAtLeast(1 << 62)}},
		"kept without TTL":   {r: key, opts: []lock.Option{lock.TTL(0), lock.KeepAtLeast(time.Hour)}},
		"unknown kind":       {r: lock.Of(9, "a", 1, 2)},
		"All of nothing":     {r: lock.All()},
		"All of itself":      {r: lock.All(lock.Span("a", 1, 5), lock.Span("a", 4, 9))},
		"All of nonsense":    {r: lock.All(key, lock.Key(""))},
		"two groups":         {r: lock.All(lock.Key("a1"), lock.Key("b1"))},
		"no group":           {r: lock.Key("nogroup")},
		"too many parts":     {r: lock.All(many...)},
		"no units":           {r: key.Units(0)},
		"units over":         {r: key.Units(3)},
		"no TTL":             {r: key, opts: []lock.Option{lock.TTL(0)}},
		"short TTL":          {r: key, opts: []lock.Option{lock.TTL(time.Microsecond)}},
		"negative TTL":       {r: key, opts: []lock.Option{lock.TTL(-time.Hour)}},
		"endless TTL":        {r: key, opts: []lock.Option{lock.TTL(1 << 62)}},
		"NUL in holder":      {r: key, opts: []lock.Option{lock.Holder("\x00")}},
		"huge holder":        {r: key, opts: []lock.Option{lock.Holder(strings.Repeat("x", 256))}},
		"reason not text":    {r: key, opts: []lock.Option{lock.Reason("\xff")}},
		"detail without key": {r: key, opts: []lock.Option{lock.Detail("", "x")}},
		"huge detail":        {r: key, opts: []lock.Option{lock.Detail("k", strings.Repeat("x", 4096))}},
		"too many details": {r: key, opts: slices.Collect(func(yield func(lock.Option) bool) {
			for i := range 17 {
				yield(lock.Detail(string(rune('a'+i)), ""))
			}
		})},
	} {
		for _, acquire := range []func(context.Context, lock.Resource, ...lock.Option) (*lock.Lease, error){d.TryAcquire, d.Acquire} {
			if l, err := acquire(t.Context(), c.r, c.opts...); l != nil || !errors.Is(err, lock.ErrInvalid) {
				t.Errorf("%s: %v, %v, want ErrInvalid", name, l, err)
			}
		}
		if e := d.seen.last(); e.Op != lock.OpAcquire || e.Result != lock.ResultInvalid {
			t.Errorf("%s: observed as %s %s", name, e.Op, e.Result)
		}
	}
	if n := d.store.calls.Load(); n != 0 {
		t.Errorf("the store was called %d times", n)
	}
}

func TestGroupsDoNotConflictAndCapacityIsPerName(t *testing.T) {
	d := newDesk(t, lock.Config{
		GroupBy:  func(name string) string { return name[:1] },
		Capacity: func(name string) int { return len(name) },
	})
	d.take(t, lock.All(lock.Key("aa").Units(2), lock.Key("ab")))
	d.take(t, lock.Key("ab"))
	_, err := d.TryAcquire(t.Context(), lock.Key("ab"))
	wantErr(t, err, lock.ErrConflict)
	d.take(t, lock.Key("b"))
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	d := newDesk(t, lock.Config{})
	why := errors.New("guest left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := d.TryAcquire(ctx, lock.Key("room"))
	wantErr(t, err, context.Canceled, why)
	_, err = d.Acquire(ctx, lock.Key("room"))
	wantErr(t, err, context.Canceled, why)
	if n := d.store.calls.Load(); n != 0 {
		t.Errorf("the store was called %d times", n)
	}
}

func TestAStoreThatDoesNotAnswerIsUnavailableWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.down.Store(true)
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable, errDown)

		d.store.down.Store(false)
		d.store.hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = d.Acquire(ctx, lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable, context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s, want the deadline's 1s", took)
		}
		wantList(t, "observed", d.seen.seen(), "acquire unavailable", "acquire unavailable")
	})
}

func TestACancelledCallIsNotUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.hang.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := d.TryAcquire(ctx, lock.Key("room"))
		wantErr(t, err, context.Canceled)
		if errors.Is(err, lock.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
		wantList(t, "observed", d.seen.seen(), "acquire canceled")
	})
}

func TestAGrantWhoseAnswerGotLostIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{})
		d.store.lose.Store(true)
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable)
		d.store.lose.Store(false)
		time.Sleep(2 * time.Second)
		wantList(t, "held", d.held(t))
	})
}

// late grants only after the caller has gone, as a request in a slow network
// does.
type late struct{ lock.Store }

func (s late) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	go func() {
		time.Sleep(50 * time.Millisecond) // in a bubble
		_, _ = s.Store.Acquire(context.WithoutCancel(ctx), c)
	}()
	return lock.StoreGrant{}, errDown
}

func TestAClaimStillOnItsWayWhenGivenUpHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFaulty()
		f.Store = late{f.Store}
		d := newDesk(t, lock.Config{}, f)
		_, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable)
		for range 4 {
			time.Sleep(30 * time.Millisecond) // the request arrives after 50 ms
			wantList(t, "held", d.held(t))
		}
	})
}

func TestAnAnswerLaterThanTheLeaseIsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, lock.Config{TTL: time.Second})
		d.store.delay.Store(int64(995 * time.Millisecond)) // within the TTL, but not less 1 % and 2 ms
		l, err := d.TryAcquire(t.Context(), lock.Key("room"))
		wantErr(t, err, lock.ErrUnavailable)
		if l != nil {
			t.Errorf("got %v", l)
		}
		if d.Stats().Held != 0 {
			t.Errorf("stats: %+v", d.Stats())
		}
	})
}

func TestAnAnswerThatMakesNoSenseIsUnavailable(t *testing.T) {
	d := newDesk(t, lock.Config{})
	l := d.take(t, lock.Key("a"))
	ref := d.take(t, lock.Key("b")).Detach()
	odd := lock.StoreStatus(9)
	d.store.forged.Store(&odd)
	_, err := d.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err, lock.ErrUnavailable)
	wantErr(t, l.Extend(t.Context(), 0), lock.ErrUnavailable)
	_, err = d.Resume(t.Context(), ref)
	wantErr(t, err, lock.ErrUnavailable)
}

func TestACapacityWithoutLimitLetsNoWriterBesideAReader(t *testing.T) {
	d := newDesk(t, lock.Config{Capacity: func(string) int { return math.MaxInt }})
	d.take(t, lock.Key("room").Shared())
	_, err := d.TryAcquire(t.Context(), lock.Key("room"))
	wantErr(t, err, lock.ErrConflict)
	d.take(t, lock.Key("pool").Units(math.MaxInt32))
	_, err = d.TryAcquire(t.Context(), lock.Key("pool").Units(math.MaxInt32))
	wantErr(t, err, lock.ErrConflict)
}
