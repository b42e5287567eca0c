// SPDX-License-Identifier: MIT

// One value observes a breaker and a lock manager, and Prometheus reads it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics"
)

func main() {
	ctx := context.Background()
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry, metrics.WithKeyLabel("room_id", lock.Resource.Name, 200))
	check(err)
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: m})
	check(err)
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: m})
	check(err)
	defer rooms.Close(ctx)

	_ = pms.Do(ctx, func(context.Context) error { return nil })
	_ = pms.Do(ctx, func(context.Context) error { return errors.New("no answer") })
	lease, err := rooms.TryAcquire(ctx, lock.Key("room/101"))
	check(err)
	_, _ = rooms.TryAcquire(ctx, lock.Key("room/101")) // a conflict
	check(lease.Release(ctx))

	// A service would serve this handler on /metrics.
	scrape := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.Contains(line, "breaker_calls_total{") || strings.Contains(line, "room_id=") {
			fmt.Print(line)
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
