// SPDX-License-Identifier: MIT

package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// Replica starts a replica of the server at master, which may be the address
// of a proxy in front of it, and returns when it is in step.
func Replica(t testing.TB, master string, args ...string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(master)
	if err != nil {
		t.Fatal(err)
	}
	s := Real(t, append([]string{"--replicaof", host, port}, args...)...)
	until(t, s.Client(t), "replication", "master_link_status:up")
	return s
}

// until waits until a section of INFO has the line.
func until(t testing.TB, client *redis.Client, section, line string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the servers agree in their own time
		info, err := client.Info(t.Context(), section).Result()
		if strings.Contains(info, line) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not say %s: %v\n%s", client.Options().Addr, line, err, info)
		}
	}
}

// SentinelMaster is the name that a [Sentinel] knows its master by.
const SentinelMaster = "holdfast"

// Sentinel starts one sentinel, which decides alone, over a master and its
// replicas, and returns when it knows of that many. It takes a master that
// does not answer for down after down.
func Sentinel(t testing.TB, master *Server, replicas int, down time.Duration) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	own := testproc.FreePort(t)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // which it rewrites
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\nsentinel monitor %[2]s %s %s 1\nsentinel down-after-milliseconds %[2]s %[5]d\nsentinel failover-timeout %[2]s 5000\n",
		own, SentinelMaster, host, port, down.Milliseconds())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: testproc.Addr(own), args: []string{testproc.Find(t, "redis", "redis-server"), config, "--sentinel"}}
	s.Start(t)
	until(t, s.Client(t), "sentinel", fmt.Sprintf("status=ok,address=%s,slaves=%d", master.Addr, replicas))
	return s
}

// FailoverClient returns a client that asks the sentinel for the master,
// closed with the test.
func FailoverClient(t testing.TB, sentinel *Server) *redis.Client {
	t.Helper()
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: SentinelMaster, SentinelAddrs: []string{sentinel.Addr}, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
