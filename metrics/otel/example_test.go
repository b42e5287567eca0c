// SPDX-License-Identifier: MIT

package otel_test

import (
	"context"
	"fmt"
	"log"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/metrics/otel"
)

// A booking asks another service while it holds the room: one span for the call,
// one for each step of the lock and one for the time that the room was held.
func Example() {
	seen := tracetest.NewSpanRecorder() // a program has an exporter here
	t, err := otel.New(otel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen))))
	if err != nil {
		log.Fatal(err)
	}
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: t, Trace: t.Trace})
	if err != nil {
		log.Fatal(err)
	}
	defer rooms.Close(context.Background())
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: t, Trace: t.Trace})
	if err != nil {
		log.Fatal(err)
	}

	err = rooms.Do(context.Background(), lock.Key("room/101"), func(ctx context.Context, _ *lock.Lease) error {
		return pms.Do(ctx, func(context.Context) error { return nil })
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, span := range seen.Ended() {
		fmt.Println(span.Name())
	}
	// Output:
	// lock.acquire
	// circuitbreaker.call
	// lock.hold
	// lock.release
}

func ExampleNew() {
	t, err := otel.New() // with the global providers of OpenTelemetry
	if err != nil {
		log.Fatal(err)
	}
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", Observer: t, Trace: t.Trace})
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(pms.State())
	// Output: closed
}
