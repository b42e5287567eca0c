// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/session"
)

// ledgerEnv has the address of the server for a cleaner in a process of its own.
const ledgerEnv = "HOLDFAST_TEST_CLEANER"

// newCleaner notes each expiry that is reported to it in the hash "ledger".
func newCleaner(t testing.TB, client *redis.Client) *session.Manager[int] {
	m, err := session.New(New(client), session.Config[int]{
		Name: space, Timeout: 10 * time.Second, CleanupInterval: 10 * time.Millisecond,
		OnExpire: func(ctx context.Context, e session.Expired[int]) error {
			time.Sleep(2 * time.Millisecond) // the follow-up's own work, in which the process may die
			return client.HIncrBy(ctx, "ledger", fmt.Sprint(e.Data), 1).Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestACleanerOfItsOwn is the process that the next test kills.
func TestACleanerOfItsOwn(t *testing.T) {
	addr := os.Getenv(ledgerEnv)
	if addr == "" {
		return
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	defer client.Close()
	if err := newCleaner(t, client).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// HOLDFAST_LONG kills sixty cleaners instead of four.
func TestKilledCleanersLoseNoExpiry(t *testing.T) {
	t.Parallel()
	kills := 4
	if long() {
		kills = 60
	}
	expiries := 1000 * kills
	server := redistest.Real(t)
	client, ctx := server.Client(t), t.Context()
	store := New(client)
	for i := range expiries {
		w := newWrite("")
		w.Payload = append([]byte{1, 0, 0, 0, 0}, fmt.Sprint(i)...)
		w.Hash[0], w.Idle = byte(i), time.Millisecond
		done(t)(store.Create(ctx, w))
	}
	for n := range kills {
		cleaner := exec.Command(os.Args[0], "-test.run=^TestACleanerOfItsOwn$")
		cleaner.Env = append(os.Environ(), ledgerEnv+"="+server.Addr)
		child := testproc.Start(t, cleaner)
		before := client.HLen(ctx, "ledger").Val()
		for end := time.Now().Add(30 * time.Second); client.HLen(ctx, "ledger").Val() < before+100; {
			if time.Now().After(end) {
				t.Fatalf("cleaner %d does not work", n)
			}
			time.Sleep(time.Millisecond) // the child is at work
		}
		child.Kill()
		for p := range store.partitions { // the claims of the dead run out: two minutes and a half go by
			claims := store.slot(space, p).claims()
			for _, id := range client.ZRange(ctx, claims, 0, -1).Val() {
				client.ZAdd(ctx, claims, redis.Z{Score: 1, Member: id})
			}
		}
	}
	m := newCleaner(t, client)
	for {
		r, err := m.Sweep(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Complete && r.Backlog == 0 {
			break
		}
	}
	again := 0
	ledger := client.HGetAll(ctx, "ledger").Val()
	for _, n := range ledger {
		if n != "1" {
			again++
		}
	}
	if len(ledger) != expiries {
		t.Errorf("%d of %d expiries were reported", len(ledger), expiries)
	}
	if most := kills * 32; again > most {
		t.Errorf("%d were reported again, want those in flight: %d at most", again, most)
	}
	t.Logf("%d cleaners killed: %d reported, %d of them again", kills, len(ledger), again)
}
