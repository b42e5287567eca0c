// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
)

// postgresServer is a PostgreSQL that GORM connects to.
type postgresServer struct{ *postgrestest.Server }

func startPostgres(t testing.TB) *postgresServer {
	t.Helper()
	return &postgresServer{postgrestest.Start(t, "-c", "fsync=off")}
}

// open returns a new pool of connections, closed with the test.
func (s *postgresServer) open(t testing.TB) *gorm.DB { return s.openNamed(t, "postgres") }

// openNamed is open for another database than the first one.
func (s *postgresServer) openNamed(t testing.TB, name string) *gorm.DB {
	t.Helper()
	return openPostgres(t, s.URL(s.Addr(), name))
}

func openPostgres(t testing.TB, url string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(postgres.Open(url), &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	return db
}
