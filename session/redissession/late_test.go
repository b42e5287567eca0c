// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// delayed keeps the next request to itself and breaks its connection: the
// client sends the command again, and the network has the first one still.
type delayed struct {
	net.Conn
	next *atomic.Bool
	kept *[]byte
}

func (c delayed) Write(b []byte) (int, error) {
	if c.next.CompareAndSwap(true, false) {
		*c.kept = slices.Clone(b)
		_ = c.Close()
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Whoever logs out stays so, although the network delivers the login's first
// try only now.
func TestACreateThatComesAfterItsRetryBringsBackNothing(t *testing.T) {
	for _, owned := range []bool{false, true} {
		server := redistest.Real(t)
		var next atomic.Bool
		var kept []byte
		client := redis.NewClient(&redis.Options{
			Addr: server.Addr, ContextTimeoutEnabled: true, PoolSize: 1,
			Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
				conn, err := net.Dial(network, addr)
				return delayed{conn, &next, &kept}, err
			},
		})
		t.Cleanup(func() { _ = client.Close() })
		s := New(client)
		w := newWrite("logged in")
		if owned {
			w = of(w, newHash(7))
		}
		done(t)(s.Create(t.Context(), newWrite("another"))) // the server knows the script
		next.Store(true)
		done(t)(s.Create(t.Context(), w))
		if next.Load() || len(kept) == 0 {
			t.Fatal("no request was delayed")
		}
		if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{w.Hash}}); len(gone.Removed) != 1 || err != nil {
			t.Fatalf("deleted %+v, %v", gone, err)
		}
		late, err := net.Dial("tcp", server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		reply := make([]byte, 1024)
		if _, err := late.Write(kept); err != nil {
			t.Fatal(err)
		}
		n, err := late.Read(reply)
		if err != nil || !strings.Contains(string(reply[:n]), "missing") {
			t.Errorf("the late Create was answered %q, %v; want missing", reply[:n], err)
		}
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusMissing)
		if c := count(t, s); c.Active != 1 {
			t.Errorf("%d sessions are alive, want the other one only", c.Active)
		}
	}
}
