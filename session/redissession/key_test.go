// SPDX-License-Identifier: MIT

package redissession

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

func TestKeysOfAPartitionShareTheirHashTag(t *testing.T) {
	client, _ := redistest.Virtual(t)
	h := session.Hash{18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, '}'}
	for name, c := range map[string]struct{ prefix, space, want string }{
		"plain":       {"holdfast", "chats", "holdfast:chats:session:{2}:"},
		"own tag":     {"a{b}", "c{}d", "a%7Bb%7D:c%7B%7Dd:session:{2}:"},
		"own colon":   {"app:eu", "web:login", "app%3Aeu:web%3Alogin:session:{2}:"},
		"own percent": {"100%", "%7B", "100%25:%257B:session:{2}:"},
	} {
		slot := New(client, WithPrefix(c.prefix)).slotOf(c.space, h)
		if string(slot) != c.want {
			t.Errorf("%s: keys begin with %q, want %q", name, slot, c.want)
		}
		for _, k := range []string{slot.expiry(), slot.claims(), slot.backlog(), slot.quarantine(), slot.record(h), slot.owner(h), slot.createNote(h), slot.moveNote(h)} {
			if !strings.HasPrefix(k, c.want) || tag(k) != "2" {
				t.Errorf("%s: key %q is not in slot 2", name, k)
			}
		}
	}
}

func TestPartitionsAreBroughtIntoTheirRange(t *testing.T) {
	for n, want := range map[int]int{-5: 1, 0: 1, 1: 1, 16: 16, 300: 256} {
		if got := New(nil, WithPartitions(n)).partitions; got != want {
			t.Errorf("%d partitions become %d, want %d", n, got, want)
		}
	}
}

func TestQuarantineBoundsBelowTheirLeastAreTheDefault(t *testing.T) {
	plain, odd := New(nil), New(nil, WithQuarantine(0, -1))
	if odd.quarantineBytes != plain.quarantineBytes || odd.quarantineKeep != plain.quarantineKeep {
		t.Errorf("%d for %v, want the default", odd.quarantineBytes, odd.quarantineKeep)
	}
}

func TestPrefixesAreApart(t *testing.T) {
	client, _ := redistest.Virtual(t)
	one, other := New(client, WithPrefix("one")), New(client, WithPrefix("other"))
	w := newWrite("x")
	done(t)(one.Create(t.Context(), w))
	wantStatus(t, peek(t, other, w.StoreHandle), session.StatusMissing)
	if c := count(t, other); c.Active != 0 {
		t.Errorf("counted %+v under another prefix", c)
	}
}

// A record and the index of its owner have to change in one step.
func TestARecordOutsideItsOwnersPartitionIsRefused(t *testing.T) {
	client, _ := redistest.Virtual(t)
	s, w := New(client), newWrite("x")
	w.Owner = newHash(8)
	if _, err := s.Create(t.Context(), w); err == nil {
		t.Error("Create answered")
	}
	if _, err := s.Move(t.Context(), session.StoreHandle{Space: space, Hash: newHash(8)}, w); err == nil {
		t.Error("Move answered")
	}
	if keys := client.Keys(t.Context(), "*}:*").Val(); len(keys) != 0 {
		t.Errorf("wrote %q", keys)
	}
}

// One string for each session: a hash would cost twice the memory.
func TestARecordIsOneStringOfHeaderAndPayload(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		w := of(newWrite(strings.Repeat("x", 1024)), newHash(7))
		done(t)(s.Create(t.Context(), w))
		keys := keysLeft(t, client)
		if len(keys) != 3 { // the record and two indexes
			t.Errorf("one session takes the keys %q", keys)
		}
		if kind := client.Type(t.Context(), key(s, w.StoreHandle)).Val(); kind != "string" {
			t.Errorf("a record is a %s", kind)
		}
		raw := client.Get(t.Context(), key(s, w.StoreHandle)).Val()
		if h, payload, ok := decode(raw); !ok || payload != string(w.Payload) || h.lease != (leaseName{}) || h.leaseEnd != 0 || h.attempts != 0 {
			t.Errorf("a new record is %+v and %d bytes, want neither lease nor attempts, and 1024 bytes", h, len(payload))
		}
	})
}

// Where nothing cleans up, Redis forgets everything by itself.
func TestEveryKeyHasATimeToLive(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner := New(client), newHash(7)
		short := func() session.StoreWrite {
			w := of(newWrite("x"), owner)
			w.Idle, w.Keep = 10*time.Millisecond, time.Second
			done(t)(s.Create(t.Context(), w))
			return w
		}
		for range 3 {
			short()
		}
		reopened := short()
		time.Sleep(20 * time.Millisecond) // a real server's clock
		done(t)(s.Create(t.Context(), reopened))
		damaged := of(newWrite("x"), owner)
		done(t)(s.Create(t.Context(), damaged))
		damagePayload(t, s, damaged.StoreHandle)
		due := claim(t, s, session.StoreClaim{Payload: true, Quarantine: true, Max: 2}).Due
		for i, retry := range []time.Duration{time.Minute, 0} {
			if err := s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: due[i].StoreHandle, Rev: due[i].Rev, Retry: retry, Quarantine: true}}); err != nil {
				t.Fatal(err)
			}
		}
		keys := client.Keys(t.Context(), "*").Val()
		if len(keys) < 6 {
			t.Fatalf("only the keys %q", keys)
		}
		for _, k := range keys {
			if ttl := client.PTTL(t.Context(), k).Val(); ttl <= 0 {
				t.Errorf("%q lives for %v", k, ttl)
			}
		}
	})
}

func TestRedisKeepsARecordForAsLongAsAClaimMayCome(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		for _, keep := range []time.Duration{time.Second, time.Hour, 20 * time.Hour, 300 * 24 * time.Hour} {
			w := newWrite("x")
			w.Keep = keep
			r := done(t)(s.Create(t.Context(), w))
			if ttl := client.PTTL(t.Context(), key(s, r.Record.StoreHandle)).Val(); ttl != w.Idle+keep {
				t.Errorf("kept for %s, a record of %s has %s", keep, w.Idle, ttl)
			}
		}
	})
}
