// SPDX-License-Identifier: MIT

// A service stops without losing a request, a lease or an event.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
)

// serve works until ctx ends, and then ends from the outside in: requests first,
// then the leases of those that hang, and the trail, in which both record, last.
func serve(ctx context.Context, listener net.Listener, sink audit.Sink, work func(context.Context, *lock.Lease) error) error {
	trail, err := audit.New(sink, audit.Config{})
	if err != nil {
		return err
	}
	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Audit: trail})
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := rooms.TryDo(r.Context(), lock.Key(r.URL.Path), work, lock.Holder("ana")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ctx = context.WithoutCancel(ctx)
	return errors.Join(err, within(ctx, 10*time.Second, server.Shutdown), within(ctx, 5*time.Second, rooms.Close), within(ctx, 5*time.Second, trail.Close))
}

// within gives each step a time of its own: a request that hangs takes none from
// the trail.
func within(ctx context.Context, d time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return step(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get("http://" + listener.Addr().String() + "/room/101")
		if err == nil {
			fmt.Println(answer.Status)
			err = answer.Body.Close()
		}
		answered <- err
	}()
	events := audit.NewMemory()
	err = serve(ctx, listener, events, func(context.Context, *lock.Lease) error {
		stop() // while a request is under way
		return nil
	})
	fmt.Println(err, <-answered)
	for _, e := range events.Events() {
		fmt.Println(e.Type)
	}
	http.DefaultClient.CloseIdleConnections()
}
