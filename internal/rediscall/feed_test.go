// SPDX-License-Identifier: MIT

package rediscall

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// heard is a feed and what it has said.
type heard struct {
	*Feed
	mu             sync.Mutex
	messages       []string
	missed, closed int
}

func newHeard(client *redis.Client) *heard {
	h := &heard{}
	count := func(n *int) func() {
		return func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			*n++
		}
	}
	h.Feed = &Feed{Caller: New(client, errors.New("no client")), Missed: count(&h.missed), Closed: count(&h.closed), Read: func(message string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.messages = append(h.messages, message)
	}}
	return h
}

// counts returns how often it was closed, and said that it missed something.
func (h *heard) counts() (closed, missed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed, h.missed
}

func TestAFeedReadsWhatIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		f := newHeard(client)
		if got := f.Use(); got != "" {
			t.Errorf("a feed that is not open has the channel %q", got)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := f.Open(t.Context(), "news"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := client.Publish(t.Context(), "news", "hello").Val(); n != 1 || f.Channel() != "news" {
			t.Errorf("%d subscriptions of %q after 8 calls of Open, want 1", n, f.Channel())
		}
		synctest.Wait()
		if len(f.messages) != 1 || f.messages[0] != "hello" {
			t.Errorf("read %q", f.messages)
		}
	})
}

func TestAFeedIsClosedSomeTimeAfterItsLastUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		f := newHeard(client)
		f.Use()
		if err := f.Open(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		f.Done()
		time.Sleep(Linger - time.Millisecond)
		f.Use()
		f.Done()
		time.Sleep(Linger - time.Millisecond)
		if closed, _ := f.counts(); f.Channel() == "" || closed != 0 {
			t.Error("closed before its time")
		}
		time.Sleep(time.Second)
		if closed, _ := f.counts(); f.Channel() != "" || closed != 1 {
			t.Errorf("open without a user; closed %d times", closed)
		}
		if err := f.Open(t.Context(), "more"); err != nil || f.Channel() != "more" {
			t.Errorf("opened again: %q, %v", f.Channel(), err)
		}
	})
}

func TestAFeedThatNoOneUsesIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		f := newHeard(client)
		f.Use()
		f.Done()
		if err := f.Open(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * Linger)
		if f.Channel() != "" {
			t.Error("open without a user")
		}
	})
}

func TestAFeedWhoseClientIsClosedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := redistest.Virtual(t)
		f := newHeard(client)
		f.Use()
		if err := f.Open(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
		time.Sleep(time.Minute)
		if closed, missed := f.counts(); f.Channel() != "" || closed != 1 || missed == 0 {
			t.Errorf("the client is closed, and the feed has %q; closed %d, missed %d times", f.Channel(), closed, missed)
		}
	})
}

func TestAFeedReportsThatItWasInterrupted(t *testing.T) {
	t.Parallel()
	client := redistest.Real(t).Client(t)
	f := newHeard(client)
	missed := make(chan struct{}, 100)
	f.Missed = func() { missed <- struct{}{} }
	f.Use()
	if err := f.Open(t.Context(), "news"); err != nil {
		t.Fatal(err)
	}
	if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	<-missed
}

// hang is a dialer that no server answers.
func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", ContextTimeoutEnabled: true, Dialer: hang})
		t.Cleanup(func() { _ = client.Close() })
		f := newHeard(client)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _ = f.Open(t.Context(), "news") })
		start := time.Now()
		if err := f.Open(ctx, "news"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 200*time.Millisecond {
			t.Errorf("ended after %v: %v", time.Since(start), err)
		}
		wg.Wait()
		if took := time.Since(start); took > 2*subscribeFor {
			t.Errorf("a try took %v", took)
		}
		if err := newHeard(nil).Open(t.Context(), "news"); err == nil || err.Error() != "no client" {
			t.Errorf("without a client: %v", err)
		}
	})
}

func TestCallsAtTheSameTimeShareATryThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", ContextTimeoutEnabled: true, Dialer: hang})
		t.Cleanup(func() { _ = client.Close() })
		f := newHeard(client)
		start := time.Now()
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() {
				ctx := t.Context()
				if n == 0 { // its end is no reason for the others
					short, cancel := context.WithTimeout(ctx, time.Millisecond)
					defer cancel()
					ctx = short
				}
				if err := f.Open(ctx, "news"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("ended with %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 2*subscribeFor || took < subscribeFor {
			t.Errorf("fifty calls took %v, want one or two tries", took)
		}
	})
}
