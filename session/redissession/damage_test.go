// SPDX-License-Identifier: MIT

package redissession

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

// A payload whose bytes changed is noticed by the call that would hand it out, reported
// once as corrupted, and gone.
func TestAPayloadThatChangedIsReportedOnceAsCorrupted(t *testing.T) {
	calls := map[string]func(*testing.T, *Store, session.StoreReply) session.StoreReply{
		"Load": func(t *testing.T, s *Store, r session.StoreReply) session.StoreReply {
			return answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.Record.StoreHandle, Touch: true, Lease: "anna", LeaseFor: time.Minute}))
		},
		"Create": func(t *testing.T, s *Store, r session.StoreReply) session.StoreReply {
			return answered(t)(s.Create(t.Context(), next(r, "other")))
		},
		"Save of an old revision": func(t *testing.T, s *Store, r session.StoreReply) session.StoreReply {
			w := next(r, "other")
			w.Rev--
			return answered(t)(s.Save(t.Context(), w))
		},
		"Move of an old revision": func(t *testing.T, s *Store, r session.StoreReply) session.StoreReply {
			w := newWrite("other")
			w.Rev = 1
			return answered(t)(s.Move(t.Context(), r.Record.StoreHandle, w))
		},
		"Move from afar": func(t *testing.T, s *Store, r session.StoreReply) session.StoreReply {
			w := newWrite("other")
			w.Hash[0], w.Rev, w.CreatedAt = 8, 1, r.Record.CreatedAt
			return answered(t)(s.Move(t.Context(), r.Record.StoreHandle, w))
		},
	}
	onBoth(t, func(t *testing.T, client *redis.Client) {
		for name, call := range calls {
			s := New(client, WithPrefix(name))
			r := done(t)(s.Create(t.Context(), newWrite("precious")))
			damagePayload(t, s, r.Record.StoreHandle)
			if got := call(t, s, r); got.Status != session.StatusBroken || got.Reason != session.ReasonCorrupted || len(got.Record.Payload) != 0 {
				t.Errorf("%s answered %+v, want broken, corrupted, without payload", name, got)
			}
			if got := peek(t, s, r.Record.StoreHandle); got.Status != session.StatusMissing {
				t.Errorf("after %s it answers %v, want missing", name, got.Status)
			}
			if c := count(t, s); c != (session.StoreCount{}) {
				t.Errorf("after %s %+v are counted", name, c)
			}
		}
	})
}

func TestACorruptedRecordThatChangedMeanwhileIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		r := done(t)(s.Create(t.Context(), newWrite("precious")))
		saved := done(t)(s.Save(t.Context(), next(r, "saved in between")))
		got, err := s.corrupted(t.Context(), r.Record.StoreHandle, r.Record.Rev, false)
		if err != nil || got.Status != session.StatusMissing {
			t.Errorf("answered %v, %v, want missing", got.Status, err)
		}
		if got := peek(t, s, saved.Record.StoreHandle); string(got.Record.Payload) != "saved in between" {
			t.Error("the record that another caller saved in between is gone")
		}
	})
}

func TestBytesThatAreNoRecordAreInvalidFormat(t *testing.T) {
	for name, put := range map[string]func(c *redis.Client, t *testing.T, key string){
		"short":     func(c *redis.Client, t *testing.T, key string) { c.Set(t.Context(), key, "hfs\x01 short", 0) },
		"version 0": func(c *redis.Client, t *testing.T, key string) { c.SetRange(t.Context(), key, 3, "\x00") },
		"another type, which no quarantine can keep": func(c *redis.Client, t *testing.T, key string) {
			c.Del(t.Context(), key)
			c.HSet(t.Context(), key, "a", "b")
		},
	} {
		kept := int64(1)
		if strings.HasPrefix(name, "another type") {
			kept = 0
		}
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, client *redis.Client) {
				s := New(client)
				r := done(t)(s.Create(t.Context(), newWrite("x")))
				put(client, t, key(s, r.Record.StoreHandle))
				got := answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.Record.StoreHandle, Quarantine: true}))
				if got.Status != session.StatusBroken || got.Reason != session.ReasonInvalidFormat {
					t.Errorf("answered %v for %v, want broken for invalid_format", got.Status, got.Reason)
				}
				wantStatus(t, peek(t, s, r.Record.StoreHandle), session.StatusMissing)
				if c := count(t, s); c.Active != 0 || c.Quarantined != kept {
					t.Errorf("counted %+v, want %d in quarantine", c, kept)
				}
			})
		})
	}
}

// A process of an earlier version meets what a later one has written.
func TestARecordOfALaterVersionIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner, ctx := New(client), newHash(7), t.Context()
		r := done(t)(s.Create(ctx, of(newWrite("x"), owner)))
		client.SetRange(ctx, key(s, r.Record.StoreHandle), 3, "\x09")
		before := client.Get(ctx, key(s, r.Record.StoreHandle)).Val()
		far := newWrite("moved")
		far.Hash[0], far.Rev, far.CreatedAt = 8, r.Record.Rev, r.Record.CreatedAt
		for name, call := range map[string]func() (session.StoreReply, error){
			"Load": func() (session.StoreReply, error) {
				return s.Load(ctx, session.StoreLoad{StoreHandle: r.Record.StoreHandle})
			},
			"Touch": func() (session.StoreReply, error) {
				return s.Load(ctx, session.StoreLoad{StoreHandle: r.Record.StoreHandle, Touch: true})
			},
			"Lease": func() (session.StoreReply, error) {
				return s.Load(ctx, session.StoreLoad{StoreHandle: r.Record.StoreHandle, Lease: "anna", LeaseFor: time.Minute, Bare: true})
			},
			"Create": func() (session.StoreReply, error) { return s.Create(ctx, next(r, "other")) },
			"Save":   func() (session.StoreReply, error) { return s.Save(ctx, next(r, "other")) },
			"Move": func() (session.StoreReply, error) {
				w := newWrite("moved")
				w.Rev = r.Record.Rev
				return s.Move(ctx, r.Record.StoreHandle, w)
			},
			"Move to another partition": func() (session.StoreReply, error) { return s.Move(ctx, r.Record.StoreHandle, far) },
		} {
			if got := answered(t)(call()); got.Status != session.StatusNewer {
				t.Errorf("%s answered %v, want newer", name, got.Status)
			}
		}
		listed := 0
		for rec, err := range s.List(ctx, session.StoreList{Space: space, Owner: owner}) {
			if err != nil || rec.Hash != r.Record.Hash || len(rec.Payload) != 0 {
				t.Errorf("listed %+v, %v, want the record without a payload", rec, err)
			}
			listed++
		}
		if after := client.Get(ctx, key(s, r.Record.StoreHandle)).Val(); after != before || listed != 1 {
			t.Errorf("listed %d, and the record is %q, want it as it was: %q", listed, after, before)
		}
		if c := count(t, s); c.Active != 1 {
			t.Errorf("counted %+v", c)
		}
		if gone, err := s.Delete(ctx, session.StoreRemove{Space: space, Owner: owner}); len(gone.Removed) != 1 || err != nil {
			t.Errorf("deleted %+v, %v: a logout reads no record", gone, err)
		}
	})
}

func TestAnExpiredRecordOfALaterVersionIsHandedOutWithoutItsPayload(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		r := done(t)(s.Create(t.Context(), newWrite("x")))
		client.SetRange(t.Context(), key(s, r.Record.StoreHandle), 3, "\x09")
		time.Sleep(2 * time.Minute)
		for attempt := range 2 {
			due := claim(t, s, session.StoreClaim{Payload: true}).Due
			if len(due) != 1 || due[0].Reason != session.ReasonIdle || due[0].Payload != nil || due[0].Rev != r.Record.Rev || due[0].Attempt != attempt+1 {
				t.Fatalf("due are %+v, want the record without a payload", due)
			}
			if err := s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: r.Record.StoreHandle, Rev: r.Record.Rev, Retry: time.Second}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if due := claim(t, s, session.StoreClaim{}).Due; len(due) != 1 || due[0].Reason != session.ReasonIdle {
			t.Errorf("without payload due are %+v", due)
		}
		if keys := keysLeft(t, client); len(keys) != 0 {
			t.Errorf("left %q", keys)
		}
	})
}

func TestARestoredRecordOfALaterVersionIsAsItWas(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		r := done(t)(s.Create(t.Context(), newWrite("x")))
		client.SetRange(t.Context(), key(s, r.Record.StoreHandle), 3, "\x09")
		before := client.Get(t.Context(), key(s, r.Record.StoreHandle)).Val()
		time.Sleep(2 * time.Minute)
		due := claim(t, s, session.StoreClaim{Payload: true}).Due[0]
		given := []session.StoreSettle{{StoreHandle: due.StoreHandle, Rev: due.Rev, Quarantine: true}}
		if err := s.settle(t.Context(), space, given); err != nil {
			t.Fatal(err)
		}
		for q, err := range s.Quarantined(t.Context(), space) {
			if status, late := s.Restore(t.Context(), space, q.ID); status != session.StatusDone || errors.Join(err, late) != nil {
				t.Errorf("answered %v, %v", status, errors.Join(err, late))
			}
		}
		aside := client.Keys(t.Context(), "*}:e*").Val()
		if len(aside) != 1 || client.Get(t.Context(), aside[0]).Val() != before {
			t.Errorf("restored as %q, want %q: the process of that version finds it corrupted", client.Get(t.Context(), aside[0]).Val(), before)
		}
	})
}

func TestRemovalNeverReadsPayloads(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner := New(client), newHash(9)
		var handles []session.Hash
		for range 3 {
			w := of(newWrite("x"), owner)
			done(t)(s.Create(t.Context(), w))
			client.Set(t.Context(), key(s, w.StoreHandle), "rubbish", 0)
			handles = append(handles, w.Hash)
		}
		gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: handles[:1]})
		if err != nil || len(gone.Removed) != 1 {
			t.Errorf("deleted %+v, %v, want 1", gone, err)
		}
		gone, err = s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner})
		if err != nil || len(gone.Removed) != 2 {
			t.Errorf("deleted %+v of the owner's, %v, want 2", gone, err)
		}
		if keys := keysLeft(t, client); len(keys) != 0 {
			t.Errorf("left %q", keys)
		}
	})
}

func TestClaimReportsEveryCauseAndGoesOn(t *testing.T) {
	for _, payload := range []bool{true, false} {
		inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
			var all []session.StoreWrite
			for i := range 5 {
				w := newWrite("x")
				if i == 1 {
					w.Idle = 2 * time.Hour // so that the absolute deadline comes first
				}
				done(t)(s.Create(t.Context(), w))
				all = append(all, w)
			}
			damagePayload(t, s, all[2].StoreHandle)
			damageHeader(t, s, all[3].StoreHandle)
			client.Del(t.Context(), key(s, all[4].StoreHandle))
			time.Sleep(time.Hour)
			got := map[session.Hash]session.EndReason{}
			for _, d := range claim(t, s, session.StoreClaim{Payload: payload, Quarantine: true}).Due {
				got[d.Hash] = d.Reason
			}
			want := []session.EndReason{session.ReasonIdle, session.ReasonAbsolute, session.ReasonCorrupted, session.ReasonInvalidFormat, session.ReasonVanished}
			if !payload {
				want[2] = session.ReasonIdle // no one reads it any more
			}
			for i, reason := range want {
				if reported, ok := got[all[i].Hash]; !ok || reported != reason {
					t.Errorf("payload %v: record %d is reported as %v (%v), want %v", payload, i, reported, ok, reason)
				}
			}
			backlog, kept := int64(0), int64(1)
			if payload {
				backlog, kept = 2, 2
			}
			if c := count(t, s); c.Active != 0 || c.Backlog != backlog || c.Quarantined != kept {
				t.Errorf("payload %v: counted %+v, want %d to settle and %d in quarantine", payload, c, backlog, kept)
			}
		})
	}
}

func TestASetAsideRecordThatVanishedOrBrokeIsReportedAndGone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		for range 2 {
			done(t)(s.Create(t.Context(), newWrite("x")))
		}
		time.Sleep(2 * time.Minute)
		claim(t, s, session.StoreClaim{Payload: true})
		aside := client.Keys(t.Context(), "*:e*").Val()
		if len(aside) != 2 {
			t.Fatalf("set aside are %q", aside)
		}
		client.Del(t.Context(), aside[0])
		client.Set(t.Context(), aside[1], "rubbish", 0)
		time.Sleep(2 * time.Minute)
		var reasons []session.EndReason
		for _, d := range claim(t, s, session.StoreClaim{Payload: true}).Due {
			reasons = append(reasons, d.Reason)
		}
		slices.Sort(reasons)
		if !slices.Equal(reasons, []session.EndReason{session.ReasonVanished, session.ReasonInvalidFormat}) {
			t.Errorf("reported %v, want vanished and invalid_format", reasons)
		}
		if keys := keysLeft(t, client); len(keys) != 0 {
			t.Errorf("left %q", keys)
		}
	})
}

// counted is what a record with a payload of one byte takes of the quarantine.
const counted = headerSize + 1 + 256

// Each call that finds a broken record keeps to the bounds set in its process.
func TestEachCallHeedsTheBoundsOfTheQuarantine(t *testing.T) {
	const most = 4
	lasting := 3 * time.Hour
	for name, find := range map[string]func(*testing.T, *Store, session.StoreRecord){
		"Load": func(t *testing.T, s *Store, r session.StoreRecord) {
			wantStatus(t, answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.StoreHandle, Quarantine: true})), session.StatusBroken)
		},
		"Create": func(t *testing.T, s *Store, r session.StoreRecord) {
			w := newWrite("other")
			w.StoreHandle, w.Quarantine = r.StoreHandle, true
			wantStatus(t, answered(t)(s.Create(t.Context(), w)), session.StatusBroken)
		},
		"Save": func(t *testing.T, s *Store, r session.StoreRecord) {
			w := next(session.StoreReply{Record: r}, "other")
			w.Quarantine = true
			wantStatus(t, answered(t)(s.Save(t.Context(), w)), session.StatusBroken)
		},
		"Move": func(t *testing.T, s *Store, r session.StoreRecord) {
			w := newWrite("other")
			w.Rev, w.Quarantine = r.Rev, true
			wantStatus(t, answered(t)(s.Move(t.Context(), r.StoreHandle, w)), session.StatusBroken)
		},
		"Move to another partition": func(t *testing.T, s *Store, r session.StoreRecord) {
			w := newWrite("other")
			w.Hash[0], w.Rev, w.CreatedAt, w.Quarantine = 8, r.Rev, r.CreatedAt, true
			wantStatus(t, answered(t)(s.Move(t.Context(), r.StoreHandle, w)), session.StatusBroken)
		},
		"Delete": func(t *testing.T, s *Store, r session.StoreRecord) {
			gone, err := s.deleteHandles(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{r.Hash}}, 0, true)
			if len(gone.Removed) != 1 || err != nil {
				t.Errorf("deleted %+v, %v", gone, err)
			}
		},
		"Claim": func(t *testing.T, s *Store, _ session.StoreRecord) {
			time.Sleep(2 * time.Minute)
			if due := claim(t, s, session.StoreClaim{Quarantine: true}).Due; len(due) != 1 || due[0].Reason != session.ReasonInvalidFormat {
				t.Errorf("claimed %+v", due)
			}
		},
		"Settle": func(t *testing.T, s *Store, r session.StoreRecord) {
			time.Sleep(2 * time.Minute)
			e := string(s.slotOf(space, r.Hash)) + "e" + string(r.Hash[:])
			e = string(binary.BigEndian.AppendUint64([]byte(e), r.Rev))
			s.caller.Client().Set(t.Context(), e, strings.Repeat("x", headerSize+1), 0)
			if err := s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: r.StoreHandle, Rev: r.Rev, Quarantine: true}}); err != nil {
				t.Error(err)
			}
		},
	} {
		inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
			s := New(client, WithQuarantine(16*most*counted, lasting))
			for range most + 2 {
				r := done(t)(s.Create(t.Context(), of(newWrite("x"), newHash(7)))).Record
				damageHeader(t, s, r.StoreHandle)
				find(t, s, r)
			}
			if c := count(t, s); c.Quarantined != most {
				t.Errorf("%s: %d are in quarantine, want %d", name, c.Quarantined, most)
			}
			index := s.slotOf(space, newHash(7)).quarantine()
			if left := client.PTTL(t.Context(), index).Val(); left != lasting {
				t.Errorf("%s: the quarantine lasts %v, want %v", name, left, lasting)
			}
			for _, id := range client.ZRange(t.Context(), index, 0, -1).Val() {
				left := client.PTTL(t.Context(), index+id).Val() // some were found a while ago
				if len(id) != kept || left > lasting || left < lasting-time.Hour {
					t.Errorf("%s: %q is no hash with time and size, or its record lasts %v", name, id, left)
				}
			}
		})
	}
}

func TestTheQuarantineIsBounded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		s := New(client, WithQuarantine(16*3*counted, 24*time.Hour))
		for range 10 {
			w := newWrite("x")
			done(t)(s.Create(t.Context(), w))
			if _, err := s.deleteHandles(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{w.Hash}}, 0, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if c := count(t, s); c.Quarantined != 3 {
			t.Errorf("%d are in quarantine, want 3", c.Quarantined)
		}
		if keys := keysLeft(t, client); len(keys) != 4 { // 3 records and their index
			t.Errorf("the quarantine keeps %d keys: %q", len(keys), keys)
		}
		time.Sleep(24 * time.Hour)
		if c := count(t, s); c.Quarantined != 0 {
			t.Errorf("%d are in quarantine after its time", c.Quarantined)
		}
		if keys := keysLeft(t, client); len(keys) != 0 {
			t.Errorf("left %q", keys)
		}
	})
}
