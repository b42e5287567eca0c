// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/internal/pgtest"
)

// postgresServer is a PostgreSQL of the test's own, with GORM in front of it.
type postgresServer struct{ *pgtest.Server }

func startPostgres(t testing.TB) *postgresServer {
	t.Helper()
	return &postgresServer{pgtest.New(t)}
}

// open returns a new pool of connections, closed with the test.
func (s *postgresServer) open(t testing.TB) *gorm.DB { return s.openNamed(t, "postgres") }

// openNamed is open for another database than the first one.
func (s *postgresServer) openNamed(t testing.TB, name string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(postgres.Open(s.URL(name)), &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)
	return db
}
