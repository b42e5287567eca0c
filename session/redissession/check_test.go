// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

func TestCheckWarnsOfEvictionAndOfMissingPersistence(t *testing.T) {
	t.Parallel()
	s := New(redistest.Real(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").Client(t))
	got, err := s.Check(t.Context())
	if text := strings.Join(got, "\n"); err != nil || len(got) != 2 || !strings.Contains(text, "evicts sessions") || !strings.Contains(text, "appendonly") {
		t.Errorf("%q, %v, want a warning of eviction and one of persistence", got, err)
	}
}

func TestCheckWarnsOfAClientThatReadsFromReplicas(t *testing.T) {
	for reads, want := range map[bool]int{true: 1, false: 0} {
		synctest.Test(t, func(t *testing.T) {
			client := redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: []string{"127.0.0.1:0"}, RouteRandomly: reads, MaxRedirects: -1,
				Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no server") },
			})
			defer client.Close()
			if got, err := New(client).Check(t.Context()); len(got) != want || err == nil {
				t.Errorf("reads from replicas: %t: %q, %v, want %d warnings and that no server answered", reads, got, err, want)
			}
		})
	}
}

func TestTheDocumentedRightsSuffice(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	admin, ctx := server.Client(t), t.Context()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, acl, _ := strings.Cut(string(text), "\nACL SETUSER sessions ")
	acl, _, _ = strings.Cut(acl, "\n")
	command := []any{"ACL", "SETUSER", "sessions"}
	for _, word := range strings.Fields(acl) {
		command = append(command, word)
	}
	if err := admin.Do(ctx, command...).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "sessions", Password: "secret", DisableIdentity: true, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	users, err := session.New(New(client), session.Config[string]{Name: "users", Timeout: time.Minute, RotateGrace: time.Second, OnCorrupt: session.QuarantineCorrupt})
	if err != nil {
		t.Fatal(err)
	}
	use := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s, err := users.Create(ctx, "a", session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = users.Touch(ctx, s.ID)
	use("Touch", err)
	use("Rotate", users.Rotate(ctx, s))
	use("Bind", users.Bind(ctx, s, "ben"))
	_, err = users.Update(ctx, s.ID, func(d *string) error { *d += "b"; return nil })
	use("Update", err)
	guest, inside := session.Conversation{Channel: "sms", Peer: "1"}, make(chan struct{})
	waited := make(chan error, 1)
	use("Converse", users.Converse(ctx, guest, "", func(context.Context, *session.Session[string]) error {
		go func() {
			close(inside)
			waited <- users.Converse(ctx, guest, "", func(context.Context, *session.Session[string]) error { return nil })
		}()
		<-inside
		for len(admin.PubSubChannels(ctx, "holdfast:inbox:*").Val()) == 0 {
			time.Sleep(time.Millisecond) // until the waiter listens
		}
		return nil
	}))
	use("waiting", <-waited)
	for _, err := range users.BySubject(ctx, "ben") {
		use("BySubject", err)
	}
	_, err = users.Export(ctx, "ben")
	use("Export", err)
	for _, err := range users.All(ctx) {
		use("All", err)
	}
	damagePayload(t, New(admin), session.StoreHandle{Space: "users", Hash: users.Hash(guest.ID())})
	if _, err := users.Get(ctx, guest.ID()); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a damaged session: %v, want ErrNotFound", err)
	}
	found := 0
	for q, err := range users.Quarantined(ctx) {
		use("Quarantined", err)
		use("Restore", users.Restore(ctx, q.ID))
		found++
	}
	if found != 1 {
		t.Errorf("%d in quarantine, want 1", found)
	}
	_, err = users.Sweep(ctx)
	use("Sweep", err)
	_, err = users.DeleteSubject(ctx, "ben")
	use("DeleteSubject", err)
	_, err = users.DeleteAll(ctx)
	use("DeleteAll", err)
	if denied := admin.Do(ctx, "ACL", "LOG").Val(); len(denied.([]any)) != 0 {
		t.Errorf("refused: %v", denied)
	}
}
