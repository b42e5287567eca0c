// SPDX-License-Identifier: MIT

package redissession

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

// oneNodeCluster is a Cluster with all its slots on one server: like any
// other it refuses commands and scripts whose keys are in several slots.
func oneNodeCluster(t testing.TB) *redis.ClusterClient {
	server := redistest.Real(t, "--cluster-enabled", "yes")
	single := server.Client(t)
	if err := single.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) { // the server makes up its mind in its own time
		if err := single.Set(t.Context(), "ready", 1, 0).Err(); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the cluster does not come up: %v", err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}, ContextTimeoutEnabled: true, PoolSize: 64})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestStoreConformsOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	client := oneNodeCluster(t)
	if err := client.Eval(t.Context(), "return redis.call('GET', KEYS[1]..'{2}')", []string{"{1}"}).Err(); err == nil {
		t.Fatal("this cluster does not mind keys in several slots: the test shows nothing")
	}
	sessiontest.Run(t, func(testing.TB) session.Store { return New(client) }, sessiontest.Corrupt(damageHeader), sessiontest.Vanish(vanish))
}
