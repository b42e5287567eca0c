// SPDX-License-Identifier: MIT

// Package locktest checks that a [lock.Store] keeps the promises that leases
// depend on. Each case checks one rule, and a failure reports what a user would
// see if the rule were broken. A model test compares long random histories with
// a simple implementation, and another has managers hold leases while grants and
// answers get lost, come late or come twice.
//
//	func TestStore(t *testing.T) {
//		locktest.Run(t, func(t testing.TB) lock.Store { return mystore.New() })
//	}
//
// Each case uses a space of its own, so stores may share one server.
package locktest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// Option changes how [Run] runs.
type Option func(*config)

type config struct {
	virtual bool
	steps   int
}

// Virtual runs each case inside a [testing/synctest] bubble of its own, with
// newStore called inside it. The store's time must be the bubble's. Timed
// cases are then instant and exact. Without Virtual they use short TTLs in
// real time, and run in parallel, since most of that is waiting.
func Virtual() Option { return func(c *config) { c.virtual = true } }

// Steps sets the length of the model test: by default 3000 steps in virtual
// time and 800 in real time, split over several histories. In virtual time, a
// longer one has the suite fill a queue, too.
func Steps(n int) Option { return func(c *config) { c.steps = n } }

// Run runs every case as a subtest of t. newStore makes a fresh store for a
// case and cleans up with t; without [Virtual] it is called by several cases at
// once. Nil options are skipped.
func Run(t *testing.T, newStore func(t testing.TB) lock.Store, opts ...Option) {
	t.Helper()
	cfg := config{}
	for _, o := range opts {
		if o != nil {
			o(&cfg)
		}
	}
	if cfg.steps <= 0 {
		cfg.steps = 800
		if cfg.virtual {
			cfg.steps = virtualSteps
		}
	}
	for _, r := range rules(cfg.virtual) {
		t.Run(r.name, func(t *testing.T) {
			run := func(t *testing.T) { r.check(newBench(t, newStore(t), cfg, r)) }
			if cfg.virtual {
				synctest.Test(t, run)
			} else {
				t.Parallel()
				run(t)
			}
		})
	}
}

const virtualSteps = 3000 // of the model test, by default

func rules(virtual bool) []rule {
	list := slices.Concat(acquireRules, conflictRules, extendRules, releaseRules, expiryRules, holdsRules, sharedRules,
		waitRules, orderRules, grantRules, giveUpRules, keepRules, takeOverRules, modelRules, beliefRules)
	if virtual {
		list = append(list, exactRules...)
	}
	return list
}

// rule is one promise, and what it means when a store breaks it.
type rule struct {
	name, broken string
	check        func(b *bench)
}

// bench is what a case works with.
type bench struct {
	*testing.T
	config
	store lock.Store
	space string
	ctx   context.Context
	short time.Duration // a TTL that a case can wait for
	slack time.Duration // how exact times are
	rule  rule
}

const long = time.Hour // a TTL that no case outlives

func newBench(t *testing.T, s lock.Store, cfg config, r rule) *bench {
	b := &bench{T: t, config: cfg, store: s, rule: r, ctx: t.Context()}
	b.space = "locktest-" + strings.ToLower(rand.Text()[:10])
	b.short, b.slack = 2*time.Second, time.Millisecond
	if !cfg.virtual {
		b.short, b.slack = 400*time.Millisecond, 5*time.Second
	}
	return b
}

// broken ends the case with what the broken rule means.
func (b *bench) broken(format string, args ...any) {
	b.Helper()
	b.Fatalf(format+"\n%s", append(args, b.rule.broken)...)
}

// want reports a breach unless a status is as it has to be.
func (b *bench) want(got, want lock.StoreStatus, what string, args ...any) {
	b.Helper()
	if got != want {
		b.broken("%s: status %d, want %d", fmt.Sprintf(what, args...), got, want)
	}
}

// patience is a context that outlasts every wait of a store that works.
func (b *bench) patience() context.Context {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	b.Cleanup(cancel)
	return ctx
}

// outlast waits until what had ttl to live when this is called has expired.
// In real time it sleeps, since that is what expiry is about.
func (b *bench) outlast(ttl time.Duration) {
	if !b.virtual {
		ttl += 20 * time.Millisecond
	}
	time.Sleep(ttl)
}

// ticket makes a fresh one for a name, in the case's only group.
func (b *bench) ticket(name string) lock.StoreTicket {
	return lock.StoreTicket{Space: b.space, Group: "all", Name: name, ID: rand.Text()[:16], Token: rand.Text()}
}

// claim makes a fresh claim with one unit of capacity, long to live.
func (b *bench) claim(r lock.Resource) lock.StoreClaim { return b.claimOf(1, r) }

// claimOf is a claim of names with so many units.
func (b *bench) claimOf(capacity int, r lock.Resource) lock.StoreClaim {
	c := lock.StoreClaim{StoreTicket: b.ticket(r.Name()), Resource: r, TTL: long, Holder: "guest", Reason: "a case", Limit: 8}
	for range r.Parts() {
		c.Capacity = append(c.Capacity, capacity)
	}
	return c
}

// acquire sends a claim; an error ends the case.
func (b *bench) acquire(c lock.StoreClaim) lock.StoreGrant {
	b.Helper()
	g, err := b.store.Acquire(b.ctx, c)
	if err != nil {
		b.Fatalf("Acquire(%s): %v", c.Resource, err)
	}
	return g
}

// hold claims r, which must be free, and returns the claim with its fence.
func (b *bench) hold(r lock.Resource) lock.StoreClaim {
	b.Helper()
	return b.granted(b.claim(r))
}

// granted sends a claim that must be granted.
func (b *bench) granted(c lock.StoreClaim) lock.StoreClaim {
	b.Helper()
	g := b.acquire(c)
	if g.Status != lock.StatusGranted {
		b.broken("Acquire(%s) = status %d, want Granted; in the way: %v", c.Resource, g.Status, g.Conflicts)
	}
	c.Fence = g.Hold.Fence
	return c
}

// blocked sends a claim that must be refused.
func (b *bench) blocked(c lock.StoreClaim) lock.StoreGrant {
	b.Helper()
	g := b.acquire(c)
	if g.Status != lock.StatusBlocked {
		b.broken("Acquire(%s) = status %d, want Blocked", c.Resource, g.Status)
	}
	return g
}

// extend sends one renewal.
func (b *bench) extend(r lock.StoreRenewal) lock.StoreGrant {
	b.Helper()
	gs, err := b.store.Extend(b.ctx, []lock.StoreRenewal{r})
	if err != nil || len(gs) != 1 {
		b.Fatalf("Extend: %d answers to one renewal, %v", len(gs), err)
	}
	return gs[0]
}

// release sends a release.
func (b *bench) release(t lock.StoreTicket) lock.StoreStatus {
	b.Helper()
	gs, err := b.store.Release(b.ctx, []lock.StoreTicket{t})
	if err != nil || len(gs) != 1 {
		b.Fatalf("Release: %d answers to one ticket, %v", len(gs), err)
	}
	return gs[0].Status
}

// sweep asks for expired holds.
func (b *bench) sweep(limit int, recorded ...string) []lock.Hold {
	b.Helper()
	due, err := b.store.Sweep(b.ctx, lock.StoreQuery{Space: b.space, Group: "all", Limit: limit}, recorded)
	if err != nil {
		b.Fatalf("Sweep: %v", err)
	}
	return due
}

// holds lists the live holds that overlap r.
func (b *bench) holds(r lock.Resource) (list []lock.Hold) {
	b.Helper()
	for h, err := range b.store.Holds(b.ctx, lock.StoreQuery{Space: b.space, Group: "all", Resource: r}) {
		if err != nil {
			b.Fatalf("Holds: %v", err)
		}
		list = append(list, h)
	}
	return list
}

// near reports whether a time is as expected: never more, and less by no more
// than the slack.
func (b *bench) near(got, want time.Duration) bool { return got <= want && got >= want-b.slack }

func ids(holds []lock.Hold) (list []string) {
	for _, h := range holds {
		list = append(list, h.ID)
	}
	return list
}
