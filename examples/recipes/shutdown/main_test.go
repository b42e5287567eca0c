// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func Example() {
	main()
	// Output:
	// 200 OK
	// <nil> <nil>
	// lock.acquired
	// lock.released
}

func TestARequestThatHangsCostsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest, conn := net.Pipe()
		l := make(listener, 1)
		l <- conn
		go io.WriteString(guest, "GET /room/101 HTTP/1.1\r\nHost: hotel\r\n\r\n")
		ctx, stop := context.WithCancel(t.Context())
		hang := make(chan struct{})
		events := audit.NewMemory()
		err := serve(ctx, l, events, func(context.Context, *lock.Lease) error { stop(); <-hang; return nil })
		if got := len(events.Events()); got != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d events stored, want 2: %v", got, err)
		}
		close(hang)
		guest.Close()
	})
}

// listener has one connection.
type listener chan net.Conn

func (l listener) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l listener) Close() error   { close(l); return nil }
func (l listener) Addr() net.Addr { return nil }
