// SPDX-License-Identifier: MIT

package redislock

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lock"
)

func TestWithoutAClientEveryCallIsInvalid(t *testing.T) {
	var none *redis.Client
	for _, client := range []redis.UniversalClient{nil, none} {
		r := newRig(t, nil)
		r.Store = New(client)
		c := r.claim(lock.Key("room"), time.Minute)
		for what, call := range map[string]func() error{
			"Acquire": func() error { _, err := r.Acquire(t.Context(), c); return err },
			"Extend":  func() error { _, err := r.Extend(t.Context(), make([]lock.StoreRenewal, 2)); return err },
			"Release": func() error { _, err := r.Release(t.Context(), []lock.StoreTicket{c.StoreTicket}); return err },
			"Sweep":   func() error { _, err := r.Sweep(t.Context(), lock.StoreQuery{}, nil); return err },
			"Check":   func() error { _, err := r.Check(t.Context()); return err },
			"Holds": func() (err error) {
				for _, err = range r.Holds(t.Context(), lock.StoreQuery{}) {
				}
				return err
			},
		} {
			if err := call(); !errors.Is(err, lock.ErrInvalid) || !strings.Contains(err.Error(), "redislock.New needs a client") {
				t.Errorf("%s on a %T: %v", what, client, err)
			}
		}
	}
}

func TestNilOptionsAreSkipped(t *testing.T) {
	if k := New(nil, nil, WithPrefix("app"), nil).keys("a", "g")[0]; !strings.HasPrefix(k, "app:") {
		t.Errorf("key %q, want the prefix app", k)
	}
}

func TestWhatTheFormatCannotHoldIsInvalid(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"}) // never dialled
	defer client.Close()
	s := New(client)
	for _, res := range []lock.Resource{{}, lock.Key(""), lock.Key("a\x00"), lock.Span("a", 2, 1), lock.Key("a").Units(0)} {
		if _, err := s.Acquire(t.Context(), lock.StoreClaim{StoreTicket: lock.StoreTicket{ID: "id", Name: res.Name()}, Resource: res, TTL: time.Minute}); !errors.Is(err, lock.ErrInvalid) {
			t.Errorf("claim of %q: %v, want ErrInvalid", res, err)
		}
	}
}

func TestARingIsInvalid(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:0"}, HeartbeatFrequency: time.Hour})
	t.Cleanup(func() { _ = ring.Close() })
	r := newRig(t, nil)
	_, err := New(ring).Acquire(t.Context(), r.claim(lock.Key("room"), time.Minute))
	if !errors.Is(err, lock.ErrInvalid) || !strings.Contains(err.Error(), "Ring") {
		t.Errorf("on a Ring: %v", err)
	}
}
