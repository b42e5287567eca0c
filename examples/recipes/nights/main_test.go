// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestNoNightGetsTwoGuestsWhateverComesLate(t *testing.T) {
	server := postgrestest.Start(t, "-c", "fsync=off")
	var out strings.Builder
	if err := run(t.Context(), server.URL(server.Addr(), "postgres"), &out); err != nil {
		t.Fatal(err)
	}
	const want = `offered to ana: <nil>
offered to ben: <nil>
booked by ana: a night is another guest's, or was offered to one
booked by ben: <nil> <nil>
offered to cleo: a night is another guest's, or was offered to one
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestAStayIsOfNightsNotOfHours(t *testing.T) {
	server := postgrestest.Start(t, "-c", "fsync=off")
	db, err := gorm.Open(postgres.Open(server.URL(server.Addr(), "postgres")), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	if err := db.Exec(table).Error; err != nil {
		t.Fatal(err)
	}
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	if err != nil {
		t.Fatal(err)
	}
	defer rooms.Close(t.Context())
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, madrid)
	}
	for name, s := range map[string]stay{
		"over the end of summer time":         {"ana", "101", at(10, 24, 0), at(10, 26, 0)},
		"over its beginning":                  {"ben", "102", at(3, 28, 0), at(3, 30, 0)},
		"from 11:00 to 15:00 of the next day": {"cleo", "103", at(12, 12, 11), at(12, 13, 15)},
	} {
		l, err := rooms.TryAcquire(t.Context(), s.nights())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(offer(t.Context(), db, l, s), book(t.Context(), db, l, s)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
