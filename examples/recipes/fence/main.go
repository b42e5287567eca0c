// SPDX-License-Identifier: MIT

// A write that comes too late changes nothing: the database compares fences.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

var errTooLate = errors.New("a later holder has written")

// clean writes who has cleaned the room. No lease can stop a statement that is on
// its way, so the row keeps the highest fence that it has seen.
func clean(ctx context.Context, db *gorm.DB, lease *lock.Lease) error {
	done := db.WithContext(ctx).Exec("UPDATE rooms SET cleaner = ?, fence = ? WHERE id = ? AND fence <= ?",
		lease.Holder(), lease.Fence(), "101", lease.Fence())
	if done.Error == nil && done.RowsAffected == 0 {
		return errTooLate
	}
	return done.Error
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := gorm.Open(sqlite.Open("file:fence?mode=memory&cache=shared"), &gorm.Config{})
	check(err)
	pool, err := db.DB()
	check(err)
	defer pool.Close()
	check(db.Exec("CREATE TABLE rooms (id text PRIMARY KEY, cleaner text NOT NULL DEFAULT '', fence bigint NOT NULL DEFAULT 0)").Error)
	check(db.Exec("INSERT INTO rooms (id) VALUES ('101')").Error)
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
	check(err)
	defer rooms.Close(ctx)

	ana, err := rooms.TryAcquire(ctx, lock.Key("cleaning/101"), lock.Holder("ana"))
	check(err)
	for h, err := range rooms.Holds(ctx, ana.Resource()) { // she sleeps, and an operator lets go of her lease
		check(err)
		check(rooms.ForceRelease(ctx, h, lock.Reason("asleep")))
	}
	ben, err := rooms.TryAcquire(ctx, lock.Key("cleaning/101"), lock.Holder("ben"))
	check(err)
	fmt.Println("ben:", clean(ctx, db, ben))
	fmt.Println("ana:", clean(ctx, db, ana))
	var cleaner string
	check(db.Raw("SELECT cleaner FROM rooms").Scan(&cleaner).Error)
	fmt.Println("cleaned by", cleaner)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
