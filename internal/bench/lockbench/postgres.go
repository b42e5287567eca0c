// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
)

// excluding books three nights in a table that refuses overlaps, and cancels
// the booking. The server does not wait for its disk.
func excluding(tb testing.TB) locker {
	server := postgrestest.Start(tb, "-c", "fsync=off")
	config, err := pgxpool.ParseConfig(server.URL(server.Addr(), "postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	config.MaxConns = few
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	if _, err := pool.Exec(tb.Context(), `CREATE EXTENSION btree_gist;
		CREATE TABLE stays (room text NOT NULL, during daterange NOT NULL, EXCLUDE USING gist (room WITH =, during WITH &&))`); err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context, name string) error {
		if _, err := pool.Exec(ctx, `INSERT INTO stays VALUES ($1, '[2026-12-12,2026-12-15)')`, name); err != nil {
			return err
		}
		_, err := pool.Exec(ctx, `DELETE FROM stays WHERE room = $1`, name)
		return err
	}
}
