// SPDX-License-Identifier: MIT

package redissession

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// The partition remembers the revision of a record that goes only while the
// clock has not passed it: then the next record of that place would repeat it.
func TestARevisionIsRememberedUntilTheClockHasPassedIt(t *testing.T) {
	const forget = time.Duration(-1)
	for name, c := range map[string]struct {
		back time.Duration // by how much the clock steps back before the record is deleted
		want time.Duration // how long its revision is remembered
	}{
		"a microsecond later":          {-time.Microsecond, forget},
		"within the same microsecond":  {0, time.Millisecond},
		"a microsecond earlier":        {time.Microsecond, 2 * time.Millisecond},
		"1.5 ms earlier":               {1500 * time.Microsecond, 3 * time.Millisecond},
		"an hour earlier":              {time.Hour, time.Hour + time.Millisecond},
		"more, which is a damaged one": {time.Hour + time.Microsecond, forget},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, m := redistest.Virtual(t)
				s, start := New(client), time.Now().Add(987654*time.Microsecond)
				m.SetTime(start)
				r := done(t)(s.Create(t.Context(), newWrite("x"))).Record
				m.SetTime(start.Add(-c.back))
				if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{r.Hash}}); len(gone.Removed) != 1 || err != nil {
					t.Fatalf("deleted %+v, %v", gone, err)
				}
				noted := string(s.slotOf(space, r.Hash)) + "r"
				got, _ := client.Get(t.Context(), noted).Result()
				if left := client.PTTL(t.Context(), noted).Val(); c.want == forget && got != "" {
					t.Errorf("remembered %q", got)
				} else if c.want != forget && (got != strconv.FormatUint(r.Rev, 10) || left != c.want) {
					t.Errorf("remembered %q for %v, want %d for %v", got, left, r.Rev, c.want)
				}
			})
		})
	}
}

func TestALowerRevisionDoesNotReplaceTheOneThatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, m := redistest.Virtual(t)
		s, start := New(client), time.Now()
		m.SetTime(start)
		first := done(t)(s.Create(t.Context(), newWrite("x"))).Record
		second := done(t)(s.Save(t.Context(), next(done(t)(s.Create(t.Context(), newWrite("x"))), "y"))).Record
		for _, h := range []session.Hash{second.Hash, first.Hash} {
			if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{h}}); err != nil {
				t.Fatal(err)
			}
		}
		w := newWrite("again")
		w.StoreHandle = second.StoreHandle
		if again := done(t)(s.Create(t.Context(), w)).Record; again.Rev <= second.Rev {
			t.Errorf("revision %d after %d: an old handle could overwrite a new session", again.Rev, second.Rev)
		}
	})
}

// A record lives up to its deadline, and at its deadline no longer, whatever
// looks at it.
func TestARecordHasLapsedAtItsDeadline(t *testing.T) {
	for name, live := range map[string]func(*testing.T, *Store, session.StoreRecord) bool{
		"Load": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			return peek(t, s, r.StoreHandle).Status == session.StatusDone
		},
		"Load of the header": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			return answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.StoreHandle, Bare: true})).Status == session.StatusDone
		},
		"Create": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			w := newWrite("other")
			w.StoreHandle = r.StoreHandle
			return answered(t)(s.Create(t.Context(), w)).Status == session.StatusExists
		},
		"Create at the limit": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			w := of(newWrite("other"), r.Owner)
			w.MaxPerOwner = 1
			return answered(t)(s.Create(t.Context(), w)).Status == session.StatusOverLimit
		},
		"Save": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			return answered(t)(s.Save(t.Context(), next(session.StoreReply{Record: r}, "other"))).Status == session.StatusDone
		},
		"List": func(t *testing.T, s *Store, r session.StoreRecord) bool {
			for range s.List(t.Context(), session.StoreList{Space: space, Owner: r.Owner}) {
				return true
			}
			return false
		},
		"Count": func(t *testing.T, s *Store, _ session.StoreRecord) bool {
			return count(t, s) == session.StoreCount{Active: 1}
		},
		"Claim": func(t *testing.T, s *Store, _ session.StoreRecord) bool {
			return len(claim(t, s, session.StoreClaim{}).Due) == 0
		},
	} {
		for _, absolute := range []bool{false, true} {
			inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
				w := of(newWrite("x"), newHash(7))
				if absolute {
					w.Idle, w.Total = time.Hour, time.Minute
				}
				r := done(t)(s.Create(t.Context(), w)).Record
				time.Sleep(time.Minute - time.Millisecond)
				if !live(t, s, r) {
					t.Errorf("%s a millisecond before the deadline (absolute: %v) finds that it has lapsed", name, absolute)
				}
			})
			inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
				w := of(newWrite("x"), newHash(7))
				if absolute {
					w.Idle, w.Total = time.Hour, time.Minute
				}
				r := done(t)(s.Create(t.Context(), w)).Record
				time.Sleep(time.Minute)
				if live(t, s, r) {
					t.Errorf("%s at the deadline (absolute: %v) finds it alive", name, absolute)
				}
			})
		}
	}
}

// A lease keeps others away up to its end, and at its end no longer.
func TestALeaseIsFreeAtItsEnd(t *testing.T) {
	const lasting = 10 * time.Second
	for name, c := range map[string]struct {
		call          func(*testing.T, *Store, session.StoreRecord) session.StoreReply
		before, after session.StoreStatus
	}{
		"Save without it": {func(t *testing.T, s *Store, r session.StoreRecord) session.StoreReply {
			return answered(t)(s.Save(t.Context(), next(session.StoreReply{Record: r}, "y")))
		}, session.StatusLeased, session.StatusDone},
		"Save under it": {func(t *testing.T, s *Store, r session.StoreRecord) session.StoreReply {
			w := next(session.StoreReply{Record: r}, "y")
			w.Lease = "anna"
			return answered(t)(s.Save(t.Context(), w))
		}, session.StatusDone, session.StatusLeased},
		"Load for another": {func(t *testing.T, s *Store, r session.StoreRecord) session.StoreReply {
			return answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.StoreHandle, Lease: "bert", LeaseFor: lasting}))
		}, session.StatusLeased, session.StatusDone},
		"Load that renews it": {func(t *testing.T, s *Store, r session.StoreRecord) session.StoreReply {
			return answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.StoreHandle, Lease: "anna", LeaseFor: lasting, Held: true}))
		}, session.StatusDone, session.StatusLeased},
	} {
		for left, want := range map[time.Duration]session.StoreStatus{time.Millisecond: c.before, 0: c.after} {
			inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
				r := done(t)(s.Create(t.Context(), newWrite("x"))).Record
				done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.StoreHandle, Lease: "anna", LeaseFor: lasting}))
				time.Sleep(lasting - left)
				got := c.call(t, s, r)
				if got.Status != want || got.Status == session.StatusLeased && got.Retry != left {
					t.Errorf("%s, %v before the end: %v for %v, want %v", name, left, got.Status, got.Retry, want)
				}
			})
		}
	}
}
