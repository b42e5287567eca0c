// SPDX-License-Identifier: MIT

package lockbench

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A sketch is the least that a lock with a queue is when the release grants: a
// key for who holds a name, and a list of those who wait for it. It has no
// fence, and no remedy for a waiter that died, for a grant that got lost, or for
// a hold that ended by itself.
type sketch struct {
	client  redis.UniversalClient
	channel string // on which this process hears of its grants

	mu      sync.Mutex
	waiting map[string]chan struct{} // by id
}

var (
	// KEYS: holder, line. ARGV: id, ms, channel.
	takeOrQueue = redis.NewScript(`if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. ARGV[3])
return 0`)
	// KEYS: holder, line. ARGV: id, ms.
	passOn = redis.NewScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local first = redis.call('LPOP', KEYS[2])
if not first then return redis.call('DEL', KEYS[1]) end
local id, channel = string.match(first, '^(%S+) (%S+)$')
redis.call('SET', KEYS[1], id, 'PX', ARGV[2])
redis.call('PUBLISH', channel, id)
return 1`)
)

func newSketch(tb testing.TB, client redis.UniversalClient) *sketch {
	s := &sketch{client: client, channel: "sketch:" + rand.Text(), waiting: make(map[string]chan struct{})}
	sub := client.Subscribe(tb.Context(), s.channel)
	tb.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	go func() {
		for message := range sub.Channel() {
			s.mu.Lock()
			close(s.waiting[message.Payload])
			delete(s.waiting, message.Payload)
			s.mu.Unlock()
		}
	}()
	return s
}

// take waits for its turn and passes it on.
func (s *sketch) take(ctx context.Context, name string) error {
	id, granted := rand.Text(), make(chan struct{})
	s.mu.Lock()
	s.waiting[id] = granted
	s.mu.Unlock()
	keys := []string{"sketch:{" + name + "}:holder", "sketch:{" + name + "}:line"}
	free, err := takeOrQueue.Run(ctx, s.client, keys, id, ttl.Milliseconds(), s.channel).Bool()
	if err != nil {
		return err
	}
	if free {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	} else {
		select {
		case <-granted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if passed, err := passOn.Run(ctx, s.client, keys, id, ttl.Milliseconds()).Bool(); err != nil || !passed {
		return errTaken
	}
	return nil
}
