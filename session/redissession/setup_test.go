// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

const space = "chats"

// onBoth runs a test that needs no time to pass on a miniredis in virtual time
// and on a real server.
func onBoth(t *testing.T, run func(t *testing.T, client *redis.Client)) {
	t.Run("miniredis", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, _ := redistest.Virtual(t)
			run(t, client)
		})
	})
	t.Run("redis-server", func(t *testing.T) { run(t, redistest.Real(t).Client(t)) })
}

// newHash draws a hash of one partition.
func newHash(first byte) session.Hash {
	h := session.Hash{first}
	for i := 1; i < len(h); i++ {
		h[i] = byte(rand.Uint32())
	}
	return h
}

// newWrite is a write of a new record, without an owner, in partition 7.
func newWrite(payload string) session.StoreWrite {
	return session.StoreWrite{
		StoreRecord: session.StoreRecord{StoreHandle: session.StoreHandle{Space: space, Hash: newHash(7)}, Payload: []byte(payload), Idle: time.Minute},
		Nonce:       rand.Uint64() | 1, Total: time.Hour, Keep: time.Hour,
	}
}

// of makes w one of the owner's, in its partition.
func of(w session.StoreWrite, owner session.Hash) session.StoreWrite {
	w.Owner, w.Hash[0] = owner, owner[0]
	return w
}

// next is a Save over what r has.
func next(r session.StoreReply, payload string) session.StoreWrite {
	w := newWrite(payload)
	w.StoreHandle, w.Rev = r.Record.StoreHandle, r.Record.Rev
	return w
}

// answered fails the test when the store did not answer.
func answered(t testing.TB) func(session.StoreReply, error) session.StoreReply {
	return func(r session.StoreReply, err error) session.StoreReply {
		t.Helper()
		if err != nil {
			t.Fatalf("the store did not answer: %v", err)
		}
		return r
	}
}

// done fails the test unless the store answered Done.
func done(t testing.TB) func(session.StoreReply, error) session.StoreReply {
	return func(r session.StoreReply, err error) session.StoreReply {
		t.Helper()
		if r := answered(t)(r, err); r.Status != session.StatusDone {
			t.Fatalf("answered %v, want done", r.Status)
		}
		return r
	}
}

func wantStatus(t testing.TB, r session.StoreReply, want session.StoreStatus) {
	t.Helper()
	if r.Status != want {
		t.Fatalf("answered %v, want %v", r.Status, want)
	}
}

func peek(t testing.TB, s *Store, h session.StoreHandle) session.StoreReply {
	t.Helper()
	return answered(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: h}))
}

func count(t testing.TB, s *Store) session.StoreCount {
	t.Helper()
	c, err := s.Count(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func claim(t testing.TB, s *Store, c session.StoreClaim) session.StoreClaimed {
	t.Helper()
	c.Space = space
	if c.Max == 0 {
		c.Max = 100
	}
	if c.For == 0 {
		c.For = time.Minute
	}
	got, err := s.Claim(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// key is where the record of h is kept.
func key(s *Store, h session.StoreHandle) string { return s.slotOf(h.Space, h.Hash).record(h.Hash) }

// keysLeft returns the keys of partitions but for the lists of owners, which expire.
func keysLeft(t testing.TB, client *redis.Client) []string {
	return slices.DeleteFunc(client.Keys(t.Context(), "*}:*").Val(), func(k string) bool { return strings.HasSuffix(k, "}:o") })
}

// damagePayload flips a bit of the last byte of a record.
func damagePayload(t testing.TB, s *Store, h session.StoreHandle) {
	t.Helper()
	ctx, client := context.WithoutCancel(t.Context()), s.caller.Client()
	raw, err := client.Get(ctx, key(s, h)).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	last := len(raw) - 1
	if err := client.SetRange(ctx, key(s, h), int64(last), string([]byte{raw[last] ^ 1})).Err(); err != nil {
		t.Fatal(err)
	}
}
