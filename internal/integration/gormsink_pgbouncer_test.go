// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// startPgbouncer starts a pool in transaction mode before a server, and returns
// the URL of its database.
func startPgbouncer(t *testing.T, server *postgresServer) string {
	t.Helper()
	program := testproc.Find(t, "pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer")
	dir, err := os.MkdirTemp("", "holdfast-pgb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the pool runs as another user than root
		t.Fatal(err)
	}
	port, file := testproc.FreePort(t), filepath.Join(dir, "pgbouncer.ini")
	config := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n", server.Port, port)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Geteuid() == 0 {
		args = []string{"-u", "nobody", file}
	}
	testproc.Start(t, exec.Command(program, args...))
	testproc.Listening(t, testproc.Addr(port))
	return server.URL(testproc.Addr(port), "postgres")
}

// Behind pgbouncer in transaction mode a connection has a server for one
// transaction at a time, so nothing may be prepared beyond that.
func TestGormsinkWorksBehindPgbouncerInTransactionMode(t *testing.T) {
	t.Parallel()
	url := startPgbouncer(t, startPostgres(t))
	n := 0
	for name, config := range map[string]postgres.Config{
		"PreferSimpleProtocol": {DSN: url, PreferSimpleProtocol: true},
		"exec mode":            {DSN: url + "&default_query_exec_mode=exec"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := gorm.Open(postgres.New(config), &gorm.Config{Logger: logger.Discard})
			if err != nil {
				t.Fatal(err)
			}
			closeDB(t, db)
			n++
			table := gormsink.WithTable(fmt.Sprintf("trail_%d", n))
			everything(t, db, table)
			s, all := gormsink.New(db, table), batch(t, 1600)
			var writers sync.WaitGroup
			for i := range 8 {
				writers.Go(func() {
					for part := range slices.Chunk(all[i*200:(i+1)*200], 20) {
						if err := s.Write(t.Context(), part); err != nil {
							t.Errorf("writer %d: %v", i, err)
						}
					}
				})
			}
			writers.Wait()
		})
	}
}
