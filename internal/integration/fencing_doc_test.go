// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// statements returns the SQL of docs/fencing.md by its first words.
func statements(t testing.TB) func(begin string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/fencing.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, block := range strings.Split(string(page), "```sql\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		all = append(all, strings.TrimSpace(text))
	}
	used := make(map[string]bool)
	t.Cleanup(func() {
		if len(used) != len(all) && !t.Failed() {
			t.Errorf("%d of the %d statements on the page were run", len(used), len(all))
		}
	})
	return func(begin string) string {
		for _, text := range all {
			if strings.HasPrefix(text, begin) {
				used[text] = true
				return text
			}
		}
		t.Fatalf("the page has no %s", begin)
		return ""
	}
}

// TestThePageOnFencingKeepsItsWord runs every statement of docs/fencing.md.
func TestThePageOnFencingKeepsItsWord(t *testing.T) {
	t.Parallel()
	db, err := startPostgres(t).open(t).DB()
	if err != nil {
		t.Fatal(err)
	}
	page := statements(t)
	for _, begin := range []string{"CREATE TABLE rooms", "CREATE TABLE nights", "CREATE EXTENSION"} {
		if _, err := db.ExecContext(t.Context(), page(begin)); err != nil {
			t.Fatal(err)
		}
	}
	update, read, insert := page("UPDATE rooms SET guest"), page("UPDATE rooms SET fence"), page("INSERT INTO stays")
	nights := nightsTable{db, page("INSERT INTO nights (room, night, guest, fence)"), page("INSERT INTO nights (room, night, fence)")}
	for name, check := range map[string]func(*testing.T){
		"a lower fence changes nothing":             func(t *testing.T) { refusesLowerFences(t, db, update) },
		"a reader locks earlier leases out":         func(t *testing.T) { refusesAfterReading(t, db, update, read) },
		"writers at the same moment":                func(t *testing.T) { refusesLowerFencesAtOnce(t, db, update) },
		"leases alive on other nights of the room":  func(t *testing.T) { leasesOnOtherNightsWrite(t, nights, insert) },
		"a lower fence changes no night of a stay":  nights.refusesLowerFences,
		"a reader locks earlier leases out, nights": nights.refusesAfterReading,
		"stays written at the same moment":          nights.keepsTheHighestFences,
		"stays that share a night":                  func(t *testing.T) { refusesSharedNights(t, db, insert) },
		"a hundred guests who did not ask the lock": func(t *testing.T) { refusesSharedNightsAtOnce(t, db, insert) },
	} {
		t.Run(name, check)
	}
}

// execer is a pool or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// changed runs a statement and returns how many rows it changed, -1 if it
// failed.
func changed(t *testing.T, db execer, statement string, args ...any) int64 {
	t.Helper()
	result, err := db.ExecContext(t.Context(), statement, args...)
	if err != nil {
		t.Error(err)
		return -1
	}
	n, err := result.RowsAffected()
	if err != nil {
		t.Error(err)
	}
	return n
}

func room(t *testing.T, db execer) string {
	t.Helper()
	id := t.Name()
	changed(t, db, "INSERT INTO rooms (id) VALUES ($1)", id)
	return id
}

func guestOf(t *testing.T, db *sql.DB, id string) (guest string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT guest FROM rooms WHERE id = $1", id).Scan(&guest); err != nil {
		t.Fatal(err)
	}
	return guest
}

func refusesLowerFences(t *testing.T, db *sql.DB, update string) {
	id := room(t, db)
	micros := uint64(time.Now().UnixMicro())
	for _, c := range []struct {
		guest string
		fence uint64
		want  int64
	}{{"ana", micros, 1}, {"ana again", micros, 1}, {"bob", micros + 1, 1}, {"ana late", micros, 0}, {"bob again", micros + 1, 1}} {
		if n := changed(t, db, update, id, c.guest, c.fence); n != c.want {
			t.Errorf("%s with %d changed %d rows, want %d", c.guest, c.fence, n, c.want)
		}
	}
	if guest := guestOf(t, db, id); guest != "bob again" {
		t.Errorf("the room is %s's", guest)
	}
}

func refusesAfterReading(t *testing.T, db *sql.DB, update, read string) {
	id := room(t, db)
	changed(t, db, update, id, "ana", 33)
	var guest string
	if err := db.QueryRowContext(t.Context(), read, id, 34).Scan(&guest); err != nil || guest != "ana" {
		t.Errorf("34 reads %q, %v", guest, err)
	}
	if n := changed(t, db, update, id, "ana late", 33); n != 0 {
		t.Error("33 wrote after 34 had read")
	}
	if err := db.QueryRowContext(t.Context(), read, id, 33).Scan(&guest); err != sql.ErrNoRows {
		t.Errorf("33 reads %q, %v", guest, err)
	}
}

// refusesLowerFencesAtOnce has the second writer wait for the first one's
// transaction, in both orders.
func refusesLowerFencesAtOnce(t *testing.T, db *sql.DB, update string) {
	for _, c := range []struct {
		first, second uint64
		want          int64
	}{{33, 34, 1}, {34, 33, 0}} {
		t.Run(fmt.Sprint(c.second, " after ", c.first), func(t *testing.T) {
			id := room(t, db)
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			changed(t, tx, update, id, "first", c.first)
			done := make(chan int64)
			go func() { done <- changed(t, db, update, id, "second", c.second) }()
			for waits := 0; waits == 0; pause(t.Context(), time.Millisecond) {
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waits); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if n := <-done; n != c.want {
				t.Errorf("%d changed %d rows, want %d", c.second, n, c.want)
			}
		})
	}
}

const (
	sharedNights       = "SQLSTATE 23P01"
	waitedForEachOther = "SQLSTATE 40P01"
)

func refusesSharedNights(t *testing.T, db *sql.DB, insert string) {
	for _, c := range []struct {
		room, in, out string
		fits          bool
	}{
		{"101", "2026-03-12", "2026-03-15", true},
		{"101", "2026-03-15", "2026-03-16", true}, // arrives on the departure day
		{"101", "2026-03-11", "2026-03-12", true},
		{"102", "2026-03-12", "2026-03-15", true},
		{"101", "2026-03-14", "2026-03-20", false},
		{"101", "2026-03-13", "2026-03-14", false},
		{"101", "2026-03-01", "2026-04-01", false},
	} {
		_, err := db.ExecContext(t.Context(), insert, c.room, c.in, c.out, "ana")
		if c.fits && err != nil || !c.fits && (err == nil || !strings.Contains(err.Error(), sharedNights)) {
			t.Errorf("%s from %s to %s: %v, want it to fit: %t", c.room, c.in, c.out, err, c.fits)
		}
	}
}

func refusesSharedNightsAtOnce(t *testing.T, db *sql.DB, insert string) {
	db.SetMaxOpenConns(8)
	var guests sync.WaitGroup
	first := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for i := range 100 {
		guests.Go(func() {
			in := first.AddDate(0, 0, rand.IntN(20))
			out := in.AddDate(0, 0, 1+rand.IntN(4))
			var err error
			for again := true; again; again = err != nil && strings.Contains(err.Error(), waitedForEachOther) {
				_, err = db.ExecContext(t.Context(), insert, "201", in.Format(time.DateOnly), out.Format(time.DateOnly), fmt.Sprint("guest ", i))
			}
			if err != nil && !strings.Contains(err.Error(), sharedNights) {
				t.Error(err)
			}
		})
	}
	guests.Wait()
	var stays, doubles int
	err := db.QueryRowContext(t.Context(), `SELECT
		(SELECT count(*) FROM stays WHERE room = '201'),
		(SELECT count(*) FROM stays a JOIN stays b ON a.room = b.room AND a.nights && b.nights AND a.ctid < b.ctid)`).Scan(&stays, &doubles)
	if err != nil || stays < 5 || stays > 20 || doubles != 0 {
		t.Errorf("%d stays, %d double bookings, %v", stays, doubles, err)
	}
}
