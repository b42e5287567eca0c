// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// long is whether full counts are asked for.
func long() bool { return os.Getenv("HOLDFAST_LONG") != "" }

// TestMain becomes a process of holders, or one that waits or records, when a test
// starts it as one.
func TestMain(m *testing.M) {
	if task := os.Getenv("HOLDFAST_RECORDER"); task != "" {
		if err := beRecorder(task); err != nil {
			panic(err)
		}
		return
	}
	if task := os.Getenv("HOLDFAST_WAITER"); task != "" {
		if err := beWaiter(task); err != nil {
			panic(err)
		}
		return
	}
	if text := os.Getenv("HOLDFAST_HOLDERS"); text != "" {
		if err := beHolders(text); err != nil {
			panic(err)
		}
		return
	}
	redistest.Main(m)
}

// holder takes leases on random nights of two rooms, works under them for a
// while, and gives them back or lets them end.
type holder struct {
	name   string
	rooms  *lock.Manager
	random *rand.Rand
	ttl    time.Duration
	write  func(write) bool
	seen   []belief
	leases atomic.Int64 // in seen
}

// newHolder makes one with a manager of its own, as in a process of its own.
// It closes the manager when it has run.
func newHolder(name string, client redis.UniversalClient, ttl time.Duration, write func(write) bool) (*holder, error) {
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms", Holder: name, TTL: ttl})
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	copy(seed[:], name)
	return &holder{name: name, rooms: rooms, random: rand.New(rand.NewChaCha8(seed)), ttl: ttl, write: write}, nil
}

// run goes on until ctx ends.
func (h *holder) run(ctx context.Context) {
	defer h.rooms.Close(context.Background())
	for ctx.Err() == nil {
		from := h.random.Int64N(6)
		s := stay{strconv.Itoa(101 + h.random.IntN(2)), from, from + 1 + h.random.Int64N(3)}
		h.hold(ctx, s)
	}
}

func (h *holder) hold(ctx context.Context, s stay) {
	asking, cancel := context.WithTimeout(ctx, h.ttl)
	defer cancel()
	var opts []lock.Option
	renew := h.random.IntN(2) == 0
	if renew {
		opts = append(opts, lock.AutoRenew())
	}
	ask := h.rooms.Acquire
	if h.random.IntN(4) == 0 {
		ask = h.rooms.TryAcquire
	}
	b := belief{Holder: h.name, Stay: s, Asked: now()}
	l, err := ask(asking, lock.Span(s.Room, s.From, s.To), opts...)
	b.Granted = now()
	if err != nil {
		// Others are in the way, or the server is away: not so soon again.
		pause(ctx, time.Duration(h.random.Int64N(int64(h.ttl/20))))
		return
	}
	b.Fence = l.Fence()
	h.work(&b, l, time.Duration(h.random.Int64N(int64(h.ttl))))
	if renew || h.random.IntN(4) > 0 {
		_ = l.Release(ctx)
	}
	for h.look(&b, l) { // until the end, if it was not released
	}
	b.Cause = l.Err().Error()
	// A process that does not look: whether its lease has ended or not, its
	// write comes now.
	h.write(write{s, b.Fence})
	h.seen = append(h.seen, b)
	h.leases.Add(1)
}

// work looks at the lease and writes under it, for at most d.
func (h *holder) work(b *belief, l *lock.Lease, d time.Duration) {
	for end, i := now()+d, 0; now() < end && h.look(b, l); i++ {
		if i%8 == 0 {
			h.write(write{b.Stay, b.Fence})
		}
	}
}

// look asks the lease once, and rests a moment.
func (h *holder) look(b *belief, l *lock.Lease) bool {
	at := now()
	if l.Context(context.Background()).Err() == nil {
		b.Context = at
	}
	at = now()
	if l.Err() != nil {
		return false
	}
	b.Last = at
	b.Deadline = max(b.Deadline, now()+time.Until(l.Deadline()))
	pause(context.Background(), time.Millisecond)
	return true
}

// pause waits, since what is looked at takes real time.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// holdersTask says what a process of holders has to do.
type holdersTask struct {
	Name, Redis, Hotel, Result string
	Holders                    int
	TTL, For                   time.Duration
}

// beHolders is the whole of a process of holders. It writes what they
// believed to a file.
func beHolders(text string) error {
	var task holdersTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), task.For)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: task.Redis, ContextTimeoutEnabled: true})
	defer client.Close()
	post := func(w write) bool {
		body, _ := json.Marshal(w)
		resp, err := http.Post(task.Hotel, "application/json", bytes.NewReader(body))
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}
	var list []*holder
	var running sync.WaitGroup
	for i := range task.Holders {
		h, err := newHolder(task.Name+"/"+strconv.Itoa(i), client, task.TTL, post)
		if err != nil {
			return err
		}
		list = append(list, h)
		running.Go(func() { h.run(ctx) })
	}
	running.Wait()
	var all []belief
	for _, h := range list {
		all = append(all, h.seen...)
	}
	result, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(task.Result, result, 0o600)
}
