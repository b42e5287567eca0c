// SPDX-License-Identifier: MIT

// Package postgrestest gives tests a PostgreSQL server as a child process.
package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// Server is a PostgreSQL of the test's own, with its data in a temporary
// folder and only a local port. It is safe to kill.
type Server struct {
	*testproc.Child
	Port int

	bin, data string
	args      []string
}

// Start makes a cluster and starts it, with further arguments such as "-c",
// "fsync=off". Without the binaries the test is skipped, or fails when
// HOLDFAST_REQUIRE names postgres.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	initdb := testproc.Find(t, "postgres", "initdb", "/usr/lib/postgresql/*/bin/initdb")
	if real, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = real // beside it are the other programs
	}
	// Not t.TempDir: its parents are closed to the user that the server runs as.
	home, err := os.MkdirTemp("", "holdfast-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s := &Server{bin: filepath.Dir(initdb), data: filepath.Join(home, "data"), Port: testproc.FreePort(t), args: args}
	if err := giveAway(home); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb, which %s has to be open to when the tests run as root: %v\n%s", os.TempDir(), err, out)
	}
	s.Restart(t)
	return s
}

// Restart starts the server again after it was killed or stopped.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	args := append([]string{
		"-D", s.data, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "log_min_error_statement=panic",
	}, s.args...)
	s.Child = testproc.Start(t, s.command("postgres", args...))
	for end := time.Now().Add(30 * time.Second); !s.ready(); time.Sleep(20 * time.Millisecond) { // another process starts; no bubble can hold it
		if time.Now().After(end) {
			t.Fatal("postgres does not get ready")
		}
	}
}

// ready reads what a server says of itself in its lock file: its process in the
// first line, its state in the eighth. One that was killed leaves its own.
func (s *Server) ready() bool {
	data, _ := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	lines := strings.Split(string(data), "\n")
	return len(lines) > 7 && lines[0] == strconv.Itoa(s.Process.Pid) && strings.TrimSpace(lines[7]) == "ready"
}

// StopNow is pg_ctl stop -m immediate: every connection is cut, nothing is
// written down, and the next start recovers from the log.
func (s *Server) StopNow(t testing.TB) {
	t.Helper()
	if out, err := s.command("pg_ctl", "stop", "-D", s.data, "-m", "immediate").CombinedOutput(); err != nil {
		t.Errorf("pg_ctl stop: %v\n%s", err, out)
	}
	s.Kill()
}

// Addr is where the server listens.
func (s *Server) Addr() string { return testproc.Addr(s.Port) }

// URL is the address of a database, which clients may reach at another
// address than the server's own.
func (s *Server) URL(addr, database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", addr, database)
}

// command runs one of PostgreSQL's programs as a user that it accepts.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = filepath.Dir(s.data)
	becomeUnprivileged(cmd)
	return cmd
}
