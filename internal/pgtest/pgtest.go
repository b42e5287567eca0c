// SPDX-License-Identifier: MIT

//go:build unix

// Package pgtest gives tests a PostgreSQL of their own, as a child process.
package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/testproc"
)

// Server is a PostgreSQL with its data in a temporary folder and only a local
// port. It does not wait for the disk, and is safe to kill.
type Server struct {
	*testproc.Child
	Port      int
	bin, data string
}

// New makes a cluster and starts it. Without the binaries the test is skipped,
// or fails when HOLDFAST_REQUIRE names postgres.
func New(t testing.TB) *Server {
	t.Helper()
	initdb := testproc.Find(t, "postgres", "initdb", "/usr/lib/postgresql/*/bin/initdb")
	// Not t.TempDir: its parents are closed to the user that the server runs as.
	home, err := os.MkdirTemp("", "holdfast-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s := &Server{bin: filepath.Dir(initdb), data: filepath.Join(home, "data"), Port: testproc.FreePort(t)}
	if cred := unprivileged(t); cred != nil {
		if err := os.Chown(home, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := s.command(t, "initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start(t)
	return s
}

// Start starts the server, again after a stop, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.Child = testproc.Start(t, s.command(t, "postgres", "-D", s.data, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "log_min_error_statement=panic"))
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

// URL is where a database of the server is, for drivers.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// command runs one of PostgreSQL's programs as somebody whom it accepts.
func (s *Server) command(t testing.TB, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = filepath.Dir(s.data)
	if cred := unprivileged(t); cred != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	return cmd
}

// unprivileged returns who to be when the test runs as root, whom PostgreSQL
// refuses, and otherwise nil.
func unprivileged(t testing.TB) *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no user but root to run postgres as")
	return nil
}
