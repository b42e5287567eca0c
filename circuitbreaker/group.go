// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// GroupConfig configures a [Group].
type GroupConfig struct {
	// Breaker configures each breaker of the group. Its Name is the group's: the
	// breaker for key k is named Name/k, and the one that serves the keys beyond
	// Max is named Name/_overflow.
	Breaker Config

	// Max bounds the number of breakers, the overflow breaker not counted;
	// default 1000. Each takes about half a kilobyte and, because its name is a
	// label, one set of metrics.
	Max int
}

// withDefaults returns cfg with its defaults, or every contradiction in it.
func (cfg GroupConfig) withDefaults() (GroupConfig, error) {
	p := configerr.Collect(problem)
	breaker, err := cfg.Breaker.withDefaults()
	cfg.Breaker = breaker
	p.Add(err)
	configerr.Default(&cfg.Max, defaultMax)
	p.Want(cfg.Max > 0, "GroupConfig.Max", cfg.Max, "at least 1")
	return cfg, p.Err()
}

// Group keeps one breaker for each key, such as a host or a tenant, and makes
// it at the first Get of the key. The number of breakers is bounded: at Max, a
// new key takes the place of an idle breaker that has nothing to lose (closed,
// no failures in its window, no Get since [Probes.Timeout]). While there is
// none, new keys share the overflow breaker, and the others keep their state.
//
// All methods may be called from any number of goroutines.
type Group struct {
	name     string
	policy   *policy
	max      int
	members  sync.Map // of key to *member: lookups take no lock
	overflow *Breaker // under mu; made when first needed

	mu   sync.Mutex // for new keys
	ring []*member  // every member; the hand goes round it in search of idle ones
	hand int
}

type member struct {
	key     string
	breaker *Breaker
	used    atomic.Bool   // since the hand last passed
	quiet   time.Duration // after Breaker.born: not asked for since then, as far as the hand knows
}

// scan bounds the work that a new key at the cap may cause.
const scan = 16

const defaultMax = 1000

// NewGroup returns an empty group, or every contradiction in cfg joined into
// one error of [*ConfigError] values.
func NewGroup(cfg GroupConfig) (*Group, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Group{name: cfg.Breaker.Name, policy: newPolicy(cfg.Breaker), max: cfg.Max}, nil
}

// Get returns the breaker for key, never nil. For a key that has one it is a
// lookup without a lock. Call it before each call and do not keep the result: a
// breaker that lost its place still works, but the group no longer uses it. A
// Get keeps the place for Probes.Timeout; the result of a longer call may be
// lost. Choose a Max above the number of keys in use.
//
// The breaker of a group that was not made with [NewGroup] fails every call
// with [ErrInvalid].
func (g *Group) Get(key string) *Breaker {
	if g == nil || g.policy == nil {
		return new(Breaker)
	}
	if found, ok := g.members.Load(key); ok {
		m := found.(*member)
		if !m.used.Load() { // a shared line is written only when that changes something
			m.used.Store(true)
		}
		return m.breaker
	}
	b, evicted := g.add(key)
	if evicted != nil {
		evicted.deliver()
	}
	b.deliver()
	return b
}

// All yields the keys and their breakers, without the overflow breaker and in
// no particular order. Keys that come or go meanwhile may be missed.
func (g *Group) All() iter.Seq2[string, *Breaker] {
	return func(yield func(string, *Breaker) bool) {
		g.members.Range(func(key, m any) bool {
			return yield(key.(string), m.(*member).breaker)
		})
	}
}

// add returns a breaker for a key that had none when it was looked up, and the
// one that had to go for it. Both may have events to deliver, which must wait
// until the lock is free.
func (g *Group) add(key string) (b, evicted *Breaker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if found, ok := g.members.Load(key); ok { // added meanwhile
		return found.(*member).breaker, nil
	}
	place := len(g.ring)
	if place < g.max {
		g.ring = append(g.ring, nil)
	} else if place = g.evict(); place < 0 {
		return g.overflowed(), nil
	} else {
		evicted = g.ring[place].breaker
	}
	key = strings.Clone(key) // it may be a piece of something large
	m := &member{key: key, breaker: newBreaker(g.name+"/"+key, g.policy)}
	g.ring[place] = m
	g.members.Store(key, m)
	return m.breaker, evicted
}

// evict frees a place in the ring and returns it, or -1. A member keeps its
// place until the hand has seen it unused for Probes.Timeout: by then a call
// that asked for it has ended, or has hung for as long as a probe may.
func (g *Group) evict() (place int) {
	for range min(scan, len(g.ring)) {
		place, g.hand = g.hand, (g.hand+1)%len(g.ring)
		if g.ring[place].idle(g.policy.probes.Timeout) && g.ring[place].breaker.retire() {
			g.members.Delete(g.ring[place].key)
			return place
		}
	}
	return -1
}

// idle reports whether the member was not used for that long. Group.mu is held.
func (m *member) idle(long time.Duration) bool {
	now := m.breaker.elapsed()
	if m.used.Swap(false) {
		m.quiet = now
	}
	return now-m.quiet >= long
}

func (g *Group) overflowed() *Breaker {
	if g.overflow == nil {
		g.overflow = newBreaker(g.name+"/_overflow", g.policy)
	}
	return g.overflow
}

// retire ends the breaker's events with OpRetired, if a new breaker in its place
// would know as much.
func (b *Breaker) retire() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, now := b.era.Load(), b.elapsed()
	if !b.policy.blank(e, now) {
		return false
	}
	b.post(noContext, Event{
		Op: OpRetired, Source: b, Time: b.born.Add(now), Shadow: b.policy.shadow,
		From: e.state, To: e.state, Before: b.stats(e, now),
	})
	if b.mail != nil {
		b.mail.retired = true
	}
	return true
}

// blank reports whether the era has nothing to lose. The successes of a window
// of time soon leave it, so it is waited for; the last calls never do.
func (p *policy) blank(e *era, now time.Duration) bool {
	if e.state != Closed || e.streak.Load() != 0 || !p.forgotten(e, now) {
		return false
	}
	if e.window == nil {
		return true
	}
	c := e.window.counts(now)
	return c.Failure+c.Slow == 0 && (c.Success == 0 || p.calls > 0)
}
