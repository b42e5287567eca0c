// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

func TestCheckWarnsOfSettingsThatLoseLocks(t *testing.T) {
	for _, c := range []struct {
		name, warning string
		info          map[string]string
	}{
		{"nothing known", "", nil},
		{"old", "5.0", map[string]string{"redis_version": "4.0.14"}},
		{"no limit", "", map[string]string{"redis_version": "7.0.15", "maxmemory": "0", "maxmemory_policy": "allkeys-lru"}},
		{"eviction", "noeviction", map[string]string{"maxmemory": "1", "maxmemory_policy": "volatile-ttl"}},
		{"no eviction", "", map[string]string{"maxmemory": "1", "maxmemory_policy": "noeviction"}},
		{"replica", "replica", map[string]string{"role": "slave"}},
		{"not persistent", "appendonly", map[string]string{"aof_enabled": "0"}},
		{"persistent", "", map[string]string{"aof_enabled": "1", "appendfsync": "everysec"}},
		{"never synced", "appendfsync", map[string]string{"aof_enabled": "1", "appendfsync": "no"}},
		{"split brain", "min-replicas-to-write", map[string]string{"connected_slaves": "2", "min-replicas-to-write": "0"}},
		{"replicated", "", map[string]string{"connected_slaves": "2", "min-replicas-to-write": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(c.info)
			if want := c.warning != ""; len(got) != 0 != want || want && !strings.Contains(got[0], c.warning) {
				t.Errorf("%q, want one of %q", got, c.warning)
			}
		})
	}
}

func TestCheckAsksTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").Client(t))
	got, err := r.Check(t.Context())
	if text := strings.Join(got, "\n"); err != nil || len(got) != 2 || !strings.Contains(text, "allkeys-lru") || !strings.Contains(text, "appendonly") {
		t.Errorf("%q, %v, want a warning of eviction and one of persistence", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Check(ctx); err == nil {
		t.Error("no error although nobody was asked")
	}
	virtual(t, func(r *rig) {
		if got, err := r.Check(r.Context()); err != nil || len(got) != 0 {
			t.Errorf("of a server that tells little: %q, %v", got, err)
		}
	})
}

func TestTheDocumentedRightsSuffice(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, acl, _ := strings.Cut(string(text), "\nACL ")
	acl, _, _ = strings.Cut(acl, "\n")
	server := redistest.Real(t)
	command := []any{"ACL"}
	for _, word := range strings.Fields(acl) {
		if word == "+client|setinfo" {
			continue // unknown to the oldest servers, and not needed
		}
		command = append(command, word)
	}
	admin := server.Client(t)
	if err := admin.Do(t.Context(), command...).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "locks", Password: "secret", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	r, watch := newRig(t, client), newRig(t, admin)
	c := r.claim(lock.All(lock.Span("a", 1, 2), lock.Key("b")), time.Hour)
	c.Capacity = []int{2, 1}
	r.ask(c)
	r.wantBlocked(lock.Key("b"), c.ID)
	r.extend(lock.Renewal{Ticket: c.Ticket, TTL: 2 * time.Hour, Count: true, Nonce: "n"})
	next := r.claim(lock.Key("b"), 20*time.Millisecond)
	done := watch.queue(r.Store, next)
	r.list(lock.Resource{})
	r.release(c.Ticket)
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.pass(next.TTL)
	if got := ids(r.sweep()); len(got) != 1 {
		t.Errorf("swept %v, want one", got)
	}
	r.sweep(next.ID)
	for range 40 { // some of which forget old releases
		c, _ := r.take(lock.Key("c"), time.Hour)
		r.release(c.Ticket)
	}
	if denied := admin.Do(t.Context(), "ACL", "LOG").Val(); len(denied.([]any)) != 0 {
		t.Errorf("refused: %v", denied)
	}
}
