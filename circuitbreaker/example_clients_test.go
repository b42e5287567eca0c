// SPDX-License-Identifier: MIT

package circuitbreaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// unary guards the calls of a gRPC client, and needs no import of grpc for it:
// with the type parameters set to *grpc.ClientConn, grpc.CallOption and
// grpc.UnaryInvoker, the result is a grpc.UnaryClientInterceptor. Failures are
// what Config.Classify says; there, status.Code separates Unavailable, Internal and
// DataLoss from the codes that are the caller's fault.
func unary[Conn, Option any, Invoker ~func(context.Context, string, any, any, Conn, ...Option) error](
	b *circuitbreaker.Breaker,
) func(context.Context, string, any, any, Conn, Invoker, ...Option) error {
	return func(ctx context.Context, method string, req, reply any, conn Conn, invoke Invoker, opts ...Option) error {
		permit, err := b.Allow()
		if err != nil {
			return err
		}
		returned := false
		defer func() {
			if !returned {
				permit.Failure()
			}
		}()
		err = invoke(ctx, method, req, reply, conn, opts...)
		returned = true
		permit.Done(ctx, err)
		return err
	}
}

// What grpc would bring along.
type (
	clientConn   struct{ up bool }
	callOption   interface{ isOption() }
	unaryInvoker func(ctx context.Context, method string, req, reply any, conn *clientConn, opts ...callOption) error
	interceptor  func(ctx context.Context, method string, req, reply any, conn *clientConn, invoker unaryInvoker, opts ...callOption) error
)

func ExampleBreaker_Allow_grpc() {
	rooms, err := circuitbreaker.New(circuitbreaker.Config{Name: "rooms", ConsecutiveFailures: 2})
	if err != nil {
		panic(err)
	}
	var guarded interceptor = unary[*clientConn, callOption, unaryInvoker](rooms)

	sent := 0
	invoke := func(_ context.Context, _ string, _, _ any, conn *clientConn, _ ...callOption) error {
		sent++
		if !conn.up {
			return errors.New("rpc error: code = Unavailable")
		}
		return nil
	}
	for range 3 {
		fmt.Println(guarded(context.Background(), "/hotel.Rooms/Find", nil, nil, &clientConn{}, invoke))
	}
	fmt.Println("sent", sent)
	// Output:
	// rpc error: code = Unavailable
	// rpc error: code = Unavailable
	// circuitbreaker: rooms is open (too_many_in_a_row): rpc error: code = Unavailable
	// sent 2
}

// retry tries up to three times, and gives up at once when an error asks for
// more patience than there is.
func retry(ctx context.Context, patience time.Duration, fn func(context.Context) error) (err error) {
	for range 3 {
		if err = fn(ctx); err == nil {
			return nil
		}
		if asked, ok := errors.AsType[interface {
			error
			RetryAfter() time.Duration
		}](err); ok && asked.RetryAfter() > patience {
			return err
		}
	}
	return err
}

// Retries inside the breaker are one call to it: it counts what the caller
// would see. Retries around it are a call each, so it opens sooner; there, a
// rejection must not be retried at once, or the retries become the load that
// the breaker keeps away. Both are right; around it is the usual choice.
func ExampleErrOpen_retry() {
	ctx := context.Background()
	asked := 0
	find := func(context.Context) error { asked++; return errors.New("connection refused") }
	pms := func() *circuitbreaker.Breaker {
		b, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 2})
		if err != nil {
			panic(err)
		}
		return b
	}

	inside := pms()
	err := inside.Do(ctx, func(ctx context.Context) error { return retry(ctx, time.Second, find) })
	fmt.Println("inside:", err, "- asked", asked, "-", inside.Stats().Total.Failure, "failure")

	asked = 0
	around := pms()
	err = retry(ctx, time.Second, func(ctx context.Context) error { return around.Do(ctx, find) })
	fmt.Println("around:", errors.Is(err, circuitbreaker.ErrOpen), "- asked", asked, "-", around.Stats().Rejected, "rejection")
	// Output:
	// inside: connection refused - asked 3 - 1 failure
	// around: true - asked 2 - 1 rejection
}
