// SPDX-License-Identifier: MIT

package metrics_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/push"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics"
)

func Example() {
	m, err := metrics.New(prometheus.DefaultRegisterer)
	if err != nil {
		log.Fatal(err)
	}
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /metrics", promhttp.Handler()) // shows pms, and all else that m observes

	fmt.Println(pms.State())
	// Output: closed
}

func ExampleNew() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry) // one value observes everything
	if err != nil {
		panic(err)
	}
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m})
	if err != nil {
		panic(err)
	}
	for _, outcome := range []error{nil, nil, errors.New("no answer")} {
		_ = pms.Do(context.Background(), func(context.Context) error { return outcome })
	}
	show(registry, "circuitbreaker_calls_total")
	// Output:
	// holdfast_circuitbreaker_calls_total breaker=pms result=failure: 1
	// holdfast_circuitbreaker_calls_total breaker=pms result=ignored: 0
	// holdfast_circuitbreaker_calls_total breaker=pms result=rejected: 0
	// holdfast_circuitbreaker_calls_total breaker=pms result=success: 2
}

// A nightly job pushes its counts before it ends. What has closed is still
// counted.
func ExampleNew_job() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		panic(err)
	}
	night := func(ctx context.Context) error {
		jobs, err := lock.New(memlock.New(), lock.Config{Name: "jobs", Observer: m})
		if err != nil {
			return err
		}
		defer jobs.Close(context.WithoutCancel(ctx))
		return jobs.TryDo(ctx, lock.Key("report/2026-12-01"), func(context.Context, *lock.Lease) error { return nil })
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = night(ctx)

	gateway := pushgateway()
	defer gateway.Close()
	err = errors.Join(err, push.New(gateway.URL, "night").Gatherer(registry).PushContext(ctx))
	fmt.Println(err)
	// Output:
	// PUT /metrics/job/night, with acquires: true
	// <nil>
}

func ExampleWithKeyLabel() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry, metrics.WithKeyLabel("room_id", lock.Resource.Name, 2))
	if err != nil {
		panic(err)
	}
	defer fight(m, "room/101", "room/102", "room/103", "room/104").Close(context.Background())
	show(registry, "key_conflicts_total", "overflow_total")
	// Output:
	// holdfast_lock_key_conflicts_total room_id=_other: 2
	// holdfast_lock_key_conflicts_total room_id=room/101: 1
	// holdfast_lock_key_conflicts_total room_id=room/102: 1
	// holdfast_metrics_label_overflow_total: 2
}

func ExampleWithOriginalNames() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry, metrics.WithOriginalNames())
	if err != nil {
		panic(err)
	}
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m})
	if err != nil {
		panic(err)
	}
	pms.ForceOpen(errors.New("maintenance"))
	defer fight(m, "101").Close(context.Background())
	show(registry, "pms_circuit_breaker_state", "=101")
	// Output:
	// holdfast_lock_key_conflicts_total room_id=101: 1
	// lock_conflicts_total room_id=101: 1
	// pms_circuit_breaker_state: 2
}

func ExampleWithNamespace() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry, metrics.WithNamespace("hotel"))
	if err != nil {
		panic(err)
	}
	defer fight(m, "room/101").Close(context.Background())
	show(registry, "lock_conflicts_total")
	// Output:
	// hotel_lock_conflicts_total manager=rooms: 1
}

// database stands for a driver of the program.
type database struct{ driver.Connector }

func ExampleMetrics_DB() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		panic(err)
	}
	pool := sql.OpenDB(database{}) // or from a *gorm.DB by its method DB
	defer pool.Close()
	pool.SetMaxOpenConns(5)
	if err := m.DB("trail", pool); err != nil {
		panic(err)
	}
	show(registry, "sql_connections_limit")
	// Output:
	// holdfast_sql_connections_limit db=trail: 5
}

func ExampleCatalog() {
	for _, s := range metrics.Catalog() {
		if s.Unit == "bytes" {
			fmt.Println(s.Type, s.Name, s.Buckets)
		}
	}
	// Output:
	// histogram holdfast_session_size_bytes [256 1024 4096 16384 65536 262144 1.048576e+06]
	// gauge holdfast_audit_queue_bytes []
	// gauge holdfast_audit_spool_bytes []
	// gauge holdfast_audit_spool_limit_bytes []
}

// fight has one conflict on each room. Its manager leaves the scrape when the
// program has dropped it.
func fight(m *metrics.Metrics, rooms ...string) *lock.Manager {
	manager, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: m})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for _, room := range rooms {
		if _, err := manager.TryAcquire(ctx, lock.Key(room)); err != nil {
			panic(err)
		}
		if _, err := manager.TryAcquire(ctx, lock.Key(room)); !errors.Is(err, lock.ErrConflict) {
			panic(err)
		}
	}
	return manager
}

// show prints the counters and gauges whose line has one of the words in it.
// A service serves its registry with promhttp instead.
func show(g prometheus.Gatherer, words ...string) {
	families, err := g.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetName() + "=" + l.GetValue()
			}
			line += fmt.Sprint(": ", m.GetCounter().GetValue()+m.GetGauge().GetValue())
			for _, word := range words {
				if strings.Contains(line, word) {
					fmt.Println(line)
					break
				}
			}
		}
	}
}

// pushgateway stands for a Pushgateway and prints what arrives.
func pushgateway() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s, with acquires: %v\n", r.Method, r.URL.Path, strings.Contains(string(body), "holdfast_lock_operations_total"))
	}))
}
