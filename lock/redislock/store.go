// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
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
	//go:embed quick_queue.lua
	quickQueueLua string
	//go:embed quick_release.lua
	quickReleaseLua string
	//go:embed record.lua
	recordLua string
	//go:embed expire.lua
	expireLua string
	//go:embed conflict.lua
	conflictLua string
	//go:embed queue.lua
	queueLua string
	//go:embed acquire.lua
	acquireLua string
	//go:embed extend.lua
	extendLua string
	//go:embed serve_more.lua
	serveMoreLua string
	//go:embed ping.lua
	pingLua string
	//go:embed release.lua
	releaseLua string
	//go:embed holds.lua
	holdsLua string
	//go:embed sweep.lua
	sweepLua string

	waitLua    = expireLua + conflictLua + queueLua
	acquireAll = headLua + quickAcquireLua + quickQueueLua + inner(recordLua+inner(waitLua+acquireLua))
	extendAll  = headLua + inner(recordLua+extendLua+inner(waitLua+serveMoreLua))
	releaseAll = headLua + quickReleaseLua + inner(recordLua+inner(waitLua+releaseLua))
	pingAll    = headLua + inner(recordLua+inner(waitLua+pingLua))
	holdsAll   = headLua + inner(recordLua+holdsLua)
	sweepAll   = headLua + inner(recordLua+inner(waitLua+sweepLua))

	acquireScript = redis.NewScript(acquireAll)
	extendScript  = redis.NewScript(extendAll)
	releaseScript = redis.NewScript(releaseAll)
	pingScript    = redis.NewScript(pingAll)
	holdsScript   = redis.NewScript(holdsAll)
	sweepScript   = redis.NewScript(sweepAll)
)

// inner makes the rest of a script a function. Making functions is most of what
// a script does before it begins, and Lua searches a list for each variable
// that a function uses of the one that makes it, but not for those further out.
func inner(lua string) string { return "return (function()\n" + lua + "\nend)()\n" }

const (
	defaultPrefix = "holdfast"
	marks         = "#=+?^@!" // what fields of the ledger and members of x begin with that are no ids
	batchSize     = 128       // renewals in one script call
	pageSize      = 256       // index members in one page of holds
	sweepSize     = 1000      // expired holds found, returned or forgotten by one script call at most
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
// different prefixes share nothing. "{", "}", ":" and "%" in it are escaped, such as
// "app:eu" to "app%3Aeu"; the empty prefix is the default.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = cmp.Or(escape.Replace(prefix), defaultPrefix) }
}

// New makes a store on client, which stays the caller's to close: a
// *[redis.Client], with or without Sentinel, a *[redis.ClusterClient], or any
// other that takes scripts. It does no I/O.
//
// Calls end when their ctx does, whatever the client's own timeouts. A client
// with Options.ContextTimeoutEnabled spares the store a goroutine a round trip.
//
// Nil options are skipped. Of a nil client it makes a store that answers every
// call with an error that wraps [lock.ErrInvalid].
func New(client redis.UniversalClient, opts ...Option) *Store {
	missing := errNoClient
	if _, ring := client.(*redis.Ring); ring {
		client, missing = nil, errRing
	}
	s := &Store{caller: rediscall.New(client, missing), prefix: defaultPrefix}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	s.inbox = newInbox(s.caller, s.prefix)
	return s
}

// Callers returns the contexts of the calls that share a pipeline, for a hook of
// the client that links traces. Its ctx has the values of the first of them.
// Callers returns nil when ctx is that of a single call.
func Callers(ctx context.Context) []context.Context { return rediscall.Callers(ctx) }

var (
	errNoClient = fmt.Errorf("%w: redislock.New needs a client", lock.ErrInvalid)
	errRing     = fmt.Errorf("%w: redislock.New with a *redis.Ring, whose shards have the inbox of a group elsewhere than its keys", lock.ErrInvalid)
)

// Acquire grants all parts of c or none, in one round trip. A claim that waits
// queues up in the same step once the store has an inbox for its grant, which
// the first [Store.Wait] opens.
func (s *Store) Acquire(ctx context.Context, c lock.StoreClaim) (lock.StoreGrant, error) {
	parts := slices.Collect(c.Resource.Parts())
	if err := check(c, parts); err != nil {
		return lock.StoreGrant{}, err
	}
	kind := digit(parts[0])
	if len(parts) == 1 && parts[0].Kind() == lock.Whole && parts[0].Size() == 1 && !parts[0].IsShared() && capacity(c, 0) == 1 {
		kind = sole
	}
	ttl, longest := millis(c.TTL), millis(c.MaxHold)
	if longest > 0 {
		ttl = min(ttl, longest)
	}
	keys := s.keys(c.Space, c.Group)
	way, latest := s.inbox.way(c, keys)
	args := make([]any, 0, 9+2*len(parts))
	id := &rediscall.Tries{Text: c.ID}
	args = append(args, id, ttl, longest, millis(c.KeepAtLeast), max(c.Limit, 0), head(c, kind, parts), tail(c), way, latest)
	for i, p := range parts {
		if i > 0 {
			kind = digit(p)
		}
		args = append(args, member(kind, p), min(int64(capacity(c, i)), lock.MaxBound))
	}
	sent := time.Now()
	answer, err := s.caller.Run(ctx, acquireScript, keys, args...)
	var g lock.StoreGrant
	var now int64
	if err == nil {
		g, now, err = granted(answer, c, parts)
	}
	if err != nil {
		return lock.StoreGrant{}, failure("acquire", err)
	}
	g.Once = id.Sent == 1
	if c.Queue {
		s.inbox.answered(c, keys, g, pair{sent: sent, received: time.Now(), server: now})
	}
	return g, nil
}

// capacity is that of the name of a claim's part.
func capacity(c lock.StoreClaim, part int) int {
	if part >= len(c.Capacity) {
		return 1
	}
	return max(c.Capacity[part], 0)
}

// granted reads the answer to a claim, and the server's time in it, in
// milliseconds, 0 from the quick path.
func granted(answer any, c lock.StoreClaim, parts []lock.Resource) (g lock.StoreGrant, now int64, err error) {
	if stamp, quick := answer.(string); quick {
		g, err = stamped(stamp, c)
		return g, 0, err
	}
	r := open(answer)
	g.Status = r.status()
	r.clock()
	if g.Status == lock.StatusMissing {
		return g, r.now.UnixMilli(), r.err()
	}
	expired := r.list()
	g.Expired = expired.holds()
	r.join(expired)
	if g.Status == lock.StatusGranted {
		one := r.list()
		g.Hold, _ = one.hold(c.Resource)
		r.join(one)
	} else {
		g.Retry, g.Place, g.Full = r.millis(), int(next[int64](r)), next[int64](r) == 1
		g.Conflicts = r.conflicts(parts)
	}
	return g, r.now.UnixMilli(), r.err()
}

// stamped is the grant of the quick path, whose answer has only what the
// server decided.
func stamped(stamp string, c lock.StoreClaim) (lock.StoreGrant, error) {
	r := reader{rest: stamp}
	h := lock.Hold{ID: c.ID, Holder: c.Holder, Reason: c.Reason, Resource: c.Resource, Details: maps.Clone(c.Details)}
	r.stamp(&h)
	if r.bad || r.rest != "" {
		return lock.StoreGrant{}, errMalformed
	}
	h.Left = time.Duration(millis(c.TTL)) * time.Millisecond
	if c.MaxHold > 0 {
		h.Left = min(h.Left, time.Duration(millis(c.MaxHold))*time.Millisecond)
	}
	h.ExpiresAt = h.AcquiredAt.Add(h.Left)
	return lock.StoreGrant{Hold: h}, nil
}

// check refuses what the format cannot hold. A [lock.Manager] never sends that.
func check(c lock.StoreClaim, parts []lock.Resource) error {
	if len(parts) == 0 || c.Name != parts[0].Name() || c.ID == "" || strings.ContainsAny(c.ID[:1], marks) || strings.ContainsAny(c.ID, "\x00 ") {
		return fmt.Errorf("redislock: acquire: %w: cannot store a claim of %s with the id %q and the name %q", lock.ErrInvalid, c.Resource, c.ID, c.Name)
	}
	for _, p := range parts {
		if err := storable(p); err != nil {
			return err
		}
	}
	return nil
}

func storable(p lock.Resource) error {
	from, to := p.Bounds()
	if p.Name() == "" || strings.ContainsRune(p.Name(), 0) || p.Kind() > 9 ||
		from < lock.MinBound || to > lock.MaxBound || from >= to ||
		p.Size() < 1 || int64(p.Size()) > math.MaxInt32 {
		return fmt.Errorf("redislock: acquire: %w: cannot store %s", lock.ErrInvalid, p)
	}
	return nil
}

// conflicts reads which hold is in the way of which part, in the order of the parts
// and of what is held.
func (r *reply) conflicts(parts []lock.Resource) []lock.Conflict {
	var conflicts []lock.Conflict
	named := r.list()
	for named.more() {
		one := named.list()
		part, m := next[int64](one), next[string](one)
		held, err := partOf(m)
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

// failure wraps an error of the client with what was attempted, and with
// [lock.ErrPermanent] when waiting does not mend it.
func failure(what string, err error) error {
	if errors.Is(err, redis.ErrClosed) || errors.Is(err, errMalformed) ||
		slices.ContainsFunc([]string{"NOAUTH", "Protocol error: unauthenticated", "WRONGPASS", "NOPERM", "The user executing the script", "ACL failure", "malformed", "this id"}, func(prefix string) bool {
			return redis.HasErrorPrefix(err, prefix)
		}) {
		return fmt.Errorf("redislock: %s: %w: %w", what, lock.ErrPermanent, err)
	}
	return fmt.Errorf("redislock: %s: %w", what, err)
}

// millis is a duration in whole milliseconds, at least one if it is positive.
func millis(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(d.Milliseconds(), 1)
}
