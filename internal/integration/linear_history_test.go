// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
)

// history is what some clients of some managers asked for at once, and what
// they learned.
type history struct {
	testing.TB
	managers []*lock.Manager
	desk     *lock.Manager // forces releases, so that no lease of its own can end that way
	start    time.Time

	mu      sync.Mutex
	ops     []porcupine.Operation
	claims  []*claim
	refs    map[string][]detached // by group: what anybody may take up
	tokens  int                   // that were made by taking holds over
	unknown int
	repeats bool // a client may ask again by itself
}

type detached struct {
	claim *claim
	ref   lock.Ref
	token int // what the Ref stands for; 0 = as granted
}

const (
	clients    = 6
	steps      = 50
	maxNamed   = 8 // conflicts that an error names
	linearTime = time.Minute
)

var groups = []string{"a", "b"}

// play lets clients loose on stores that share their holds, one manager each.
func play(t testing.TB, seed uint64, stores ...lock.Store) *history {
	h := &history{TB: t, start: time.Now(), refs: make(map[string][]detached)}
	space := cryptorand.Text() // stores may have been played with before
	for _, s := range append(slices.Clone(stores), stores[0]) {
		if _, remote := s.(*redislock.Store); remote {
			h.repeats = true
		}
		m, err := lock.New(&returned{Store: s, history: h}, lock.Config{
			Name: space, TTL: time.Hour, MaxExtensions: maxCount,
			GroupBy: func(name string) string { return name[:1] }, Capacity: capacityOf,
		})
		if err != nil {
			t.Fatal(err)
		}
		h.managers = append(h.managers, m)
	}
	last := len(h.managers) - 1
	h.desk, h.managers = h.managers[last], h.managers[:last]
	var running sync.WaitGroup
	for n := range clients {
		c := &client{history: h, Manager: h.managers[n%len(h.managers)], id: n, rnd: rand.New(rand.NewPCG(seed, uint64(n)))}
		running.Go(func() {
			for range steps {
				c.step()
			}
		})
	}
	running.Wait()
	for _, m := range append(h.managers, h.desk) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_ = m.Close(ctx) // what cannot be released any more is no part of the history
		cancel()
	}
	for i, op := range h.ops {
		in := op.Input.(request)
		if op.Output.(answer).outcome == mystery && (in.op == "acquire" || in.op == "give back") && in.claim.returned > 0 {
			h.ops[i].Return = in.claim.returned
		}
	}
	return h
}

// returned notes when a claim was given back: from then on it is not granted
// any more, which bounds what is unknown of it.
type returned struct {
	lock.Store
	*history
	claims sync.Map // by id
}

func (r *returned) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	if number, err := strconv.Atoi(c.Holder); err == nil {
		r.history.mu.Lock()
		r.claims.Store(c.ID, r.history.claims[number])
		r.history.mu.Unlock()
	}
	return r.Store.Acquire(ctx, c)
}

func (r *returned) Release(ctx context.Context, ts []lock.StoreTicket) ([]lock.StoreGrant, error) {
	gs, err := r.Store.Release(ctx, ts)
	for _, t := range ts {
		if of, known := r.claims.Load(t.ID); known && err == nil && t.Fence == 0 && !t.Force {
			r.history.mu.Lock()
			of.(*claim).returned = time.Since(r.start).Nanoseconds()
			r.history.mu.Unlock()
		}
	}
	return gs, err
}

// check returns whether there is an order in which everything could have been
// asked and answered one after the other.
func (h *history) check() porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(lockModel, h.ops, linearTime)
}

// mustBeLinear fails the test with a drawing of the history.
func (h *history) mustBeLinear(t *testing.T) {
	t.Helper()
	result := h.check()
	if result == porcupine.Ok {
		return
	}
	_, info := porcupine.CheckOperationsVerbose(lockModel, h.ops, linearTime)
	path := t.ArtifactDir() + "/history.html"
	if err := porcupine.VisualizePath(lockModel, info, path); err != nil {
		t.Error(err)
	}
	t.Fatalf("a history of %d operations is %s (go test -artifacts keeps %s)", len(h.ops), result, path)
}

// do records one operation. What is unknown may take place at any time, or
// never: after all others.
func (h *history) do(client int, in request, act func() answer) answer {
	call := time.Since(h.start).Nanoseconds()
	out := act()
	back := time.Since(h.start).Nanoseconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	if out.outcome == mystery {
		h.unknown++
		back = math.MaxInt64
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: back})
	again := porcupine.Operation{ClientId: client, Input: in, Output: answer{outcome: mystery}, Call: call, Return: back}
	switch {
	case in.op == "acquire" && out.outcome == mystery:
		in.op = "give back"
		again.Input = in
		h.ops = append(h.ops, again)
	case h.repeats && (in.op == "extend" && (out.outcome == notHeld || out.outcome == capped) || in.op == "resume"):
		// A client that asks again, because the answer got lost, hears of
		// what others did since it was carried out: two operations in one.
		h.ops = append(h.ops, again)
	}
	return out
}

func (h *history) newClaim(r lock.Resource) *claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &claim{number: len(h.claims), resource: r}
	h.claims = append(h.claims, c)
	return c
}

func (h *history) newToken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens++
	return h.tokens
}

// client asks one manager, one question after the other.
type client struct {
	*history
	*lock.Manager
	id  int
	rnd *rand.Rand
}

func (c *client) step() {
	group := groups[c.rnd.IntN(len(groups))]
	switch n := c.rnd.IntN(100); {
	case n < 45:
		c.acquire(group, c.rnd.IntN(4) == 0)
	case n < 80:
		c.takeUp(group)
	case n < 93:
		c.list(group)
	default:
		c.force(group)
	}
}

// resource is some nights of a single room or of a room type, or all of one,
// or nights of both.
func (c *client) resource(group string) lock.Resource {
	part := func(name string) lock.Resource {
		r := lock.Key(name)
		if from := c.rnd.Int64N(7); from > 0 {
			r = lock.Span(name, from, from+1+c.rnd.Int64N(3))
		}
		return r.Units(1 + c.rnd.IntN(capacityOf(name)))
	}
	single, several := part(group+"1"), part(group+"3")
	return []lock.Resource{single, several, lock.All(single, several)}[c.rnd.IntN(3)]
}

func (c *client) acquire(group string, patient bool) {
	wanted := c.newClaim(c.resource(group))
	c.do(c.id, request{op: "acquire", group: group, claim: wanted}, func() answer {
		ctx, try := c.Context(), c.TryAcquire
		if patient {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			try = c.Acquire
		}
		l, err := try(ctx, wanted.resource, lock.Holder(strconv.Itoa(wanted.number)))
		out := c.learned(err)
		if err == nil {
			out.fence = l.Fence()
			c.leave(group, detached{wanted, l.Detach(), 0})
		} else if conflict, found := errors.AsType[*lock.ConflictError](err); found && out.outcome == blocked {
			for _, in := range conflict.Conflicts {
				out.seen = append(out.seen, c.sight(in.Hold))
			}
			slices.SortFunc(out.seen, bySight)
			out.seen, out.more = slices.Compact(out.seen), len(conflict.Conflicts) == maxNamed
		}
		return out
	})
}

// leave puts a lease where anybody may take it up.
func (c *client) leave(group string, d detached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refs[group] = append(c.refs[group], d)
}

// pick returns a lease that a client left. It stays there half of the time, so
// that several may take it up at once.
func (c *client) pick(group string) (d detached, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	refs := c.refs[group]
	if len(refs) == 0 {
		return d, false
	}
	i := c.rnd.IntN(len(refs))
	d = refs[i]
	if c.rnd.IntN(2) == 0 {
		c.refs[group] = slices.Delete(refs, i, i+1)
	}
	return d, true
}

// takeUp goes on with a lease that a client left.
func (c *client) takeUp(group string) {
	d, found := c.pick(group)
	if !found {
		return
	}
	var l *lock.Lease
	about := request{op: "resume", group: group, claim: d.claim, token: d.token, next: c.newToken()}
	out := c.do(c.id, about, func() answer {
		var err error
		l, err = c.Resume(c.Context(), d.ref)
		out := c.learned(err)
		if err == nil {
			out.fence = l.Fence()
		}
		return out
	})
	if out.outcome != done {
		return
	}
	about.token = about.next
	if c.rnd.IntN(2) == 0 {
		about.op = "extend"
		c.do(c.id, about, func() answer { return c.learned(l.Extend(c.Context(), 2*time.Hour)) })
	}
	if c.rnd.IntN(5) > 0 {
		about.op = "release"
		c.do(c.id, about, func() answer { return c.learned(l.Release(c.Context())) })
		return
	}
	c.leave(group, detached{d.claim, l.Detach(), about.token})
}

// list looks who holds nights of a room, and returns them.
func (c *client) list(group string) (list []lock.Hold) {
	wanted := lock.Key(group + []string{"1", "3"}[c.rnd.IntN(2)])
	c.do(c.id, request{op: "holds", group: group, wanted: wanted}, func() (out answer) {
		out.outcome = done
		for h, err := range c.Holds(c.Context(), wanted) {
			if err != nil {
				return c.learned(err)
			}
			list = append(list, h)
			out.seen = append(out.seen, c.sight(h))
		}
		slices.SortFunc(out.seen, bySight)
		return out
	})
	return list
}

// force ends a hold that is listed.
func (c *client) force(group string) {
	holds := c.list(group)
	if len(holds) == 0 {
		return
	}
	h := holds[c.rnd.IntN(len(holds))]
	c.mu.Lock()
	whose := c.claims[c.sight(h).number]
	c.mu.Unlock()
	c.do(c.id, request{op: "force", group: group, claim: whose}, func() answer {
		return c.learned(c.desk.ForceRelease(c.Context(), h))
	})
}

func (c *client) sight(h lock.Hold) sighting {
	number, err := strconv.Atoi(h.Holder)
	if err != nil {
		c.Errorf("a hold of %q", h.Holder)
	}
	return sighting{number, h.Fence, h.Extensions}
}

func (c *client) learned(err error) answer {
	switch {
	case err == nil:
		return answer{outcome: done}
	case errors.Is(err, lock.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return answer{outcome: mystery}
	case errors.Is(err, lock.ErrConflict):
		return answer{outcome: blocked}
	case errors.Is(err, lock.ErrMaxReached):
		return answer{outcome: capped}
	case errors.Is(err, lock.ErrNotHeld):
		return answer{outcome: notHeld}
	}
	c.Errorf("unexpected: %v", err)
	return answer{outcome: mystery}
}
