// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// nightsTable is the table with a row per night, and the statements of
// docs/fencing.md that write and read a stay.
type nightsTable struct {
	db          *sql.DB
	write, read string
}

func dayOf(n int) time.Time { return time.Date(2026, 12, n, 0, 0, 0, 0, time.UTC) }

func dateOf(n int) string { return dayOf(n).Format(time.DateOnly) }

// stay writes the nights from in to out, or none of them, as the page says.
func (n nightsTable) stay(t *testing.T, room string, in, out int, guest string, fence uint64) bool {
	t.Helper()
	tx, err := n.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Error(err)
		return false
	}
	defer tx.Rollback()
	if changed(t, tx, n.write, room, dateOf(in), dateOf(out), guest, fence) < int64(out-in) {
		return false
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
		return false
	}
	return true
}

// ask reads the nights from in to out as the page says, and returns whose
// each is, or false when one of them is a later lease's.
func (n nightsTable) ask(t *testing.T, room string, in, out int, fence uint64) (guests string, ok bool) {
	t.Helper()
	rows, err := n.db.QueryContext(t.Context(), n.read, room, dateOf(in), dateOf(out), fence)
	if err != nil {
		t.Error(err)
		return "", false
	}
	defer rows.Close()
	count := 0
	for ; rows.Next(); count++ {
		var night, guest string
		if err := rows.Scan(&night, &guest); err != nil {
			t.Error(err)
		}
		guests += night[8:10] + guest + " "
	}
	return strings.TrimSpace(guests), rows.Err() == nil && count == out-in
}

// guests returns whose each night of the room is, and by which fence.
func (n nightsTable) guests(t *testing.T, room string) (list []string) {
	t.Helper()
	rows, err := n.db.QueryContext(t.Context(), "SELECT extract(day FROM night), guest, fence FROM nights WHERE room = $1 ORDER BY night", room)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var night, fence int
		var guest string
		if err := rows.Scan(&night, &guest, &fence); err != nil {
			t.Error(err)
		}
		list = append(list, fmt.Sprint(night, guest, fence))
	}
	return list
}

// Two leases are alive on different nights of one room. Both may write,
// whichever was granted first and whichever writes first.
func leasesOnOtherNightsWrite(t *testing.T, nights nightsTable, insert string) {
	leases, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	if err != nil {
		t.Fatal(err)
	}
	defer leases.Close(t.Context())
	room := t.Name()
	ana, err := leases.TryAcquire(t.Context(), lock.Nights(room, dayOf(12), dayOf(15)))
	if err != nil {
		t.Fatal(err)
	}
	ben, err := leases.TryAcquire(t.Context(), lock.Nights(room, dayOf(20), dayOf(22)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		lease   *lock.Lease
		guest   string
		in, out int
	}{{ben, "ben", 20, 22}, {ana, "ana", 12, 15}, {ben, "ben again", 20, 22}} {
		if !nights.stay(t, room, s.in, s.out, s.guest, s.lease.Fence()) {
			t.Errorf("a row per night refused %s, whose lease is alive", s.guest)
		}
		if s.guest == "ben again" {
			continue
		}
		if n := changed(t, nights.db, insert, room, dateOf(s.in), dateOf(s.out), s.guest); n != 1 {
			t.Errorf("the constraint refused %s, whose lease is alive", s.guest)
		}
		if err := s.lease.Err(); err != nil {
			t.Errorf("%s: %v", s.guest, err)
		}
	}
}

func (n nightsTable) refusesLowerFences(t *testing.T) {
	room := t.Name()
	for _, s := range []struct {
		guest   string
		in, out int
		fence   uint64
		written bool
	}{
		{"ana", 12, 15, 33, true},
		{"ben", 14, 16, 34, true},
		{"cy", 15, 16, 33, false},
		{"ana late", 12, 15, 33, false}, // her 12th and 13th must stay as they are, too
		{"ana late", 11, 14, 33, true},
	} {
		if got := n.stay(t, room, s.in, s.out, s.guest, s.fence); got != s.written {
			t.Errorf("%s with %d from %d to %d: written %t, want %t", s.guest, s.fence, s.in, s.out, got, s.written)
		}
	}
	want := "[11ana late33 12ana late33 13ana late33 14ben34 15ben34]"
	if got := fmt.Sprint(n.guests(t, room)); got != want {
		t.Errorf("the nights are %s, want %s", got, want)
	}
}

// A night that has no row yet is locked out by reading it, too.
func (n nightsTable) refusesAfterReading(t *testing.T) {
	room := t.Name()
	n.stay(t, room, 12, 13, "ana", 33)
	if got, ok := n.ask(t, room, 12, 15, 34); !ok || got != "12ana 13 14" {
		t.Errorf("34 reads %q, %t", got, ok)
	}
	if n.stay(t, room, 14, 15, "ana late", 33) {
		t.Error("33 wrote after 34 had read")
	}
	if got, ok := n.ask(t, room, 12, 15, 33); ok {
		t.Errorf("33 reads %q after 34 had read", got)
	}
}

func (n nightsTable) keepsTheHighestFences(t *testing.T) {
	n.db.SetMaxOpenConns(8)
	var (
		room    = t.Name()
		guests  sync.WaitGroup
		mu      sync.Mutex
		highest = make(map[int]int) // by night, of what was written
	)
	for fence := 1; fence <= 100; fence++ {
		guests.Go(func() {
			in := 1 + rand.IntN(20)
			out := in + 1 + rand.IntN(5)
			if !n.stay(t, room, in, out, "guest", uint64(fence)) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for night := in; night < out; night++ {
				highest[night] = max(highest[night], fence)
			}
		})
	}
	guests.Wait()
	var want []string
	for night := range 31 {
		if fence, written := highest[night]; written {
			want = append(want, fmt.Sprint(night, "guest", fence))
		}
	}
	if got := n.guests(t, room); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the nights are\n%q, want\n%q", got, want)
	}
}

func TestThePackageCommentShowsThePagesStatements(t *testing.T) {
	page, err := os.ReadFile("../../docs/fencing.md")
	if err != nil {
		t.Fatal(err)
	}
	comment, err := os.ReadFile("../../lock/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^//\t((?:UPDATE|INSERT|SELECT).*;)$`).FindAllSubmatch(comment, -1)
	if len(shown) == 0 {
		t.Error("lock/doc.go shows no statement")
	}
	for _, s := range shown {
		if !strings.Contains(string(page), string(s[1])) {
			t.Errorf("lock/doc.go shows a statement that docs/fencing.md has not: %s", s[1])
		}
	}
}
