// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func Example() {
	main()
	// Output:
	// the report of 2026-12-01 is sent
}

func TestARunThatFailedIsNotTriedByAnotherReplica(t *testing.T) {
	jobs, err := lock.New(memlock.New(), lock.Config{Name: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Close(t.Context())
	day, down := time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC), errors.New("the mail server is down")
	if err := report(t.Context(), jobs, day, func(context.Context) error { return down }); !errors.Is(err, down) {
		t.Error(err)
	}
	if err := report(t.Context(), jobs, day, func(context.Context) error { t.Error("tried again"); return nil }); err != nil {
		t.Error(err)
	}
}
