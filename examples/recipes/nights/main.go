// SPDX-License-Identifier: MIT

// Guests hold nights while they decide, and PostgreSQL refuses what comes too late.
//
//	go run ./examples/recipes/nights postgres://postgres@localhost/hotel
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

var errTaken = errors.New("a night is another guest's, or was offered to one")

const table = "CREATE TEMPORARY TABLE nights (room text, night date, guest text NOT NULL, fence bigint NOT NULL, PRIMARY KEY (room, night))"

// A stay is from the arrival to the departure, whose night is not part of it.
type stay struct {
	guest, room        string
	arrival, departure time.Time
}

func (s stay) nights() lock.Resource { return lock.Nights("room/"+s.room, s.arrival, s.departure) }

// offer reports whether the nights are free. No earlier lease can write them after it.
func offer(ctx context.Context, db *gorm.DB, lease *lock.Lease, s stay) error {
	s.guest = ""
	return book(ctx, db, lease, s)
}

// book stores the guest in all nights of the stay, or in none. No lease can stop a
// statement that is on its way, so each night keeps the highest fence that it has seen.
func book(ctx context.Context, db *gorm.DB, lease *lock.Lease, s stay) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Exec(`
			INSERT INTO nights (room, night, guest, fence)
			SELECT @room, CAST(@arrival AS date) + n, @guest, @fence
			FROM generate_series(0, CAST(@departure AS date) - CAST(@arrival AS date) - 1) AS n ORDER BY n
			ON CONFLICT (room, night) DO UPDATE SET guest = excluded.guest, fence = excluded.fence
			WHERE nights.fence <= excluded.fence AND nights.guest IN ('', excluded.guest)`,
			map[string]any{
				"room": s.room, "guest": s.guest, "fence": lease.Fence(),
				"arrival": s.arrival.Format(time.DateOnly), "departure": s.departure.Format(time.DateOnly),
			})
		if first, end := s.nights().Bounds(); done.Error == nil && done.RowsAffected < end-first {
			return errTaken
		}
		return done.Error
	})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: nights postgres://…")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dsn string, out io.Writer) (err error) {
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1) // which has the temporary table
	if err := db.Exec(table).Error; err != nil {
		return err
	}
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"}) // or redislock.New(client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rooms.Close(ctx)) }()

	ana, ben := stay{"ana", "101", december(12), december(15)}, stay{"ben", "101", december(14), december(16)}
	anas, err := rooms.TryAcquire(ctx, ana.nights(), lock.Holder("ana"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "offered to ana:", offer(ctx, db, anas, ana))
	for h, err := range rooms.Holds(ctx, ana.nights()) { // she sleeps, and an operator lets go of her lease
		if err == nil {
			err = rooms.ForceRelease(ctx, h, lock.Reason("asleep"))
		}
		if err != nil {
			return err
		}
	}
	bens, err := rooms.TryAcquire(ctx, ben.nights(), lock.Holder("ben"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "offered to ben:", offer(ctx, db, bens, ben))
	fmt.Fprintln(out, "booked by ana:", book(ctx, db, anas, ana)) // too late
	fmt.Fprintln(out, "booked by ben:", book(ctx, db, bens, ben), bens.Release(ctx))

	cleo := stay{"cleo", "101", december(15), december(17)}
	return rooms.TryDo(ctx, cleo.nights(), func(ctx context.Context, l *lock.Lease) error {
		fmt.Fprintln(out, "offered to cleo:", offer(ctx, db, l, cleo))
		return nil
	}, lock.Holder("cleo"))
}

func december(day int) time.Time { return time.Date(2026, time.December, day, 0, 0, 0, 0, time.UTC) }
