// SPDX-License-Identifier: MIT

package metricstest_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics"
	"github.com/holdfast-go/holdfast/metrics/metricstest"
)

// A test of a program that books rooms.
func Example() {
	var t *testing.T // the one of the test
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: m})
	if err != nil {
		t.Fatal(err)
	}
	defer rooms.Close(ctx)

	if _, err := rooms.TryAcquire(ctx, lock.Key("room/101")); err != nil {
		t.Fatal(err)
	}
	metricstest.Rises(t, registry, `holdfast_lock_conflicts_total{manager="rooms"}`, 1, func() {
		_, _ = rooms.TryAcquire(ctx, lock.Key("room/101"))
	})
	metricstest.Want(t, registry, map[string]float64{
		`holdfast_lock_operations_total{operation="acquire"}`: 2,
		`holdfast_lock_held`: 1,
	})
}
