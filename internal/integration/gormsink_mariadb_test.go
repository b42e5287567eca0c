// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

func TestGormsinkOnMariaDBIsASink(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	for _, charset := range []string{"utf8mb4", "latin1"} { // what texts are stored in is the table's business, not the database's
		t.Run(charset, func(t *testing.T) {
			db := server.open(t, charset, charset)
			var n atomic.Int64
			audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
				s := migrated(t, db, gormsink.WithTable(fmt.Sprintf("trail_%d", n.Add(1))))
				return s, reader(s)
			})
		})
	}
}

func TestGormsinkOnMariaDBKeepsItsPromises(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	var n atomic.Int64
	promises(t, func(t testing.TB) *gorm.DB { return server.open(t, fmt.Sprintf("case_%d", n.Add(1)), "utf8mb4") })
}
