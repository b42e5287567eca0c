// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// bot is everything wired together.
type bot struct {
	options  options
	started  time.Time
	registry *prometheus.Registry
	pms      *hotel.Client
	breaker  *circuitbreaker.Breaker
	trail    *audit.Log
	sink     *gormsink.Sink
	seals    *seal.Trail // nil: the trail is not sealed
	rooms    *lock.Manager
	chats    *session.Manager[desk.Chat]
	orders   *session.Manager[hotel.Order]
	crowd    *session.Manager[desk.Chat] // the same conversations, for a storm
	visitors *session.Manager[struct{}]
	logins   *httpsession.Logins[struct{}] // of the page's visitors
	desk     *desk.Desk
	oracle   *drill.Oracle // of a storm with locks; else nil
	latest   string        // storm from the page: how its guests' names begin
	switches *fault.Board  // what can be broken on purpose
	watch    *site.Watch   // what the page shows while it happens
	closers  []closer
}

const holdFor = 5 * time.Minute

// wire builds the bot from the outside in. Each part registers how it is
// closed right after it is opened, and close runs that backwards: the cleanup
// of sessions, the locks, the audit trail that they write to, and then the
// PMS, Redis and the database that all of these need.
func (b *bot) wire(ctx context.Context) error {
	watch, err := metrics.New(b.registry)
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
	if b.pms, err = b.openPMS(); err != nil {
		return err
	}
	b.sink = gormsink.New(db, gormsink.WithHook(seal.Hook))
	if err := b.sink.Migrate(ctx); err != nil {
		return err
	}
	b.switches.Audit.Sink = b.sink
	var spool audit.Spool
	if b.options.spool != "" {
		spool = audit.Spool{Dir: b.options.spool, Level: audit.Process}
	}
	b.trail, err = audit.New(b.switches.Audit, audit.Config{Enrich: desk.Enrich, Observer: watch, Spool: spool})
	if err != nil {
		return err
	}
	b.closing("audit trail", b.trail.Close)
	b.watchGaps(watch)
	if err := b.openSeals(ctx, watch); err != nil {
		return err
	}
	b.rooms, err = lock.New(redislock.New(rdb), lock.Config{
		Name: "rooms", TTL: holdFor, MaxExtensions: 3, Audit: b.trail, Observer: lock.Observers(watch, b.watch, b.witness()),
	})
	if err != nil {
		return err
	}
	b.closing("locks", b.rooms.Close)
	chats := session.Config[desk.Chat]{
		Name: "chats", IdleTimeout: 30 * time.Minute, CleanupInterval: b.options.cleanupEvery,
		MaxSessions: 5000, Timeout: 1500 * time.Millisecond, Observer: watch,
		OnExpire: func(ctx context.Context, e session.Expired[desk.Chat]) error { return b.desk.FollowUp(ctx, e) },
	}
	if b.chats, err = session.New(redissession.New(rdb), chats); err != nil {
		return err
	}
	chats.Timeout = drill.Call
	if b.crowd, err = session.New(redissession.New(rdb), chats); err != nil {
		return err
	}
	b.visitors, err = session.New(redissession.New(rdb), session.Config[struct{}]{Name: "visitors", Observer: watch})
	if err != nil {
		return err
	}
	if b.logins, err = httpsession.New(b.visitors, httpsession.Config[struct{}]{}); err != nil {
		return err
	}
	b.orders, err = session.New(redissession.New(rdb), session.Config[hotel.Order]{
		Name: "orders", IdleTimeout: b.options.settleAfter, CleanupInterval: b.options.settleAfter / 3, Timeout: 5 * time.Second,
		Observer: watch,
		OnExpire: func(ctx context.Context, e session.Expired[hotel.Order]) error { return b.desk.Settle(ctx, e) },
	})
	if err != nil {
		return err
	}
	b.breaker, err = circuitbreaker.New(circuitbreaker.Config{
		Name: "pms", ConsecutiveFailures: 3, FailureRate: 0.5, Observer: circuitbreaker.Observers(watch, b.watch),
		OpenFor: circuitbreaker.Backoff{Base: 2 * time.Second, Max: time.Minute},
		Probes:  circuitbreaker.Probes{Successes: 2}, // few guests come: ten probes would take minutes
	})
	if err != nil {
		return err
	}
	b.desk = &desk.Desk{
		Detector: talk.Detector{Today: b.today}, PMS: b.pms, Holds: b.holds(0),
		Chats: b.chats, Orders: b.orders, Breaker: b.breaker, Audit: b.recorder(), Metrics: desk.NewMetrics(b.registry),
		Rooms: hotel.Rooms(b.options.rooms), Today: b.today, HoldFor: holdFor, PMSTimeout: time.Second,
		Places: make(chan struct{}, connections),
	}
	b.switches.PMS, b.switches.Chats = b.pms, b.chats
	b.chats.Start() // from here on the desk follows up what expires
	b.closing("sessions", b.chats.Stop)
	b.orders.Start()
	b.closing("orders", b.orders.Stop)
	b.visitors.Start()
	b.closing("visitors", b.visitors.Stop)
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
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if gaps, err := b.sink.Gaps(ctx); err == nil { // an outage is the trail's to report
				watch.AuditGaps(b.trail.Name(), len(gaps))
			}
		}
	}()
	b.closing("look for gaps", func(context.Context) error {
		stop()
		<-over
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
	b := &bot{
		options: o, started: time.Now(), registry: prometheus.NewRegistry(), watch: new(site.Watch),
		switches: &fault.Board{Audit: new(fault.Sink), Redis: new(fault.Redis)},
	}
	if err := b.wire(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// recorder is the trail as the desk sees it. What a spool has accepted needs no
// flush.
func (b *bot) recorder() desk.Trail {
	if b.options.spool != "" {
		return spooled{b.trail}
	}
	return b.trail
}

type spooled struct{ audit.Recorder }

func (spooled) Flush(context.Context) error { return nil }

// holds are the locks, unless this is the control without.
func (b *bot) holds(ttl time.Duration) desk.Holds {
	if b.options.noLocks {
		return desk.NoLocks{}
	}
	locks := desk.Locks{Manager: b.rooms, TTL: ttl}
	if b.oracle != nil {
		return drill.Witnessed{Holds: locks, Oracle: b.oracle}
	}
	return locks
}

// witness watches the locks of a storm.
func (b *bot) witness() lock.Observer {
	if b.options.storm == 0 || b.options.noLocks {
		return nil
	}
	b.oracle = drill.NewOracle()
	return b.oracle
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
