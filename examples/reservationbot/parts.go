// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/glebarez/sqlite"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/metrics"
)

// connections is how many messages are handled at a time, by the desk and by the
// storm. None of them waits for a connection to Redis or the PMS, and neither
// do the page's panels.
const (
	connections = 32
	panels      = 8
)

// openRedis connects to the given Redis, or to one inside this process.
func (b *bot) openRedis(ctx context.Context, watch *metrics.Metrics) (redis.UniversalClient, error) {
	addrs, name := b.options.redis, strings.Join(b.options.redis, ",")
	if len(addrs) == 0 {
		addr, err := b.startRedis()
		if err != nil {
			return nil, err
		}
		addrs, name = []string{addr}, "embedded"
	}
	b.doing("Redis: %s", name)
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, PoolSize: 2*connections + panels, ContextTimeoutEnabled: true})
	client.AddHook(b.Switches.Redis)
	b.closing("Redis client", func(context.Context) error { return client.Close() })
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("redis %s: %w", name, err)
	}
	return client, metrics.Redis(watch, "main", client)
}

// openDatabase connects to the database of the audit trail.
func (b *bot) openDatabase(ctx context.Context, watch *metrics.Metrics) (*gorm.DB, error) {
	dialector, limit, name := postgres.Open(b.options.audit), 10, "PostgreSQL"
	if !strings.HasPrefix(b.options.audit, "postgres://") {
		file, ok := strings.CutPrefix(b.options.audit, "sqlite:")
		if !ok {
			folder, err := os.MkdirTemp("", "reservationbot-")
			if err != nil {
				return nil, err
			}
			b.closing("temporary folder", func(context.Context) error { return os.RemoveAll(folder) })
			file = filepath.Join(folder, "audit.db")
		}
		f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // SQLite's error would not say what is wrong
		if err != nil {
			return nil, fmt.Errorf("audit database: %w", err)
		}
		_ = f.Close()
		name = "SQLite in " + file
		escaped := (&url.URL{Path: file}).EscapedPath()
		dialector, limit = sqlite.Open("file:"+escaped+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"), 2 // one writes, one reads
	}
	b.doing("audit trail: %s", name)
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard, DisableAutomaticPing: true})
	if err != nil {
		return nil, fmt.Errorf("audit database: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(limit)
	b.closing("audit database", func(context.Context) error { return pool.Close() })
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("audit database: %w", err)
	}
	return db, watch.DB("audit", pool)
}

// openSeals seals the audit trail. The private root key belongs on another machine,
// which Certify asks: any process that has it can seal anything.
func (b *bot) openSeals(ctx context.Context, watch *metrics.Metrics) error {
	if b.options.seal == "" && (b.options.audit != "" || b.options.script != "" || b.options.storm > 0) {
		return nil
	}
	private, public, err := rootKey(b.options.seal)
	if err != nil {
		return fmt.Errorf("root key: %w", err)
	}
	root, err := note.NewSigner(private)
	if err != nil {
		return fmt.Errorf("root key: %w", err)
	}
	trail := b.Trail.Name()
	verified := func(r seal.Report, err error) {
		watch.AuditVerified(trail, r.Findings(), err)
		b.Watch.Verified(r, err)
	}
	b.seals, err = seal.New(b.Events, seal.Config{
		Root: public, Every: 5 * time.Second, VerifyEvery: 10 * time.Minute, OnVerify: verified,
		Certify: func(_ context.Context, request string) (string, error) {
			return seal.Certify(root, request, time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour))
		},
	})
	if err != nil {
		return err
	}
	if err := b.seals.Migrate(ctx); err != nil {
		return err
	}
	b.seals.Start()
	b.closing("seals", b.seals.Stop)
	b.Switches.Forger = fault.NewForger(b.Events, b.seals, func(ctx context.Context) error {
		report, err := b.seals.Verify(ctx)
		verified(report, err)
		return err
	})
	b.closing("changed row", b.Switches.Forger.Restore)
	return nil
}

// rootKey reads the private and the public root key, a line each, or makes them.
func rootKey(file string) (private, public string, err error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if private, public, _ = strings.Cut(strings.TrimSpace(string(text)), "\n"); !errors.Is(err, fs.ErrNotExist) {
			return private, public, err
		}
	}
	private, public, err = seal.GenerateKey("reservationbot/audit")
	if err == nil && file != "" {
		err = os.WriteFile(file, []byte(private+"\n"+public+"\n"), 0o600)
	}
	return private, public, err
}

// openPMS returns a client of the given PMS, or of one inside this process.
func (b *bot) openPMS() (*hotel.Client, error) {
	base := b.options.pms
	if base == "" {
		b.doing("hotel's system (PMS): simulated, %d rooms", b.options.rooms)
		simulator, err := hotel.StartSimulator(hotel.Rooms(b.options.rooms), b.options.seed, 700*time.Millisecond)
		if err != nil {
			return nil, err
		}
		b.closing("simulated PMS", func(context.Context) error { return simulator.Close() })
		promauto.With(b.Registry).NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pms_double_bookings", Help: "Bookings in the PMS's table that share a night with an earlier one.",
		}, func() float64 { return float64(simulator.DoubleBookings()) })
		base = simulator.URL
	} else {
		b.doing("hotel's system (PMS): %s", base)
	}
	client := hotel.NewClient(base, 2*connections+panels)
	b.closing("PMS client", func(context.Context) error { client.Close(); return nil })
	return client, nil
}

// redisTick is how often the clock of the embedded Redis moves at most.
const redisTick = 20 * time.Millisecond

// startRedis starts a Redis inside this process and returns its address.
//
// With ClockTTL it visits all its keys whenever its clock has moved, which the
// system's has at every command. So it gets one that a command moves when the tick
// is over: a storm then takes a third of the time. What it expires may end earlier by
// a tick, for which leases keep a margin. A command of a script moves nothing: it finds
// the server locked.
func (b *bot) startRedis() (addr string, err error) {
	embedded := miniredis.NewMiniRedis()
	embedded.ClockTTL(true)
	embedded.SetTime(time.Now())
	if err := embedded.StartAddr("127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("embedded redis: %w", err)
	}
	b.closing("embedded Redis", func(context.Context) error { embedded.Close(); return nil })
	var moved atomic.Int64
	embedded.Server().SetPreHook(func(*server.Peer, string, ...string) bool {
		now, last := time.Now(), moved.Load()
		if now.UnixNano()-last >= int64(redisTick) && embedded.TryLock() {
			embedded.Unlock()
			if moved.CompareAndSwap(last, now.UnixNano()) {
				embedded.SetTime(now)
			}
		}
		return false
	})
	return embedded.Addr(), nil
}
