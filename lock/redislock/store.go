// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/lock"
)

var (
	//go:embed head.lua
	headLua string
	//go:embed quick_acquire.lua
	quickAcquireLua string
	//go:embed quick_release.lua
	quickReleaseLua string
	//go:embed record.lua
	recordLua string
	//go:embed conflict.lua
	conflictLua string
	//go:embed queue.lua
	queueLua string
	//go:embed acquire.lua
	acquireLua string
	//go:embed extend.lua
	extendLua string
	//go:embed release.lua
	releaseLua string
	//go:embed holds.lua
	holdsLua string
	//go:embed sweep.lua
	sweepLua string

	commonLua     = recordLua + conflictLua + queueLua
	acquireScript = redis.NewScript(headLua + quickAcquireLua + commonLua + acquireLua)
	extendScript  = redis.NewScript(headLua + recordLua + extendLua)
	releaseScript = redis.NewScript(headLua + quickReleaseLua + commonLua + releaseLua)
	holdsScript   = redis.NewScript(headLua + recordLua + holdsLua)
	sweepScript   = redis.NewScript(headLua + commonLua + sweepLua)
)

const (
	defaultPrefix = "holdfast"
	batchSize     = 128  // renewals in one script call
	pageSize      = 256  // index members in one page of holds
	sweepSize     = 1000 // expired holds found, returned or forgotten by one script call at most
	sweepDefault  = 64
)

// Store keeps holds in Redis. It is safe for concurrent use. Make it with
// [New]; it needs no closing.
type Store struct {
	caller *rediscall.Caller
	prefix string
	inbox  *inbox
	last   atomic.Pointer[groupKeys]
}

var _ lock.Store = (*Store)(nil)

// Option changes a [Store] that [New] makes.
type Option func(*Store)

// WithPrefix begins every key with prefix instead of "holdfast". Stores of
// different prefixes share nothing. Braces in it are escaped; the empty prefix
// is the default.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = cmp.Or(unbraced.Replace(prefix), defaultPrefix) }
}

// New makes a store on client, which stays the caller's to close: a
// *[redis.Client], with or without Sentinel, a *[redis.ClusterClient], or any
// other that takes scripts. It does no I/O.
//
// Calls end when their ctx does, whatever the client's own timeouts. A client
// with Options.ContextTimeoutEnabled spares the store a goroutine a call.
//
// Nil options are skipped. Of a nil client it makes a store that answers every
// call with an error that wraps [lock.ErrInvalid].
func New(client redis.UniversalClient, opts ...Option) *Store {
	s := &Store{caller: rediscall.New(client, errNoClient), prefix: defaultPrefix}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	s.inbox = newInbox(s.caller, s.prefix)
	return s
}

var errNoClient = fmt.Errorf("%w: redislock.New needs a client", lock.ErrInvalid)

// Acquire grants all parts of c or none, in one round trip. A claim that waits
// gets its place in the same step, from its second try on: at the first try
// there may be no inbox yet, since no other claim may have had to wait.
func (s *Store) Acquire(ctx context.Context, c lock.Claim) (lock.Grant, error) {
	parts := slices.Collect(c.Resource.Parts())
	if len(parts) == 0 {
		return lock.Grant{}, fmt.Errorf("redislock: acquire: %w: a claim of nothing", lock.ErrInvalid)
	}
	for _, p := range parts {
		if err := storable(p); err != nil {
			return lock.Grant{}, err
		}
	}
	kind := digit(parts[0])
	if len(parts) == 1 && parts[0].Kind() == lock.Whole && parts[0].Size() == 1 && capacity(c, 0) == 1 {
		kind = sole
	}
	ttl, longest := millis(c.TTL), millis(c.MaxHold)
	if longest > 0 {
		ttl = min(ttl, longest)
	}
	args := make([]any, 0, 7+2*len(parts))
	args = append(args, c.ID, ttl, longest, max(c.Limit, 0), head(c.Token, kind, parts), tail(c), s.inbox.way(c))
	for i, p := range parts {
		if i > 0 {
			kind = digit(p)
		}
		args = append(args, member(kind, p), min(int64(capacity(c, i)), lock.MaxBound))
	}
	answer, err := s.caller.Run(ctx, acquireScript, s.keys(c.Space, c.Group), args...)
	var g lock.Grant
	if err == nil {
		g, err = granted(answer, c, parts)
	}
	if c.Queue && g.Status != lock.Blocked {
		s.inbox.leave(c.ID)
	}
	if err != nil {
		return lock.Grant{}, fmt.Errorf("redislock: acquire: %w", err)
	}
	return g, nil
}

// capacity is that of the name of a claim's part.
func capacity(c lock.Claim, part int) int {
	if part >= len(c.Capacity) {
		return 1
	}
	return max(c.Capacity[part], 0)
}

// granted reads the answer to a claim.
func granted(answer any, c lock.Claim, parts []lock.Resource) (lock.Grant, error) {
	if stamp, quick := answer.(string); quick {
		return stamped(stamp, c)
	}
	r := open(answer)
	g := lock.Grant{Status: r.status()}
	if g.Status == lock.Missing {
		return g, r.err()
	}
	r.clock()
	expired := r.list()
	g.Expired = expired.holds()
	r.join(expired)
	if g.Status == lock.Granted {
		one := r.list()
		g.Hold, _ = one.hold(c.Resource)
		r.join(one)
	} else {
		g.Retry, g.Place = r.millis(), int(next[int64](r))
		g.Conflicts = r.conflicts(parts)
	}
	return g, r.err()
}

// stamped is the grant of the quick path, whose answer has only what the
// server decided.
func stamped(stamp string, c lock.Claim) (lock.Grant, error) {
	r := reader{rest: stamp}
	h := lock.Hold{ID: c.ID, Holder: c.Holder, Reason: c.Reason, Resource: c.Resource, Details: maps.Clone(c.Details)}
	r.stamp(&h)
	if r.bad || r.rest != "" {
		return lock.Grant{}, errMalformed
	}
	h.Left = time.Duration(millis(c.TTL)) * time.Millisecond
	if c.MaxHold > 0 {
		h.Left = min(h.Left, time.Duration(millis(c.MaxHold))*time.Millisecond)
	}
	h.ExpiresAt = h.AcquiredAt.Add(h.Left)
	return lock.Grant{Hold: h}, nil
}

// storable refuses what the format cannot hold. A [lock.Manager] never sends
// that.
func storable(p lock.Resource) error {
	from, to := p.Bounds()
	if p.Name() == "" || strings.ContainsRune(p.Name(), 0) || p.Kind() > 9 ||
		from < lock.MinBound || to > lock.MaxBound || from >= to ||
		p.Size() < 1 || int64(p.Size()) > math.MaxInt32 {
		return fmt.Errorf("redislock: acquire: %w: cannot store %s", lock.ErrInvalid, p)
	}
	return nil
}

// conflicts reads who is in the way of which part, in the order of the parts
// and of what is held.
func (r *reply) conflicts(parts []lock.Resource) []lock.Conflict {
	var conflicts []lock.Conflict
	named := r.list()
	for named.more() {
		one := named.list()
		part, place := next[int64](one), next[string](one)
		held, _, err := splitMember(place)
		hold, _ := one.hold(held)
		named.join(one)
		if err != nil || part < 1 || int(part) > len(parts) {
			named.bad = true
			break
		}
		conflicts = append(conflicts, lock.Conflict{Wanted: parts[part-1], Hold: hold})
	}
	r.join(named)
	slices.Reverse(conflicts) // the script walks backwards …
	slices.SortStableFunc(conflicts, func(a, b lock.Conflict) int {
		return comparePlace(a.Wanted, b.Wanted)
	})
	return conflicts
}

func comparePlace(a, b lock.Resource) int {
	af, _ := a.Bounds()
	bf, _ := b.Bounds()
	return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(af, bf))
}

// Extend moves the deadlines of a batch, each on its own: one round trip for
// all, two when the server has forgotten the script.
func (s *Store) Extend(ctx context.Context, rs []lock.Renewal) ([]lock.Grant, error) {
	type group struct{ space, name string }
	var calls []rediscall.Call
	var places [][]int // of a call's renewals in rs
	open := make(map[group]int)
	for i, r := range rs {
		g := group{r.Space, r.Group}
		n, found := open[g]
		if !found || len(places[n]) == batchSize {
			n = len(calls)
			open[g] = n
			calls = append(calls, rediscall.Call{Keys: s.keys(r.Space, r.Group)})
			places = append(places, nil)
		}
		calls[n].Args = append(calls[n].Args, r.ID, r.Token, millis(r.TTL), max(r.MaxExtensions, 0), r.Count, r.Nonce)
		places[n] = append(places[n], i)
	}
	answers, err := s.caller.RunAll(ctx, extendScript, calls)
	if err != nil {
		return nil, fmt.Errorf("redislock: extend: %w", err)
	}
	grants := make([]lock.Grant, len(rs))
	for n, answer := range answers {
		if err := extended(answer, grants, places[n]); err != nil {
			return nil, fmt.Errorf("redislock: extend: %w", err)
		}
	}
	return grants, nil
}

// extended reads the answer to one call into its places in grants.
func extended(answer any, grants []lock.Grant, places []int) error {
	r := open(answer)
	r.clock()
	for _, i := range places {
		one := r.list()
		g := lock.Grant{Status: one.status()}
		if g.Status != lock.Missing {
			g.Hold, _ = one.hold(lock.Resource{})
		}
		grants[i] = g
		r.join(one)
	}
	return r.err()
}

// Release ends a hold, or gives a claim up, in one round trip.
func (s *Store) Release(ctx context.Context, k lock.Ticket) (lock.Grant, error) {
	s.inbox.leave(k.ID)
	answer, err := s.caller.Run(ctx, releaseScript, s.keys(k.Space, k.Group), k.ID, k.Token, k.Force, k.Fence == 0 && !k.Force)
	if err != nil {
		return lock.Grant{}, fmt.Errorf("redislock: release: %w", err)
	}
	if answer == int64(lock.Granted) {
		return lock.Grant{}, nil
	}
	r := open(answer)
	g := lock.Grant{Status: r.status()}
	if g.Status == lock.Granted && r.more() {
		r.clock()
		one := r.list()
		g.Hold, _ = one.hold(lock.Resource{})
		r.join(one)
	}
	if err := r.err(); err != nil {
		return lock.Grant{}, fmt.Errorf("redislock: release: %w", err)
	}
	return g, nil
}

// Sweep forgets the holds in recorded, finds more, and returns up to q.Limit
// expired holds, the longest expired first; 0 means 64, and more than 1000 means
// 1000. It takes a round trip for each thousand ids in recorded, and at least one.
func (s *Store) Sweep(ctx context.Context, q lock.Query, recorded []string) ([]lock.Hold, error) {
	limit := min(q.Limit, sweepSize)
	if limit <= 0 {
		limit = sweepDefault
	}
	for {
		now := recorded[:min(len(recorded), sweepSize)]
		recorded = recorded[len(now):]
		args := []any{limit}
		for _, id := range now {
			args = append(args, id)
		}
		answer, err := s.caller.Run(ctx, sweepScript, s.keys(q.Space, q.Group), args...)
		if err != nil {
			return nil, fmt.Errorf("redislock: sweep: %w", err)
		}
		if len(recorded) > 0 {
			continue
		}
		r := open(answer)
		r.clock()
		expired := r.holds()
		if err := r.err(); err != nil {
			return nil, fmt.Errorf("redislock: sweep: %w", err)
		}
		return expired, nil
	}
}

// millis is a duration in whole milliseconds, at least one if it is positive.
func millis(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(d.Milliseconds(), 1)
}
