// SPDX-License-Identifier: MIT

// Package testproc finds, starts and stops the servers that tests need, as
// child processes of the test binary.
package testproc

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Find returns the path of the newest executable that one of the patterns
// names: a bare name is looked up in PATH, a pattern with slashes is a
// [filepath.Glob]. Without one the test is skipped, or fails when the
// environment variable HOLDFAST_REQUIRE (a comma-separated list) contains what.
func Find(t testing.TB, what string, patterns ...string) string {
	t.Helper()
	for _, p := range patterns {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if slices.Contains(strings.Split(os.Getenv("HOLDFAST_REQUIRE"), ","), what) {
		t.Fatalf("HOLDFAST_REQUIRE names %s, but none of %v is here", what, patterns)
	}
	t.Skipf("no %s here: looked for %v", what, patterns)
	return ""
}

// FreePort returns a TCP port of 127.0.0.1 on which nothing listens. It lies
// below those that systems give to clients (from 32768 on Linux), so that no
// connection takes it before a server does.
func FreePort(t testing.TB) int {
	t.Helper()
	var err error
	for range 100 {
		port := 10000 + rand.IntN(22000)
		var l net.Listener
		if l, err = net.Listen("tcp", Addr(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatalf("no free port: %v", err)
	return 0
}

// Addr is the loopback address of a port.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Child is a running process. It dies with the test at the latest, and on
// Linux with the test binary, however that ends.
type Child struct {
	*exec.Cmd
	t    testing.TB
	once sync.Once
	out  strings.Builder
}

// Start starts cmd; its output is logged when the test fails.
func Start(t testing.TB, cmd *exec.Cmd) *Child {
	t.Helper()
	c := &Child{Cmd: cmd, t: t}
	cmd.Stdout, cmd.Stderr = &c.out, &c.out
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(cmd.Path), c.out.String())
		}
	})
	return c
}

// Kill ends the process at once (SIGKILL) and waits for it. A second call
// does nothing.
func (c *Child) Kill() {
	c.once.Do(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// Listening waits until the address accepts connections, and fails the test
// when it does not within ten seconds.
func Listening(t testing.TB, addr string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nothing listens on %s: %v", addr, err)
		}
	}
}
