// SPDX-License-Identifier: MIT

// A room is booked through all five packages. Redis and the database are inside
// this process.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/glebarez/sqlite"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// Chat is what is remembered of a conversation.
type Chat struct{ Reference string }

// desk is the smallest service that uses everything. Its parts are made once.
type desk struct {
	trail *audit.Log
	pms   *circuitbreaker.Breaker
	rooms *lock.Manager
	chats *session.Manager[Chat]
}

func open(reg prometheus.Registerer, db *gorm.DB, rdb redis.UniversalClient) (*desk, error) {
	m, err := metrics.New(reg) // one value observes everything
	if err != nil {
		return nil, err
	}
	d := new(desk)
	if d.pms, err = circuitbreaker.New(circuitbreaker.Config{Name: "pms", FailureRate: 0.5, Observer: m}); err != nil {
		return nil, err
	}
	if d.trail, err = audit.New(gormsink.New(db), audit.Config{Observer: m}); err != nil { // queued, batched, retried
		return nil, err
	}
	if d.rooms, err = lock.New(redislock.New(rdb), lock.Config{Name: "rooms", MaxExtensions: 3, Audit: d.trail, Observer: m}); err != nil {
		return nil, err
	}
	d.chats, err = session.New(redissession.New(rdb), session.Config[Chat]{Name: "chats", IdleTimeout: 30 * time.Minute, Observer: m})
	if err != nil {
		return nil, err
	}
	d.chats.Start() // removes expired sessions in the background
	return d, nil
}

// close ends the parts: the trail last, because the others record in it.
func (d *desk) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(
		d.chats.Stop(ctx),
		d.rooms.Close(ctx), // releases what is held
		d.trail.Close(ctx), // writes what is queued; the error names the rest
	)
}

// book holds the nights, calls the PMS with the fence, and remembers the result.
func (d *desk) book(ctx context.Context, guest string, checkIn, checkOut time.Time) (reference string, err error) {
	lease, err := d.rooms.TryAcquire(ctx, lock.Nights("room/101", checkIn, checkOut), lock.Holder(guest))
	if conflict, ok := errors.AsType[*lock.ConflictError](err); ok {
		return "", taken(conflict)
	}
	if err != nil {
		return "", err
	}
	defer lease.Release(ctx)

	ref, err := circuitbreaker.Do(lease.Context(ctx), d.pms, func(ctx context.Context) (string, error) {
		return order(ctx, guest, lease.Fence()) // stops with the guest or the lease; carries the fence
	})
	if err != nil {
		return "", err
	}
	_, _, err = d.chats.Open(ctx, session.Conversation{Channel: "web", Peer: guest}, Chat{Reference: ref})
	return ref, err
}

// taken says who holds which nights, and for how long still.
func taken(conflict *lock.ConflictError) error {
	first, ok := conflict.First()
	if !ok {
		return conflict
	}
	h := first.Hold
	return fmt.Errorf("%s holds %s for %s still", h.Holder, h.Resource, h.Left.Round(time.Second))
}

// order stands for a call of the PMS.
func order(_ context.Context, guest string, fence uint64) (string, error) {
	return fmt.Sprintf("booked for %s with a fence: %t", guest, fence > 0), nil
}

func main() {
	ctx := context.Background()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	defer server.Close()
	check(server.StartAddr("127.0.0.1:0"))
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer rdb.Close()
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{})
	check(err)
	pool, err := db.DB()
	check(err)
	defer pool.Close()
	pool.SetMaxOpenConns(1) // each connection would be a database of its own
	check(gormsink.New(db).Migrate(ctx))

	in := time.Date(2026, time.December, 12, 0, 0, 0, 0, time.UTC)
	d, err := open(prometheus.NewRegistry(), db, rdb)
	check(err)
	reference, err := d.book(ctx, "ana", in, in.AddDate(0, 0, 3))
	check(errors.Join(err, d.close(ctx)))
	fmt.Println(reference)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
