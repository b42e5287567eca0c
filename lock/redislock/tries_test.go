// SPDX-License-Identifier: MIT

package redislock

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/faultproxy"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

func TestAClientThatSendsAgainIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	proxy := faultproxy.Start(t, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr})
	t.Cleanup(func() { _ = client.Close() })
	r := newRig(t, client)
	_, g := r.take(lock.Key("room 1"), time.Hour) // loads the script
	for lost := range 3 {
		for _, res := range []lock.Resource{lock.Key("room 2"), lock.All(lock.Key("room 3"), lock.Key("room 4"))} {
			proxy.Lose("evalsha", lost)
			c := r.claim(res, time.Hour)
			if g = r.ask(c); g.Status != lock.StatusGranted || g.Once != (lost == 0) {
				t.Errorf("%s, %d answers lost: status %d, once %t", res, lost, g.Status, g.Once)
			}

			proxy.Lose("evalsha", lost)
			c.Fence, c.Until = g.Hold.Fence, g.Hold.ExpiresAt
			if s := r.release(c.StoreTicket); s != lock.StatusGranted {
				t.Errorf("%s, %d answers to the release lost: status %d", res, lost, s)
			}
		}
	}
	held := r.list(lock.Resource{})
	if len(held) != 1 || held[0].Resource.String() != "room 1" {
		t.Errorf("%v are held", held)
	}
}
