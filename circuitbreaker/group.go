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
	// default 1000. Each takes less than a kilobyte. In metrics a group is one
	// breaker unless each member is asked for.
	Max int

	// IdleAfter is how long a key keeps its place without a Get. The default is
	// OpenFor.Max + Window.Duration, at most an hour: about as long as a breaker
	// stays open and its window holds a call.
	IdleAfter time.Duration

	// ShareOverflow makes the keys beyond Max share one breaker with the rules of
	// the others. By default they are unguarded: the breaker that serves them
	// counts calls and has no rules.
	ShareOverflow bool
}

const defaultMax = 1000

// withDefaults returns cfg with its defaults, or every contradiction in it.
func (cfg GroupConfig) withDefaults() (GroupConfig, error) {
	p := configerr.Collect(problem)
	breaker, err := cfg.Breaker.withDefaults()
	cfg.Breaker = breaker
	p.Add(err)
	configerr.Default(&cfg.Max, defaultMax)
	p.Want(cfg.Max >= 1, "GroupConfig.Max", cfg.Max, "at least 1")
	configerr.Default(&cfg.IdleAfter, min(min(breaker.OpenFor.Max, time.Hour)+min(breaker.Window.Duration, time.Hour), time.Hour))
	p.Want(cfg.IdleAfter > 0, "GroupConfig.IdleAfter", cfg.IdleAfter, "more than 0, or a group fills up for ever")
	cfg.IdleAfter = min(cfg.IdleAfter, forever)
	return cfg, p.Err()
}

// Group keeps one breaker for each key, such as a host or a tenant, and makes
// it at the first Get of the key. The number of breakers is bounded: at Max, new
// keys take the places of keys that are idle, whatever their breakers remember.
// A key is idle if there was no Get for GroupConfig.IdleAfter, unless its breaker
// is ForcedOpen or Disabled, or a call that it let through has not ended. While
// no key is idle, new keys are served by the overflow breaker.
//
// All methods may be called from any number of goroutines. A Group that is nil or
// not made with [NewGroup] has breakers that fail each call with [ErrInvalid];
// its other methods panic and say so.
type Group struct {
	config   GroupConfig
	born     time.Time
	members  sync.Map                // of key to *member: lookups take no lock
	overflow atomic.Pointer[Breaker] // made when first needed
	fullFor  atomic.Int64            // no key is idle before that, after born

	mu      sync.Mutex // for changes of members
	breaker *Config    // of new members
	size    int
}

type member struct {
	breaker *Breaker
	used    atomic.Int64 // the last Get, after Group.born; to the millisecond
}

// NewGroup returns an empty group, or every contradiction in cfg joined into
// one error of [*ConfigError] values.
func NewGroup(cfg GroupConfig) (*Group, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Group{config: cfg, born: time.Now(), breaker: &cfg.Breaker}, nil
}

// mustBeMade panics for a group that was not made with NewGroup.
func (g *Group) mustBeMade() {
	if !g.isMade() {
		panic(errNoGroup)
	}
}

func (g *Group) isMade() bool { return g != nil && g.config.Max > 0 }

// Get returns the breaker for key, never nil. It reads the clock; a key that has
// a breaker, or is beyond Max while no key is idle, is looked up without a lock.
// Call it before each call and do not keep the result: a breaker that lost its
// place still works, but the group no longer uses it. Choose a Max above the
// number of keys in use.
func (g *Group) Get(key string) *Breaker {
	if !g.isMade() {
		return new(Breaker)
	}
	now := time.Since(g.born)
	if found, ok := g.members.Load(key); ok {
		m := found.(*member)
		if int64(now)-m.used.Load() > int64(time.Millisecond) { // a shared line is seldom written
			m.used.Store(int64(now))
		}
		return m.breaker
	}
	if over := g.overflow.Load(); over != nil && int64(now) < g.fullFor.Load() {
		return over
	}
	b, gone := g.add(key, now)
	for _, m := range gone {
		m.breaker.deliver()
	}
	b.deliver()
	return b
}

// Remove drops the breaker of a key, whatever its state. The next Get of the key
// makes a new one. Calls in flight end as usual, and change nothing in the group.
func (g *Group) Remove(key string) {
	g.mustBeMade()
	g.mu.Lock()
	found, ok := g.members.Load(key)
	if ok {
		g.drop(key, found.(*member))
	}
	g.mu.Unlock()
	if ok {
		found.(*member).breaker.deliver()
	}
}

// Update is [Breaker.Update] for every breaker of the group, and for those to come.
func (g *Group) Update(cfg Config) error {
	if !g.isMade() {
		return errNoGroup
	}
	cfg, err := cfg.updated(g.config.Breaker.Name, &g.config.Breaker)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.breaker = &cfg
	for _, b := range g.All() {
		b.update(g.breaker)
	}
	if over := g.overflow.Load(); over != nil {
		over.update(g.overflowConfig())
	}
	return nil
}

// All yields the keys and their breakers, without the overflow breaker and in
// no particular order. Keys that come or go meanwhile may be missed.
func (g *Group) All() iter.Seq2[string, *Breaker] {
	g.mustBeMade()
	return func(yield func(string, *Breaker) bool) {
		g.members.Range(func(key, m any) bool {
			return yield(key.(string), m.(*member).breaker)
		})
	}
}

// add returns a breaker for a key that had none when it was looked up, and the
// members that had to go for it. All may have events to deliver, which must wait
// until the lock is free.
func (g *Group) add(key string, now time.Duration) (b *Breaker, gone []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if found, ok := g.members.Load(key); ok { // added meanwhile
		return found.(*member).breaker, nil
	}
	if g.size >= g.config.Max {
		if gone = g.dropIdle(now); gone == nil {
			return g.overflowed(), nil
		}
	}
	key = strings.Clone(key) // it may be a piece of something large
	m := &member{breaker: newBreaker(g.config.Breaker.Name+"/"+key, g.config.Breaker.Name, g.breaker, true)}
	m.used.Store(int64(now))
	g.members.Store(key, m)
	g.size++
	return m.breaker, gone
}

// dropIdle drops every idle member. If there is none, it sets when to look again:
// at the first instant at which one may be idle, but not so soon that the looks
// take more than a small part of the time.
func (g *Group) dropIdle(now time.Duration) (gone []*member) {
	long := g.config.IdleAfter
	next := now + long
	for key, v := range g.members.Range {
		m := v.(*member)
		ends := time.Duration(m.used.Load()) + long
		switch {
		case ends > now:
			next = min(next, ends)
		case m.breaker.inUse():
			next = now
		default:
			g.drop(key.(string), m)
			gone = append(gone, m)
		}
	}
	if gone == nil {
		g.fullFor.Store(int64(max(next, now+time.Millisecond+time.Duration(g.size)*time.Microsecond)))
	}
	return gone
}

// drop removes a member; g.mu is held.
func (g *Group) drop(key string, m *member) {
	g.members.Delete(key)
	g.size--
	g.fullFor.Store(0)
	m.breaker.retire()
}

func (g *Group) overflowed() *Breaker {
	if g.overflow.Load() == nil {
		g.overflow.Store(newBreaker(g.config.Breaker.Name+"/_overflow", g.config.Breaker.Name, g.overflowConfig(), false))
	}
	return g.overflow.Load()
}

// overflowConfig is the configuration of the overflow breaker: without rules
// unless it is shared.
func (g *Group) overflowConfig() *Config {
	cfg := *g.breaker
	if !g.config.ShareOverflow {
		cfg.ConsecutiveFailures, cfg.FailureRate, cfg.SlowRate, cfg.TripWhen, cfg.Start = 0, 0, 0, nil, Closed
	}
	return &cfg
}

// inUse reports whether a call that the breaker let through has not ended, or a
// state is forced.
func (b *Breaker) inUse() bool {
	ended := b.totals[Success].sum() + b.totals[Failure].sum() + b.totals[Ignored].sum() // before admitted, which is never less
	state := b.State()
	return state == ForcedOpen || state == Disabled || b.admitted.sum() > ended
}

// retire ends the breaker's events with OpRetired.
func (b *Breaker) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.era.Load()
	b.post(noContext, Event{
		Op: OpRetired, Time: time.Now(), Shadow: b.config.Load().Shadow,
		From: e.state, To: e.state, Before: b.stats(e, b.elapsed()),
	})
	b.retired = true
}
