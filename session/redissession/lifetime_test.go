// SPDX-License-Identifier: MIT

package redissession

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// inVirtualTime runs a test whose waits cost nothing.
func inVirtualTime(t *testing.T, run func(t *testing.T, s *Store, client *redis.Client)) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		run(t, New(client), client)
	})
}

func TestARecordLapsesByItsDeadlineThoughRedisStillHasIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		r := done(t)(s.Create(t.Context(), newWrite("x")))
		time.Sleep(time.Until(r.Record.ExpiresAt) - time.Millisecond)
		wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusDone)
		time.Sleep(2 * time.Millisecond) // deadline + 1 ms
		wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusLapsed)
		if n := client.Exists(t.Context(), key(s, r.Record.StoreHandle)).Val(); n != 1 {
			t.Error("Redis has forgotten it before anybody could claim it")
		}
		wantStatus(t, answered(t)(s.Save(t.Context(), next(r, "y"))), session.StatusLapsed)
	})
}

// A negative or missing time to live would make a record immortal; one that is
// too short would lose it before its end is claimed.
func TestEveryRecordHasATimeToLiveJustPastItsDeadline(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		for range 50 {
			w := of(newWrite("x"), newHash(3))
			w.Idle, w.Total = time.Duration(rand.Int64N(int64(time.Hour)))+1, time.Duration(rand.Int64N(int64(2*time.Hour)))
			w.Keep = time.Duration(rand.Int64N(int64(48 * time.Hour)))
			r := done(t)(s.Create(t.Context(), w))
			for step := range 6 {
				keep := time.Duration(template(w).keep) * time.Second
				for name, k := range map[string]string{"record": key(s, w.StoreHandle), "owner index": s.slotOf(space, w.Hash).owner(w.Owner)} {
					left := client.PTTL(t.Context(), k).Val()
					least := time.Until(r.Record.ExpiresAt) + keep - time.Millisecond
					if left < least || (name == "record" && left > w.Idle+keep+time.Millisecond) {
						t.Fatalf("step %d: the %s lives for %v, want at least %v and at most idle %v + keep %v", step, name, left, least, w.Idle, keep)
					}
				}
				time.Sleep(time.Duration(rand.Int64N(int64(w.Idle))))
				if step%2 == 0 {
					r = answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Touch: true}))
				} else {
					w = next(r, "y")
					w.Owner, w.Idle, w.Keep = r.Record.Owner, r.Record.Idle, time.Duration(rand.Int64N(int64(time.Hour)))
					r = answered(t)(s.Save(t.Context(), w))
				}
				if r.Status != session.StatusDone {
					break // the absolute deadline
				}
			}
		}
	})
}

func TestARecordWithoutAnyDeadlineIsRefused(t *testing.T) {
	client, _ := redistest.Virtual(t)
	w := newWrite("x")
	w.Idle, w.Total = 0, -time.Second
	if _, err := New(client).Create(t.Context(), w); err == nil {
		t.Error("created a record that never ends")
	}
	if keys := client.Keys(t.Context(), "*}:*").Val(); len(keys) != 0 {
		t.Errorf("wrote %q", keys)
	}
}

func TestWithoutIdleTimeoutOnlyTheAbsoluteDeadlineCounts(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
		w := newWrite("x")
		w.Idle = 0
		r := done(t)(s.Create(t.Context(), w))
		if !r.Record.ExpiresAt.Equal(r.Record.Deadline) {
			t.Errorf("expires at %v, want the absolute deadline %v", r.Record.ExpiresAt, r.Record.Deadline)
		}
		time.Sleep(59 * time.Minute)
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusDone)
		time.Sleep(time.Minute)
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusLapsed)
	})
}

// The store has no clock of its own: a process whose clock is wrong by years
// sees the same sessions as the others.
func TestOnlyTheServersClockCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, m := redistest.Virtual(t)
		ahead := time.Now().Add(20*365*24*time.Hour + 987654*time.Microsecond)
		m.SetTime(ahead)
		s := New(client)
		r := done(t)(s.Create(t.Context(), newWrite("x")))
		if !r.Record.CreatedAt.Equal(ahead.Truncate(time.Millisecond)) || r.Record.Rev != uint64(ahead.UnixMicro()) {
			t.Errorf("created at %v with revision %d, want the server's %v", r.Record.CreatedAt, r.Record.Rev, ahead)
		}
		time.Sleep(2 * time.Hour) // only this process ages
		wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusDone)
		if c := count(t, s); c.Active != 1 {
			t.Errorf("counted %+v, want one active", c)
		}
		m.SetTime(ahead.Add(time.Minute))
		wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusLapsed)
		if c := count(t, s); c.Active != 0 || c.Backlog != 1 {
			t.Errorf("counted %+v, want one in the backlog", c)
		}
	})
}

func TestRevisionsRiseThoughTheServersClockStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, m := redistest.Virtual(t)
		s, start := New(client), time.Now()
		m.SetTime(start)
		w := newWrite("x")
		last := uint64(0)
		for i := range 5 {
			m.SetTime(start.Add(-time.Duration(i) * time.Minute))
			created := done(t)(s.Create(t.Context(), w))
			saved := done(t)(s.Save(t.Context(), next(created, "y")))
			if created.Record.Rev <= last || saved.Record.Rev <= created.Record.Rev {
				t.Fatalf("revisions %d and %d after %d: an old handle could overwrite a new session", created.Record.Rev, saved.Record.Rev, last)
			}
			last = saved.Record.Rev
			if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{w.Hash}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestATouchWritesNeitherPayloadNorRevision(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		r := done(t)(s.Create(t.Context(), newWrite("payload")))
		before := client.Get(t.Context(), key(s, r.Record.StoreHandle)).Val()
		time.Sleep(time.Second)
		touched := done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.Record.StoreHandle, Touch: true}))
		after := client.Get(t.Context(), key(s, r.Record.StoreHandle)).Val()
		if !touched.Touched || before[:42] != after[:42] || before[42:54] == after[42:54] || before[54:] != after[54:] {
			t.Errorf("a touch turned\n%x into\n%x, want only the last activity and the time it lapses to change", before, after)
		}
	})
}

func TestAWriteIsNotReportedAsATouch(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		first := newWrite("0")
		created := done(t)(s.Create(t.Context(), first))
		repeated := done(t)(s.Create(t.Context(), first))
		second := next(created, "1")
		saved := done(t)(s.Save(t.Context(), second))
		resaved := done(t)(s.Save(t.Context(), second))
		w := newWrite("2")
		w.Rev = saved.Record.Rev
		moved := done(t)(s.Move(t.Context(), first.StoreHandle, w))
		removed := done(t)(s.Move(t.Context(), first.StoreHandle, w))
		for name, r := range map[string]session.StoreReply{
			"Create": created, "Create again": repeated, "Save": saved, "Save again": resaved, "Move": moved, "Move again": removed,
		} {
			if r.Touched {
				t.Errorf("%s is reported as a touch", name)
			}
		}
	})
}

func TestATouchHealsIndexesThatWereEvicted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		w := of(newWrite("x"), newHash(9))
		r := done(t)(s.Create(t.Context(), w))
		slot := s.slotOf(space, w.Hash)
		client.Del(t.Context(), slot.expiry(), slot.owner(w.Owner))
		time.Sleep(time.Second)
		done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Touch: true}))
		if c := count(t, s); c.Active != 1 {
			t.Errorf("counted %+v after a touch, want the session again", c)
		}
		for rec, err := range s.List(t.Context(), session.StoreList{Space: space, Owner: w.Owner}) {
			if rec.Hash != r.Record.Hash && !errors.Is(err, session.ErrIncomplete) {
				t.Errorf("listed %+v, %v", rec, err)
			}
		}
	})
}

func TestOwnerIndexesCannotLeak(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		owner := newHash(9)
		u := s.slotOf(space, owner).owner(owner)
		for range 100 { // an abandoned session every half minute
			done(t)(s.Create(t.Context(), of(newWrite("x"), owner)))
			time.Sleep(30 * time.Second)
		}
		if n := client.ZCard(t.Context(), u).Val(); n > 3 {
			t.Errorf("the index has %d entries for 2 live sessions", n)
		}
		time.Sleep(3 * time.Hour)
		if n := client.Exists(t.Context(), u).Val(); n != 0 {
			t.Error("the index outlives every session")
		}
	})
}

func TestAMoveWithinAPartitionKeepsToTheOwnersLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner := New(client), newHash(7)
		there := done(t)(s.Create(t.Context(), of(newWrite("x"), owner))).Record
		from := done(t)(s.Create(t.Context(), newWrite("guest"))).Record
		w := of(newWrite("user"), owner)
		w.Rev, w.MaxPerOwner = from.Rev, 1
		wantStatus(t, answered(t)(s.Move(t.Context(), from.StoreHandle, w)), session.StatusOverLimit)
		w.WhenFull = session.EvictOldest
		if r := done(t)(s.Move(t.Context(), from.StoreHandle, w)); len(r.Evicted) != 1 || r.Evicted[0].Hash != there.Hash {
			t.Errorf("evicted %v, want the one there", r.Evicted)
		}
	})
}

func TestAMoveTakesWhatHasLapsedOutOfTheOwnersIndex(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		owner := newHash(7)
		done(t)(s.Create(t.Context(), of(newWrite("abandoned"), owner)))
		time.Sleep(2 * time.Minute)
		from := done(t)(s.Create(t.Context(), newWrite("guest"))).Record
		w := of(newWrite("user"), owner)
		w.Rev = from.Rev
		done(t)(s.Move(t.Context(), from.StoreHandle, w))
		if got := client.ZRange(t.Context(), s.slotOf(space, owner).owner(owner), 0, -1).Val(); len(got) != 1 || got[0] != string(w.Hash[:]) {
			t.Errorf("the index has %q, want the moved record alone", got)
		}
	})
}

// Once a record is claimed nothing brings it back, and once it is touched in
// time nothing claims it.
func TestOfTouchAndClaimOneWins(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, _ *redis.Client) {
		for range 50 {
			r := done(t)(s.Create(t.Context(), newWrite("x")))
			time.Sleep(time.Until(r.Record.ExpiresAt) - time.Duration(rand.IntN(3))*time.Millisecond)
			var wg sync.WaitGroup
			var touched session.StoreReply
			var claimed session.StoreClaimed
			wg.Go(func() {
				touched, _ = s.Load(t.Context(), session.StoreLoad{StoreHandle: r.Record.StoreHandle, Touch: true})
			})
			wg.Go(func() {
				claimed, _ = s.Claim(t.Context(), session.StoreClaim{Space: space, Max: 10, For: time.Hour, Payload: true})
			})
			wg.Wait()
			if alive := touched.Status == session.StatusDone; alive == (len(claimed.Due) == 1) {
				t.Fatalf("touched: %v, claimed: %d, want one of both", touched.Status, len(claimed.Due))
			}
			if touched.Status == session.StatusDone {
				if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{r.Record.Hash}}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestAnIndexEntryOfALiveRecordIsCorrectedNotClaimed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		r := done(t)(s.Create(t.Context(), newWrite("x")))
		client.ZAdd(t.Context(), s.slotOf(space, r.Record.Hash).expiry(), redis.Z{Score: 1, Member: string(r.Record.Hash[:])})
		if got := claim(t, s, session.StoreClaim{}); len(got.Due) != 0 || got.Rescored != 1 {
			t.Errorf("claimed %+v, want one corrected entry", got)
		}
		wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusDone)
		if c := count(t, s); c.Active != 1 || c.Backlog != 0 {
			t.Errorf("counted %+v, want one active", c)
		}
	})
}

func TestARecordIsKeptForADayWhenTheManagerDoesNotSay(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		w := newWrite("x")
		w.Keep = 0
		done(t)(s.Create(t.Context(), w))
		if left := client.PTTL(t.Context(), key(s, w.StoreHandle)).Val(); left != w.Idle+24*time.Hour {
			t.Errorf("it lives for %v, want the idle timeout and a day", left)
		}
	})
}
