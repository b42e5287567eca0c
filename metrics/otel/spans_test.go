// SPDX-License-Identifier: MIT

package otel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/memlock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestACallThroughABreakerIsASpan(t *testing.T) {
	r := newRig(t)
	b, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 2, Observer: r, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Reset()
	call := func(err error) { _ = b.Do(r.ctx, func(context.Context) error { return err }) }
	call(nil)
	r.want(r.span("circuitbreaker.call"), codes.Unset, map[string]string{"holdfast.name": "pms"})
	call(fmt.Errorf("too slow: %w", context.DeadlineExceeded))
	r.want(r.span("circuitbreaker.call"), codes.Error, map[string]string{"error.type": "timeout"})
	call(errDown)
	opened := r.span("circuitbreaker.call")
	r.want(opened, codes.Error, map[string]string{"error.type": "*errors.errorString"})
	r.event(opened, "circuitbreaker.state_changed", map[string]string{"holdfast.circuitbreaker.from": "closed", "holdfast.circuitbreaker.to": "open"})
	call(nil)
	r.want(r.span("circuitbreaker.call"), codes.Error, map[string]string{"holdfast.name": "pms", "error.type": "rejected"})
}

func rooms(t *testing.T, r *rig) *lock.Manager {
	t.Helper()
	m, err := lock.New(memlock.New(), lock.Config{Name: "rooms", TTL: time.Minute, Observer: r, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

func TestAHoldIsASpanBesideItsAcquireAndItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		l, err := rooms(t, r).TryAcquire(r.ctx, lock.Key("room/101"), lock.Holder("ann"))
		if err != nil {
			t.Fatal(err)
		}
		about := map[string]string{
			"holdfast.name": "rooms", "holdfast.result": "success", "holdfast.lock.resource": "room/101",
			"holdfast.lock.id": l.ID(), "holdfast.lock.fence": fmt.Sprint(l.Fence()),
		}
		r.want(r.span("lock.acquire"), codes.Unset, about)
		time.Sleep(5 * time.Second)
		if err := l.Release(r.ctx); err != nil {
			t.Fatal(err)
		}
		ended := r.spans.Ended()
		r.want(r.span("lock.hold"), codes.Unset, about)
		if len(ended) != 2 || ended[1].Name() != "lock.release" || ended[0].EndTime().Sub(ended[0].StartTime()) != 5*time.Second {
			t.Errorf("spans %v", ended)
		}
	})
}

func TestALostHoldIsASpanInTheTraceOfItsAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		if _, err := rooms(t, r).TryAcquire(r.ctx, lock.Key("room/101")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		r.want(r.span("lock.hold"), codes.Error, map[string]string{"holdfast.result": "not_held", "error.type": "lost"})
	})
}

func TestAConflictIsAnEventOfTheAcquireAndNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		m := rooms(t, r)
		l, err := m.TryAcquire(r.ctx, lock.Key("room/101"), lock.Holder("ann"))
		if err != nil {
			t.Fatal(err)
		}
		r.spans.Reset()
		_, _ = m.TryAcquire(r.ctx, lock.Key("room/101"))
		refused := r.span("lock.acquire")
		r.want(refused, codes.Unset, map[string]string{"holdfast.result": "conflict", "error.type": "conflict"})
		r.event(refused, "lock.conflict", map[string]string{"holdfast.lock.id": l.ID(), "holdfast.lock.resource": "room/101"})

		time.AfterFunc(3*time.Second, func() { _ = l.Release(context.Background()) })
		if _, err := m.Acquire(r.ctx, lock.Key("room/101")); err != nil {
			t.Fatal(err)
		}
		granted := r.span("lock.acquire")
		r.want(granted, codes.Unset, map[string]string{"holdfast.result": "success", "holdfast.lock.waited": "3"})
		r.event(granted, "lock.conflict", nil)
		if at := granted.Events()[0].Time; !at.Equal(granted.StartTime()) {
			t.Errorf("the conflict is %v after the beginning", at.Sub(granted.StartTime()))
		}
	})
}

func TestAnOperationOfASessionIsASpan(t *testing.T) {
	r := newRig(t)
	users, err := session.New(memsession.New(), session.Config[string]{Name: "users", Observer: r, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	s, err := users.Create(r.ctx, "private", session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	r.want(r.span("session.create"), codes.Unset, map[string]string{"holdfast.name": "users", "holdfast.result": "success"})
	_, _ = users.Update(r.ctx, s.ID, func(*string) error { return errDown })
	r.want(r.span("session.update"), codes.Error, map[string]string{"holdfast.result": "function_error", "error.type": "*errors.errorString"})
	if err := users.Delete(r.ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	r.span("session.delete")
	_, _ = users.Get(r.ctx, s.ID)
	r.want(r.span("session.get"), codes.Unset, map[string]string{"holdfast.result": "not_found", "error.type": "not_found"})
	_, _ = users.Sweep(r.ctx)
	r.want(r.span("session.cleanup"), codes.Unset, map[string]string{"holdfast.session.active": "0"})
}

func TestAWriteOfTheTrailIsASpan(t *testing.T) {
	r := newRig(t)
	trail, err := audit.New(audit.NewMemory(), audit.Config{Name: "trail", Observer: r, Trace: r.Trace, Linger: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := trail.Record(r.ctx, audit.Event{Type: "ok"}); err != nil {
		t.Fatal(err)
	}
	if err := trail.Close(r.ctx); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range r.spans.Ended() {
		names = append(names, s.Name()+" "+texts(s.Attributes())["holdfast.name"])
	}
	slices.Sort(names)
	if want := []string{"audit.close trail", "audit.write trail"}; !slices.Equal(slices.Compact(names), want) {
		t.Errorf("spans %q, want %q", names, want)
	}
}

// A manager without Trace, in the context of another's span, adds nothing to that.
func TestOnlyTheSpanOfAnOperationGetsItsAttributes(t *testing.T) {
	r := newRig(t)
	m, err := lock.New(memlock.New(), lock.Config{Name: "rooms", Observer: r})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	for _, op := range []string{"circuitbreaker.call", "lock.acquire"} {
		ctx, end := r.Trace(r.ctx, op, "pms")
		l, err := m.TryAcquire(ctx, lock.Key("room/101"))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Release(ctx)
		end(nil)
		if got := len(r.spans.Ended()); got != 1 {
			t.Errorf("%d spans, want 1", got)
		}
		if got := texts(r.span(op).Attributes()); !maps.Equal(got, map[string]string{"holdfast.name": "pms"}) {
			t.Errorf("attributes %v", got)
		}
	}
}

func TestNoSpanNamesAPersonOrAToken(t *testing.T) {
	r := newRig(t)
	m := rooms(t, r)
	l, err := m.TryAcquire(r.ctx, lock.Key("room/101"), lock.Holder("secret-holder"), lock.Reason("secret-reason"), lock.Detail("k", "secret-detail"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.TryAcquire(r.ctx, lock.Key("room/101"), lock.Holder("secret-other"))
	_ = l.Release(r.ctx)
	users, err := session.New(memsession.New(), session.Config[string]{Name: "users", Observer: r, Trace: r.Trace})
	if err != nil {
		t.Fatal(err)
	}
	s, err := users.Create(r.ctx, "secret-data", session.ForSubject("secret-subject"))
	if err != nil {
		t.Fatal(err)
	}
	token := s.ID.Token()
	_ = users.Bind(r.ctx, s, "secret-login")
	_, _ = users.DeleteSubject(r.ctx, "secret-login")
	_, _ = users.Get(r.ctx, s.ID)
	if len(r.spans.Ended()) < 7 {
		t.Fatalf("%d spans", len(r.spans.Ended()))
	}
	for _, span := range r.spans.Ended() {
		text := fmt.Sprint(span.Attributes(), span.Events(), span.Status())
		if strings.Contains(text, "secret") || strings.Contains(text, token) {
			t.Errorf("%s: %s", span.Name(), text)
		}
	}
}

func TestEveryErrorOfTheCoresHasATypeOfItsOwn(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.Join(lock.ErrUnavailable, lock.ErrConflict), "unavailable"},
		{errors.Join(context.DeadlineExceeded, lock.ErrConflict), "timeout"},
		{session.ErrExpired, "not_found"},
		{audit.ErrClosed, "closed"},
		{circuitbreaker.ErrInvalid, "invalid"},
		{lock.ErrMaxReached, "max_reached"},
		{session.ErrBusy, "busy"},
	} {
		_, end := r.Trace(r.ctx, "lock.acquire", "rooms")
		end(c.err)
		if got := texts(r.span("lock.acquire").Attributes())["error.type"]; got != c.want {
			t.Errorf("%v has type %q, want %q", c.err, got, c.want)
		}
	}
}
