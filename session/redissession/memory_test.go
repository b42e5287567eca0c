// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// A server that evicts nothing refuses what needs memory once that is full.
// Then no one can log in, but those who are in stay in, and the cleanup, which
// frees memory, has to work.
func TestAtFullMemoryOnlyNewDataIsRefused(t *testing.T) {
	client := redistest.Real(t, "--maxmemory-policy", "noeviction").Client(t)
	s, ctx, owner := New(client), t.Context(), newHash(7)
	live := done(t)(s.Create(ctx, of(newWrite("live"), owner)))
	lease := session.StoreLoad{StoreHandle: live.Record.StoreHandle, Touch: true, Lease: "anna", LeaseFor: time.Minute, Bare: true}
	lapsing := func(keep string) session.StoreWrite {
		w := newWrite(keep)
		w.Idle, w.Total = 20*time.Millisecond, 20*time.Millisecond
		done(t)(s.Create(ctx, w))
		return w
	}
	lapsing("retried")
	time.Sleep(25 * time.Millisecond) // a real server's clock
	due := claim(t, s, session.StoreClaim{Payload: true, For: time.Millisecond}).Due
	lapsing("new")
	reopened := lapsing("reopened")
	time.Sleep(25 * time.Millisecond) // the same; the claim has run out, too
	done(t)(s.Load(ctx, lease))

	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	before := client.DBSize(ctx).Val()
	again := newWrite("again")
	again.StoreHandle = reopened.StoreHandle
	for what, w := range map[string]session.StoreWrite{"a new record": newWrite("x"), "one of an owner": of(newWrite("x"), owner), "one in place of a lapsed one": again} {
		if r, err := s.Create(ctx, w); err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("Create of %s at full memory: %v, %v, want it refused", what, r.Status, err)
		}
	}
	if r, err := s.Save(ctx, next(live, "longer")); err == nil && r.Status == session.StatusDone {
		t.Error("Save at full memory went through")
	}
	if after := client.DBSize(ctx).Val(); after != before {
		t.Errorf("refused calls left %d keys of %d", after, before)
	}

	if r := done(t)(s.Load(ctx, session.StoreLoad{StoreHandle: live.Record.StoreHandle, Touch: true})); !r.Touched {
		t.Error("a touch, which needs no memory, was not written")
	}
	done(t)(s.Load(ctx, lease)) // renew
	lease.LeaseFor = 0
	done(t)(s.Load(ctx, lease)) // give back
	lease.Lease, lease.LeaseFor = "ben", time.Minute
	if r, err := s.Load(ctx, lease); err == nil {
		t.Errorf("a lease was given (%v) to a handler who could not save", r.Status)
	}
	if err := s.settle(ctx, space, []session.StoreSettle{{StoreHandle: due[0].StoreHandle, Rev: due[0].Rev, Retry: time.Millisecond}}); err != nil {
		t.Errorf("Settle for a retry: %v", err)
	}
	time.Sleep(5 * time.Millisecond) // the retry is due
	reported := map[string]bool{}
	for _, d := range claim(t, s, session.StoreClaim{Payload: true}).Due {
		reported[string(d.Payload)] = true
		if err := s.settle(ctx, space, []session.StoreSettle{{StoreHandle: d.StoreHandle, Rev: d.Rev}}); err != nil {
			t.Errorf("Settle: %v", err)
		}
	}
	if len(reported) != 3 {
		t.Errorf("reported %v at full memory, want retried, new and reopened", reported)
	}
	if gone, err := s.Delete(ctx, session.StoreRemove{Space: space, Owner: owner}); len(gone.Removed) != 1 || err != nil {
		t.Errorf("Delete at full memory: %+v, %v", gone, err)
	}
}

func TestAClosedClientIsReportedAsSuch(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", ContextTimeoutEnabled: true})
	_ = client.Close()
	for name, err := range everyCall(t.Context(), New(client)) {
		if !errors.Is(err, session.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
	m := newManager(t, client, session.Config[note]{})
	if _, err := m.Create(context.Background(), note{"secret"}); !errors.Is(err, session.ErrClosed) || !errors.Is(err, session.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a manager says %v, want ErrClosed and ErrUnavailable", err)
	}
}
