// SPDX-License-Identifier: MIT

package redislock

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
)

// rewrite changes the record of a hold in the ledger.
func (r *rig) rewrite(field string, change func(record string) string) {
	r.Helper()
	ledger := r.keys("rooms", "hotel")[1]
	record, err := r.client.HGet(r.Context(), ledger, field).Result()
	if err == nil {
		err = r.client.HSet(r.Context(), ledger, field, change(record)).Err()
	}
	if err != nil {
		r.Fatal(err)
	}
}

// withToken is what a record begins with in the ledger.
func withToken(c lock.StoreClaim) string {
	kind := digit(c.Resource)
	if c.Resource.Kind() == lock.Whole {
		kind = sole
	}
	return head(c, kind, slices.Collect(c.Resource.Parts()))
}

// newer makes a record of the next version: the same head, another body.
func newer(c lock.StoreClaim) func(string) string {
	return func(string) string {
		return "2" + withToken(c)[1:] + "{whatever comes next}"
	}
}

// A made-up version 2 appends a field to the body. Its program reads, extends
// and records what this one wrote, and this one reads what that one extended.
func TestTheNextVersionWorksOnRecordsOfThisOne(t *testing.T) {
	reads := strings.NewReplacer("READS = { ['1'] = true }", "READS = { ['1'] = true, ['2'] = true }")
	extend := redis.NewScript(reads.Replace(extendAll))
	sweep := redis.NewScript(reads.Replace(sweepAll))
	next := bodies{"1": known["1"], "2": func(r *reader, h *lock.Hold) {
		r.body(h)
		h.Reason += r.field()
	}}
	everywhere(t, func(r *rig) {
		old, _ := r.take(lock.All(lock.Span("a", 1, 5), lock.Key("b")), 3*time.Second)
		fresh, _ := r.take(lock.Key("c"), 3*time.Second)
		r.rewrite("=c", func(record string) string { return "2" + record[1:] + "6:window" })
		read := func(script *redis.Script, args ...any) (holds []string) {
			answer, err := script.Run(r.Context(), r.client, r.keys("rooms", "hotel"), args...).Slice()
			if err != nil {
				r.Fatal(err)
			}
			for _, one := range answer[1:] { // behind the time
				fields := one.([]any)
				h, err := next.decode(fmt.Sprint(fields[len(fields)-1]))
				if err != nil {
					r.Fatal(err)
				}
				holds = append(holds, fmt.Sprintf("%s by %s %s, extended %d", h.Resource, h.Holder, h.Reason, h.Extensions))
			}
			return holds
		}
		want := []string{"a [1, 5), b by guest1 , extended 1", "c by guest2 window, extended 1"}
		extended := read(extend, old.ID, old.Token, 1, 0, "e", "n", old.Name, fresh.ID, fresh.Token, 1, 0, "e", "n", fresh.Name)
		if !slices.Equal(extended, want) {
			r.Errorf("version 2 extended %q, want %q", extended, want)
		}
		if h := r.list(old.Resource); len(h) != 1 || h[0].Holder != "guest1" || h[0].Extensions != 1 {
			r.Errorf("after version 2 extended it, this version lists %+v", h)
		}
		r.pass(old.TTL)
		if swept := read(sweep, 10); !slices.Equal(swept, want) {
			r.Errorf("version 2 swept %q, want %q", swept, want)
		}
	})
}

func TestGoAndLuaReadTheSameVersions(t *testing.T) {
	for v := range 256 {
		inLua := strings.Contains(recordLua, fmt.Sprintf("['%c'] = true", rune(v)))
		if _, inGo := known[string([]byte{byte(v)})]; inGo != inLua {
			t.Errorf("version %q: read in Go %t, in Lua %t", rune(v), inGo, inLua)
		}
	}
}

func TestARecordOfANewerVersionIsAliveButOpaque(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, granted := r.take(lock.All(lock.Span("a", 1, 5), lock.Key("b")), time.Hour)
		r.rewrite(c.ID, newer(c))
		g := r.ask(r.claim(lock.Span("a", 2, 3), time.Hour))
		if g.Status != lock.StatusBlocked || len(g.Conflicts) != 1 {
			r.Fatalf("status %d with %d conflicts, want blocked by one", g.Status, len(g.Conflicts))
		}
		h := g.Conflicts[0].Hold
		if h.ID != c.ID || h.Resource.String() != "a [1, 5)" || h.Left <= 0 || !h.ExpiresAt.Equal(granted.Hold.ExpiresAt) || h.Holder != "" {
			r.Errorf("conflict with %+v, want the id, the place and the time only", h)
		}
		if got := ids(r.list(lock.Resource{})); !slices.Equal(got, []string{c.ID}) {
			r.Errorf("holds %v, want it once", got)
		}
		r.take(lock.Span("a", 5, 6), time.Hour)
		if s := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})[0].Status; s != lock.StatusMissing {
			r.Errorf("extended what it cannot read: status %d, want missing", s)
		}
		foreign := c.StoreTicket
		foreign.Token = "guessed"
		if s := r.release(foreign); s != lock.StatusMissing {
			r.Errorf("released with another token: status %d", s)
		}
		if s := r.release(c.StoreTicket); s != lock.StatusGranted {
			r.Errorf("release: status %d, want granted: every version begins with the token", s)
		}
		r.take(c.Resource.Units(1), time.Hour)
	})
}

func TestAnExpiredRecordOfANewerVersionIsLeftForThoseWhoReadIt(t *testing.T) {
	everywhere(t, func(r *rig) {
		c, _ := r.take(lock.All(lock.Span("a", 1, 5), lock.Key("b")), 30*time.Millisecond)
		r.rewrite(c.ID, newer(c))
		other, _ := r.take(lock.Key("c"), 30*time.Millisecond)
		r.pass(other.TTL)
		if got := ids(r.sweep()); !slices.Equal(got, []string{other.ID}) {
			r.Errorf("swept %v, want %v", got, other.ID)
		}
		keys := r.keys("rooms", "hotel")
		if n := r.client.Exists(r.Context(), keys[0]).Val(); n != 0 {
			r.Error("its members are still in the index")
		}
		if record := r.client.HGet(r.Context(), keys[1], c.ID).Val(); record == "" {
			r.Error("its record is gone")
		}
		r.sweep(c.ID, other.ID)
		if left := r.keysLeft(); left != "l" {
			r.Errorf("keys %q left, want only the fence", left)
		}
	})
}

func TestAnUnreadableRecordBlocksNoOneElse(t *testing.T) {
	for _, garbage := range []string{"", "1", "1x", "1-1:", "1999999999:", "18:secret1", "17:secret1", "17:secret199999,", "17:secret11,4:room", "17:secret11,-1:", "\xff"} {
		virtual(t, func(r *rig) {
			c, _ := r.take(lock.All(lock.Span("a", 1, 5), lock.Key("b")), time.Minute)
			r.rewrite(c.ID, func(string) string { return garbage })
			forced, _ := r.take(lock.Key("forced"), time.Minute)
			r.rewrite("=forced", func(string) string { return garbage })
			healthy, _ := r.take(lock.Key("healthy"), time.Minute)

			r.wantBlocked(lock.Span("a", 2, 3), c.ID)
			if got := ids(r.list(lock.Resource{})); !slices.Equal(got, []string{c.ID, "=forced", healthy.ID}) {
				t.Errorf("%q: holds %v", garbage, got)
			}
			if s := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour}, lock.StoreRenewal{StoreTicket: healthy.StoreTicket})[1].Status; s != lock.StatusGranted {
				t.Errorf("%q: the other renewal got status %d", garbage, s)
			}
			k := forced.StoreTicket
			k.ID, k.Force = "=forced", true // as it is listed
			if s := r.release(k); s != lock.StatusGranted {
				t.Errorf("%q: forced release: status %d", garbage, s)
			}
			r.take(lock.Key("forced"), time.Minute)
			time.Sleep(time.Minute)
			r.take(lock.All(lock.Span("a", 1, 5), lock.Key("b")), time.Minute)
			if got := r.sweep(); len(got) != 2 {
				t.Errorf("%q: swept %v, want the two readable ones", garbage, ids(got))
			}
		})
	}
}

func TestAnOperatorEndsAHoldWithAnUnreadableRecord(t *testing.T) {
	virtual(t, func(r *rig) {
		m, err := lock.New(r.Store, lock.Config{Name: "rooms", GroupBy: func(string) string { return "hotel" }})
		if err != nil {
			r.Fatal(err)
		}
		defer m.Close(r.Context())
		for _, res := range []lock.Resource{lock.Key("room"), lock.Span("room", 1, 5)} {
			c, _ := r.take(res, time.Hour)
			field := c.ID
			if res.Kind() == lock.Whole {
				field = "=room"
			}
			r.rewrite(field, func(string) string { return "garbage" })
			for h, err := range m.Holds(r.Context(), res) {
				if err == nil {
					err = m.ForceRelease(r.Context(), h)
				}
				if err != nil {
					r.Errorf("%s: %v", res, err)
				}
			}
			next, _ := r.take(res, time.Hour)
			r.release(next.StoreTicket)
		}
	})
}

// The id under which such a hold is listed is that of the slot, which another may
// have by then.
func TestARepeatedForceReleaseOfAnUnreadableKeyEndsNoOtherHold(t *testing.T) {
	virtual(t, func(r *rig) {
		for _, pause := range []time.Duration{0, time.Minute} { // while it is remembered, and after
			held, _ := r.take(lock.Key("room"), time.Hour)
			r.rewrite("=room", func(string) string { return "garbage" })
			k := held.StoreTicket
			k.ID, k.Force, k.Token = "=room", true, "nonce"
			r.release(k)
			next, _ := r.take(lock.Key("room"), time.Hour)
			time.Sleep(pause)
			r.release(k)
			r.wantBlocked(lock.Key("room"), next.ID)
			r.release(next.StoreTicket)
		}
	})
}

func TestWhoWaitsBehindAnUnreadableKeyIsServed(t *testing.T) {
	for _, forced := range []bool{true, false} {
		virtual(t, func(r *rig) {
			held, _ := r.take(lock.Key("room"), 10*time.Second)
			r.from("=A", r.claim(lock.Key("room"), time.Hour), time.Now().Add(time.Hour))
			r.rewrite("=room", func(string) string { return "garbage" })
			if forced {
				k := held.StoreTicket
				k.ID, k.Force = "=room", true
				r.release(k)
			}
			if !r.served("=A") {
				r.Errorf("forced %t: the room is free, and no one was served in a minute", forced)
			}
		})
	}
}

func TestARecordOfThisVersionWithABrokenBodyIsOpaque(t *testing.T) {
	virtual(t, func(r *rig) {
		c, _ := r.take(lock.Key("a"), time.Minute)
		r.rewrite("=a", func(string) string { return withToken(c) + "12,oops" })
		if s := r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: time.Hour})[0].Status; s != lock.StatusMissing {
			t.Errorf("extended: status %d, want missing", s)
		}
		r.wantBlocked(lock.Key("a"), c.ID)
		if s := r.release(c.StoreTicket); s != lock.StatusGranted {
			t.Errorf("release: status %d, want granted", s)
		}
	})
}
