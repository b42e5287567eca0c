// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

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
		t.Error("no error although no server was asked")
	}
	virtual(t, func(r *rig) {
		r.client.Ping(r.Context()) // a client greets the server before its first command
		calls := redistest.NewCounter(func(redis.Cmder) bool { return true })
		r.client.AddHook(calls)
		if got, err := r.Check(r.Context()); err != nil || len(got) != 0 || calls.N() != 4 {
			t.Errorf("of a server that reports little: %q, %v, in %d round trips, want 4", got, err, calls.N())
		}
	})
}

// documentedRights makes the user of docs/redis.md on a server.
func documentedRights(t *testing.T, admin *redis.Client) {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, acl, _ := strings.Cut(string(text), "\nACL ")
	acl, _, _ = strings.Cut(acl, "\n")
	command := []any{"ACL"}
	for _, word := range strings.Fields(acl) {
		command = append(command, word)
	}
	if err := admin.Do(t.Context(), command...).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTheDocumentedRightsSufficeOnACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 2)
	var addrs []string
	for _, n := range nodes {
		documentedRights(t, n.Client(t))
		addrs = append(addrs, n.Addr)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Username: "locks", Password: "secret", DisableIdentity: true, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	r := newRig(t, nil)
	r.Store = New(client)
	for i := range 4 { // groups of both nodes
		held := r.claim(lock.Key("room"), time.Hour)
		held.Group = strconv.Itoa(i)
		if g := r.ask(held); g.Status != lock.StatusGranted {
			t.Fatalf("acquire: %s", describe(g))
		}
		next := r.claim(lock.Key("room"), time.Hour)
		next.Group = held.Group
		done := make(chan error, 1)
		go func() { done <- insist(t.Context(), r.Store, next) }()
		for r.inbox.ready(next.ID) == nil {
			time.Sleep(time.Millisecond) // until it has a place
		}
		r.release(held.StoreTicket)
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.release(next.StoreTicket)
	}
	for _, n := range nodes {
		if denied := n.Client(t).Do(t.Context(), "ACL", "LOG").Val(); len(denied.([]any)) != 0 {
			t.Errorf("refused: %v", denied)
		}
	}
}

func TestTheDocumentedRightsSuffice(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin := server.Client(t)
	documentedRights(t, admin)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "locks", Password: "secret", DisableIdentity: true, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	r, watch := newRig(t, client), newRig(t, admin)
	c := r.claim(lock.All(lock.Span("a", 1, 2), lock.Key("b")), time.Hour)
	c.Capacity = []int{2, 1}
	r.ask(c)
	r.wantBlocked(lock.Key("b"), c.ID)
	r.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: 2 * time.Hour, Count: true, Nonce: "n"})
	next := r.claim(lock.Key("b"), 20*time.Millisecond)
	done := watch.queue(r.Store, next)
	r.list(lock.Resource{})
	r.release(c.StoreTicket)
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.extend(lock.StoreRenewal{StoreTicket: next.StoreTicket, TTL: next.TTL, Confirm: true})
	r.pass(next.TTL)
	if got := ids(r.sweep()); len(got) != 1 {
		t.Errorf("swept %v, want one", got)
	}
	r.sweep(next.ID)
	for range 40 { // some of which forget old releases
		c, _ := r.take(lock.Key("c"), time.Hour)
		r.release(c.StoreTicket)
	}
	if denied := admin.Do(t.Context(), "ACL", "LOG").Val(); len(denied.([]any)) != 0 {
		t.Errorf("refused: %v", denied)
	}
}

func TestCheckSaysThatPublishIsNotAllowed(t *testing.T) {
	t.Parallel()
	got, err := New(limited(t, "resetchannels", "+@all")).Check(t.Context())
	if text := strings.Join(got, "\n"); err != nil || !strings.Contains(text, "PUBLISH is not allowed") {
		t.Errorf("%q, %v", got, err)
	}
}
