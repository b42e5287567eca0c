// SPDX-License-Identifier: MIT

package redissession

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// damageHeader overwrites the magic of a stored record.
func damageHeader(t testing.TB, store session.Store, h session.StoreHandle) {
	s := store.(*Store)
	if err := s.caller.Client().SetRange(t.Context(), s.slotOf(h.Space, h.Hash).record(h.Hash), 0, "XXX").Err(); err != nil {
		t.Fatal(err)
	}
}

// vanish removes a record, but not from the indexes, as eviction does.
func vanish(t testing.TB, store session.Store, h session.StoreHandle) {
	s := store.(*Store)
	if err := s.caller.Client().Del(t.Context(), s.slotOf(h.Space, h.Hash).record(h.Hash)).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStoreConformsInVirtualTime(t *testing.T) {
	sessiontest.Run(t, func(t testing.TB) session.Store {
		client, _ := redistest.Virtual(t)
		return New(client)
	}, sessiontest.Virtual(), sessiontest.Corrupt(damageHeader), sessiontest.Vanish(vanish))
}

func TestStoreConformsOnARealServer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	t.Parallel()
	server := redistest.Real(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, PoolSize: 64})
	t.Cleanup(func() { _ = client.Close() })
	schedules := 200
	if long() {
		schedules = 10_000
	}
	sessiontest.Run(t, func(testing.TB) session.Store { return New(client) },
		sessiontest.Corrupt(damageHeader), sessiontest.Vanish(vanish), sessiontest.Schedules(schedules))
}
