// SPDX-License-Identifier: MIT

// Package redistest gives tests a Redis: one in virtual time, inside the
// process, and a real redis-server as a child process.
package redistest

import (
	"context"
	"flag"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// Main is [leakcheck.Main] for tests of which most wait: unless the command line
// says another number, eight parallel ones run at once, however few processors
// there are.
func Main(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	leakcheck.Main(m)
}

// Virtual returns a miniredis and a client of it, connected without a socket.
// Inside a [testing/synctest] bubble its clock, and with it TIME and every
// TTL, is the bubble's.
//
// Where int has 32 bits the test is skipped. For the same reason the examples
// of the Redis backends are not built there.
func Virtual(t testing.TB) (*redis.Client, *miniredis.Miniredis) {
	t.Helper()
	if strconv.IntSize == 32 {
		t.Skip("miniredis counts in int, whose 32 bits do not hold a time") // the words that .ci/run excuses
	}
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	t.Cleanup(m.Close)
	return VirtualClient(t, m), m
}

// VirtualClient returns a further client of a miniredis that [Virtual] made,
// closed with the test. To the server it is another process.
func VirtualClient(t testing.TB, m *miniredis.Miniredis) *redis.Client {
	t.Helper()
	var mu sync.Mutex
	over := false // the server is about to close the connections that it has, and would keep a later one
	client := redis.NewClient(&redis.Options{
		// An IP literal: a host name would be looked up, outside the bubble.
		Addr: "127.0.0.1:0",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if over { // a failed dial would be repeated after a while, and the bubble's time has ended
				gone, _ := net.Pipe()
				return gone, gone.Close()
			}
			conn, err := m.Dial()
			if err != nil {
				return nil, err
			}
			return newQueued(conn), nil
		},
		ContextTimeoutEnabled: true,
		// A call that waits for a connection takes its timer from a pool of the
		// whole process, which bubbles cannot share; so no call has to wait. The
		// default is 10 for each processor.
		PoolSize: 1000,
	})
	t.Cleanup(func() {
		mu.Lock()
		over = true
		mu.Unlock()
		_ = client.Close()
	})
	return client
}

// Server is a real redis-server.
type Server struct {
	*testproc.Child
	Addr string
	args []string
}

// Real starts a redis-server without persistence on a free port, with further
// arguments such as "--maxmemory", "1mb". Without the binary the test is
// skipped, or fails when HOLDFAST_REQUIRE names redis.
func Real(t testing.TB, args ...string) *Server {
	t.Helper()
	path := testproc.Find(t, "redis", "redis-server")
	port := testproc.FreePort(t)
	if slices.Contains(args, "--cluster-enabled") && !slices.Contains(args, "--cluster-port") {
		args = append(args, "--cluster-port", strconv.Itoa(testproc.FreePort(t))) // by default 10 000 above the port, which may be too high
	}
	args = append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", t.TempDir(),
		"--repl-diskless-sync-delay", "0", // replicas need not wait for more of them
	}, args...)
	s := &Server{Addr: testproc.Addr(port), args: append([]string{path}, args...)}
	s.Start(t)
	return s
}

// Start starts the server again after a Kill, at its address and with its
// arguments and its folder. Whether anything is still there is a matter of
// the arguments.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.Child = testproc.Start(t, exec.Command(s.args[0], s.args[1:]...))
	testproc.Listening(t, s.Addr)
}

// Client returns a new client of the server, closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
