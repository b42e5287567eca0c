// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// mariadbServer is a MariaDB of the test's own, with its data in a temporary
// folder and only a local port.
type mariadbServer struct {
	*testproc.Child
	home, path string
	port       int
}

func startMariaDB(t testing.TB) *mariadbServer {
	t.Helper()
	s := &mariadbServer{path: testproc.Find(t, "mariadb", "mariadbd", "/usr/sbin/mariadbd"), port: testproc.FreePort(t)}
	install := testproc.Find(t, "mariadb", "mariadb-install-db")
	home, err := os.MkdirTemp("", "holdfast-maria-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s.home = home
	if err := os.Chmod(home, 0o777); err != nil { // the server runs as another user than root
		t.Fatal(err)
	}
	cmd := exec.Command(install, append(s.args(), "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	s.restart(t)
	return s
}

func (s *mariadbServer) args() []string {
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(s.home, "data"), "--tmpdir=" + s.home}
	if os.Geteuid() == 0 {
		args = append(args, "--user=mysql")
	}
	return args
}

// restart starts the server again after it was killed.
func (s *mariadbServer) restart(t testing.TB) {
	t.Helper()
	s.Child = testproc.Start(t, exec.Command(s.path, append(s.args(), "--port="+strconv.Itoa(s.port), "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(s.home, "data", "sock"), "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve")...))
	testproc.Listening(t, testproc.Addr(s.port))
}

// dsn is that of a database.
func (s *mariadbServer) dsn(name string) string {
	return fmt.Sprintf("root@tcp(127.0.0.1:%d)/%s?parseTime=true", s.port, name)
}

// open makes a database with a character set, which is that of everything in it
// by default, and returns a pool of connections to it.
func (s *mariadbServer) open(t testing.TB, name, charset string) *gorm.DB {
	t.Helper()
	root := openMySQL(t, s.dsn(""))
	if err := root.Exec("CREATE DATABASE " + name + " CHARACTER SET " + charset).Error; err != nil {
		t.Fatal(err)
	}
	return openMySQL(t, s.dsn(name))
}

func openMySQL(t testing.TB, dsn string) *gorm.DB {
	t.Helper()
	pool, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	waitFor(t, "MariaDB", func() bool { return pool.PingContext(t.Context()) == nil })
	db, err := gorm.Open(mysql.New(mysql.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
