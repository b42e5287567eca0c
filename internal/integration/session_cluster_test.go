// SPDX-License-Identifier: MIT

package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

func TestSessionsConformOnAClusterOfThreeNodes(t *testing.T) {
	t.Parallel()
	client := redistest.ClusterClient(t, redistest.Cluster(t, 3))
	sessiontest.Run(t, func(testing.TB) session.Store { return redissession.New(client) })
}

// Partitions are on different nodes here: what a manager does with many of
// them at once has to reach them all.
func TestASessionManagerWorksOnAClusterOfThreeNodes(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 3)
	client := redistest.ClusterClient(t, nodes)
	reported := map[string]bool{}
	done := make(chan string, 200)
	m, err := session.New(redissession.New(client), session.Config[int]{
		Name: "chats", IdleTimeout: 5 * time.Second, Timeout: 30 * time.Second,
		OnExpire: func(_ context.Context, e session.Expired[int]) error { done <- e.ID; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for i := range 100 {
		s, err := m.Create(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Bind(ctx, s, fmt.Sprint("guest ", i%10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range nodes {
		if n := node.Client(t).DBSize(ctx).Val(); n == 0 {
			t.Error("a node has no session")
		}
		if err := client.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.ScriptFlush(ctx).Err() }); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := m.Count(ctx); n != 100 || err != nil {
		t.Errorf("counted %d, %v, want 100", n, err)
	}
	if n, err := m.DeleteSubject(ctx, "guest 3"); n != 10 || err != nil {
		t.Errorf("deleted %d of a subject, %v, want 10", n, err)
	}
	time.Sleep(5100 * time.Millisecond) // the servers' clocks are real
	if r, err := m.Sweep(ctx); err != nil || r.Ended[session.ReasonIdle] != 90 || r.Active != 0 || !r.Complete {
		t.Errorf("swept %+v, %v, want 90 of all nodes", r, err)
	}
	close(done)
	for id := range done {
		reported[id] = true
	}
	if len(reported) != 90 {
		t.Errorf("reported %d different expiries, want 90", len(reported))
	}
}
