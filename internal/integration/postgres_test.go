// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/internal/testproc"
)

// postgresServer is a PostgreSQL of the test's own, with its data in a
// temporary folder and only a local port. It is safe to kill.
type postgresServer struct {
	*testproc.Child
	bin, data string
	port      int
}

// startPostgres makes a cluster and starts it. Without the binaries the test
// is skipped, or fails when HOLDFAST_REQUIRE names postgres.
func startPostgres(t testing.TB) *postgresServer {
	t.Helper()
	initdb := testproc.Find(t, "postgres", "initdb", "/usr/lib/postgresql/*/bin/initdb")
	// Not t.TempDir: its parents are closed to the user that the server runs as.
	home, err := os.MkdirTemp("", "holdfast-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s := &postgresServer{bin: filepath.Dir(initdb), data: filepath.Join(home, "data"), port: testproc.FreePort(t)}
	if cred := unprivileged(t); cred != nil {
		if err := os.Chown(home, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := s.command(t, "initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.start(t)
	return s
}

// start starts the server, again after a stop.
func (s *postgresServer) start(t testing.TB) {
	t.Helper()
	s.Child = testproc.Start(t, s.command(t, "postgres", "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "log_min_error_statement=panic"))
	db := s.open(t)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // another process starts; no bubble can hold it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := db.WithContext(ctx).Exec("SELECT 1").Error
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("postgres does not answer: %v", err)
		}
	}
}

// open returns a new pool of connections, closed with the test.
func (s *postgresServer) open(t testing.TB) *gorm.DB { return s.openNamed(t, "postgres") }

// openNamed is open for another database than the first one.
func (s *postgresServer) openNamed(t testing.TB, name string) *gorm.DB {
	t.Helper()
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable", s.port, name)
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	return db
}

// command runs one of PostgreSQL's programs as somebody whom it accepts.
func (s *postgresServer) command(t testing.TB, name string, args ...string) *exec.Cmd {
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
