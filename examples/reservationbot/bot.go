// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/drill"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// bot is everything wired together.
type bot struct {
	site.Parts
	options options
	seals   *seal.Trail                 // nil: the trail is not sealed
	crowd   *session.Manager[desk.Chat] // the desk's conversations, for a storm
	oracle  *drill.Oracle               // of a storm with locks; else nil
	latest  string                      // storm from the page: how its guests' names begin
	closers []closer
}

const holdFor = 5 * time.Minute

// wire builds the bot from the outside in. Each part registers how it is
// closed right after it is opened, and close runs that backwards: the cleanup
// of sessions, the locks, the audit trail that they write to, and then the
// PMS, Redis and the database that all of these need.
func (b *bot) wire(ctx context.Context) error {
	watch, err := metrics.New(b.Registry)
	if err != nil {
		return err
	}
	db, err := b.openDatabase(ctx, watch)
	if err != nil {
		return err
	}
	rdb, err := b.openRedis(ctx, watch)
	if err != nil {
		return err
	}
	if b.PMS, err = b.openPMS(); err != nil {
		return err
	}
	b.Events = gormsink.New(db, gormsink.WithHook(seal.Hook))
	if err := b.Events.Migrate(ctx); err != nil {
		return err
	}
	b.Switches.Audit.Sink = b.Events
	var spool audit.Spool
	if b.options.spool != "" {
		spool = audit.Spool{Dir: b.options.spool, Level: audit.Process}
	}
	b.Trail, err = audit.New(b.Switches.Audit, audit.Config{
		BlockFor: 100 * time.Millisecond, Spool: spool, Enrich: desk.Enrich, Observer: watch,
	})
	if err != nil {
		return err
	}
	b.closing("audit trail", b.Trail.Close)
	b.watchGaps(watch)
	if err := b.openSeals(ctx, watch); err != nil {
		return err
	}
	observers := []lock.Observer{watch, b.Watch}
	if b.options.storm > 0 && !b.options.noLocks {
		b.oracle = drill.NewOracle()
		observers = append(observers, b.oracle)
	}
	nights, conversations := redislock.New(rdb), redissession.New(rdb)
	if b.options.noLocks { // its hotel has none of the orders of a bot on the same Redis
		nights, conversations = redislock.New(rdb, redislock.WithPrefix("control")), redissession.New(rdb, redissession.WithPrefix("control"))
	}
	rooms, err := lock.New(nights, lock.Config{
		Name: "rooms", TTL: holdFor, MaxExtensions: 3, Audit: b.Trail, Observer: lock.Observers(observers...),
	})
	if err != nil {
		return err
	}
	b.closing("locks", rooms.Close)
	settings := session.Config[desk.Chat]{
		Name: "chats", IdleTimeout: 30 * time.Minute, CleanupInterval: b.options.cleanupEvery,
		MaxSessions: 5000, Timeout: 1500 * time.Millisecond, Observer: watch, OnExpire: b.Desk.FollowUp,
	}
	chats, err := session.New(conversations, settings)
	if err != nil {
		return err
	}
	settings.Timeout = drill.Call
	if b.crowd, err = session.New(conversations, settings); err != nil {
		return err
	}
	visitors, err := session.New(conversations, session.Config[struct{}]{Name: "visitors", Observer: watch})
	if err != nil {
		return err
	}
	if b.Logins, err = httpsession.New(visitors, httpsession.Config[struct{}]{}); err != nil {
		return err
	}
	orders, err := session.New(conversations, session.Config[hotel.Order]{
		Name: "orders", IdleTimeout: b.options.settleAfter, CleanupInterval: b.options.settleAfter / 3, Timeout: 5 * time.Second,
		CleanupBatch: 8, // none is claimed and waits: the process may die
		Observer:     watch, OnExpire: b.Desk.Settle,
	})
	if err != nil {
		return err
	}
	breaker, err := circuitbreaker.New(circuitbreaker.Config{
		Name: "pms", ConsecutiveFailures: 3, FailureRate: 0.5, Observer: circuitbreaker.Observers(watch, b.Watch),
		OpenFor: circuitbreaker.Backoff{Base: 2 * time.Second, Max: time.Minute},
		Probes:  circuitbreaker.Probes{Successes: 2}, // few guests come: ten probes would take minutes
	})
	if err != nil {
		return err
	}
	*b.Desk = desk.Desk{
		PMS: b.PMS, Locks: rooms, Chats: chats, Orders: orders, Breaker: breaker, Audit: b.Trail, Metrics: desk.NewMetrics(b.Registry),
		Rooms: hotel.Rooms(b.options.rooms), Today: b.today, HoldFor: holdFor, NoLocks: b.options.noLocks, PMSTimeout: time.Second,
		Places: make(chan struct{}, connections),
	}
	if b.options.spool == "" {
		b.Desk.Flush = b.Trail.Flush
	}
	b.Switches.PMS, b.Switches.Chats = b.PMS, chats
	chats.Start() // from here on the desk follows up what expires
	b.closing("sessions", chats.Stop)
	orders.Start()
	b.closing("orders", orders.Stop)
	visitors.Start()
	b.closing("visitors", visitors.Stop)
	return nil
}

// doing prints what the start of the page does, before it is done: a part that does
// not answer is then the last one named.
func (b *bot) doing(format string, args ...any) {
	if o := b.options; o.progress != nil && o.script == "" && o.storm == 0 {
		fmt.Fprintf(b.options.progress, format+"\n", args...)
	}
}

// watchGaps reports every minute what the stored trail lacks.
func (b *bot) watchGaps(watch *metrics.Metrics) {
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(time.Minute); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if gaps, err := b.Events.Gaps(ctx); err == nil { // an outage is the trail's to report
				watch.AuditGaps(b.Trail.Name(), len(gaps))
			}
		}
	})
	b.closing("look for gaps", func(context.Context) error {
		stop()
		watching.Wait()
		return nil
	})
}

// openWithin bounds open: a Redis or database that accepts a connection and
// then says nothing is an error, not a wait.
const openWithin = 15 * time.Second

// open wires a bot, or closes what it has opened when that fails.
func open(ctx context.Context, o options) (*bot, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	b := &bot{options: o}
	b.Parts = site.Parts{ // the rest is filled in by wire, the desk's fields too
		Desk: new(desk.Desk), Registry: prometheus.NewRegistry(), Watch: new(site.Watch), Storms: b.stormsHere,
		Switches: &fault.Board{Audit: new(fault.Sink), Redis: new(fault.Redis)},
	}
	if err := b.wire(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// today is the calendar's, but fixed for a script or a storm, so that these
// go the same way every time.
func (b *bot) today() hotel.Date {
	if b.options.script != "" || b.options.storm > 0 {
		return hotel.Day(2026, time.December, 1)
	}
	return hotel.DateOf(time.Now())
}

type closer struct {
	name  string
	close func(context.Context) error
}

// closing registers how a part that was just opened is closed.
func (b *bot) closing(name string, close func(context.Context) error) {
	b.closers = append(b.closers, closer{name, close})
}

// closeWithin bounds close. It does not inherit a context: the usual reason to
// close is that one has ended.
const closeWithin = 15 * time.Second

// close closes the parts, the latest opened first.
func (b *bot) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var errs []error
	for _, c := range slices.Backward(b.closers) {
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
	}
	b.closers = nil
	return errors.Join(errs...)
}
