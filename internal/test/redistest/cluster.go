// SPDX-License-Identifier: MIT

package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// Cluster starts a Redis Cluster of n masters, each with its share of the
// slots, and returns the nodes once each of them knows all of it.
func Cluster(t testing.TB, n int, args ...string) []*Server {
	t.Helper()
	ctx := t.Context()
	nodes, clients, buses := make([]*Server, n), make([]*redis.Client, n), make([]int, n)
	for i := range nodes {
		buses[i] = testproc.FreePort(t)
		nodes[i] = Real(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(buses[i]), "--cluster-require-full-coverage", "yes",
		}, args...)...)
		clients[i] = nodes[i].Client(t)
		first, last := 16384*i/n, 16384*(i+1)/n-1
		if err := clients[i].ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			t.Fatal(err)
		}
		if err := clients[i].Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range nodes { // each with each: faster than gossip
		host, port, _ := strings.Cut(node.Addr, ":")
		for _, other := range clients[:i] {
			if err := other.Do(ctx, "cluster", "meet", host, port, buses[i]).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"cluster_state:ok", "cluster_slots_ok:16384", fmt.Sprintf("cluster_known_nodes:%d", n)}
	for i, end := 0, time.Now().Add(30*time.Second); i < n; {
		info, err := clients[i].ClusterInfo(ctx).Result()
		missing := ""
		for _, w := range want {
			if !strings.Contains(info, w+"\r\n") {
				missing = w
			}
		}
		switch {
		case err == nil && missing == "":
			i++
		case time.Now().After(end):
			t.Fatalf("node %d does not say %s: %v\n%s", i, missing, err, info)
		default:
			time.Sleep(10 * time.Millisecond) // the nodes gossip in their own time
		}
	}
	return nodes
}

// ClusterClient returns a client of the cluster that the nodes make, closed
// with the test.
func ClusterClient(t testing.TB, nodes []*Server) *redis.ClusterClient {
	t.Helper()
	var addrs []string
	for _, node := range nodes {
		addrs = append(addrs, node.Addr)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true, PoolSize: 64})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
