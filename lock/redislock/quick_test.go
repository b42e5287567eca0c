// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/lock"
)

// instead has a client call other scripts.
type instead map[string]string // hash for hash

func (instead) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (s instead) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); args[0] == "evalsha" && s[args[1].(string)] != "" {
			args[1] = s[args[1].(string)]
		}
		return next(ctx, cmd)
	}
}

func (instead) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func load(client *redis.Client, script string) (hash string) {
	return client.ScriptLoad(context.Background(), script).Val()
}

// With the clock at the same time, the quick paths give the same answers as
// the scripts that they stand in for, and leave the same behind.
func TestTheQuickPathsDoWhatTheGeneralScriptsDo(t *testing.T) {
	seeds := uint64(4)
	if os.Getenv("HOLDFAST_LONG") != "" {
		seeds = 100
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			quick, general := newPath(t), newPath(t)
			general.client.AddHook(instead{
				acquireScript.Hash(): load(general.client, headLua+inner(recordLua+inner(waitLua+acquireLua))),
				releaseScript.Hash(): load(general.client, headLua+inner(recordLua+inner(waitLua+releaseLua))),
			})
			random := rand.New(rand.NewPCG(seed, 0))
			var claims []lock.StoreClaim
			for step := range 200 {
				time.Sleep(time.Duration(random.IntN(20)) * 10_003 * time.Microsecond) // hardly ever with a ping
				if random.IntN(16) == 0 {
					time.Sleep(6 * time.Second) // so that the group rests
				}
				c, what := lock.StoreClaim{}, random.IntN(5)
				if len(claims) == 0 || what < 2 {
					c = quick.claim(lock.Key(string("abc"[random.IntN(3)])), time.Duration(1+random.IntN(5))*time.Second)
					if random.IntN(10) == 0 {
						c.Name, c.Resource = "a", lock.Span("a", 1, 3)
					}
					if random.IntN(4) == 0 {
						c.MaxHold = 2 * time.Second
					}
					c.Queue, c.Limit = random.IntN(4) > 0, random.IntN(3)
					claims = append(claims, c)
				} else {
					c = claims[max(len(claims)-1-random.IntN(12), 0)]
				}
				if random.IntN(2) == 0 {
					c.Until = time.Now().Add(time.Duration(random.IntN(3)) * time.Second)
				}
				c.Again = random.IntN(4) == 0
				got, want := quick.step(what, c), general.step(what, c)
				synctest.Wait()
				if got != want {
					t.Fatalf("seed %d, step %d (%d of %s): quick answers\n%s\ngeneral\n%s", seed, step, what, c.ID, got, want)
				}
				for _, key := range append(quick.endless(), general.endless()...) {
					t.Fatalf("seed %d, step %d (%d of %s): %s lives for ever, or less than a hold", seed, step, what, c.ID, key)
				}
				for _, field := range append(quick.stray(), general.stray()...) {
					t.Fatalf("seed %d, step %d (%d of %s): nothing needs the field %q of the ledger", seed, step, what, c.ID, field)
				}
				if got, want := quick.left(), general.left(); got != want {
					t.Fatalf("seed %d, step %d (%d of %s): quick leaves\n%s\ngeneral\n%s", seed, step, what, c.ID, got, want)
				}
			}
		})
	}
}

// path is a store of its own server, whose inbox is open.
type path struct{ *rig }

func newPath(t *testing.T) path {
	client, _ := redistest.Virtual(t)
	p := path{newRig(t, client)}
	if err := p.Store.inbox.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Store.inbox.feed.Use() // so that it stays open
	return p
}

func (p path) step(what int, c lock.StoreClaim) string {
	p.Helper()
	switch what {
	case 3:
		c.Fence = 1
		return fmt.Sprint(p.release(c.StoreTicket))
	case 4:
		g := p.extend(lock.StoreRenewal{StoreTicket: c.StoreTicket, TTL: c.TTL, Confirm: true})[0]
		return fmt.Sprint(g.Status, g.Hold.Fence, g.Hold.Left)
	}
	g := p.ask(c)
	s := fmt.Sprint(g.Status, g.Hold.Fence, g.Hold.Left, g.Hold.AcquiredAt, g.Retry, g.Place, g.Full)
	for _, conflict := range g.Conflicts {
		s += fmt.Sprint(conflict)
	}
	return s
}

// left is what the server keeps, without the endings, and without the notes of
// when something is due, which may lag behind, and of how long the keys live.
func (p path) left() string {
	keys, ctx := p.keys("rooms", "hotel"), p.Context()
	ledger := p.client.HGetAll(ctx, keys[1]).Val()
	delete(ledger, "#due")
	delete(ledger, "#until")
	var s strings.Builder
	for _, field := range slices.Sorted(maps.Keys(ledger)) {
		fmt.Fprintf(&s, "%s: %q\n", field, ledger[field])
	}
	fmt.Fprintf(&s, "%q\n%v\n", p.client.ZRange(ctx, keys[0], 0, -1).Val(), p.client.ZRangeByScoreWithScores(ctx, keys[2], &redis.ZRangeBy{Min: "0", Max: "+inf"}).Val())
	fmt.Fprintf(&s, "%v\n%q\n", p.client.ZRangeWithScores(ctx, keys[3], 0, -1).Val(), p.client.ZRange(ctx, keys[4], 0, -1).Val())
	return strings.ReplaceAll(s.String(), p.inbox.feed.Channel(), "its own channel")
}

// endless returns the keys that live for ever, and those that end before a hold.
func (p path) endless() (wrong []string) {
	keys, ctx := p.keys("rooms", "hotel"), p.Context()
	last := p.client.ZRangeByScoreWithScores(ctx, keys[2], &redis.ZRangeBy{Min: "0", Max: "+inf"}).Val()
	for i, key := range keys {
		ttl := p.client.PTTL(ctx, key).Val()
		if ttl == -1 || i < 3 && len(last) > 0 && ttl >= 0 && time.Now().Add(ttl).UnixMilli() < int64(last[len(last)-1].Score) {
			wrong = append(wrong, key)
		}
	}
	return wrong
}

// stray returns the fields of the ledger that belong to no hold, live or not yet
// recorded, and to no one who waits, and the counts of names that are wrong.
func (p path) stray() (fields []string) {
	keys, ctx := p.keys("rooms", "hotel"), p.Context()
	ledger, queue := p.client.HGetAll(ctx, keys[1]).Val(), p.client.ZRange(ctx, keys[4], 0, -1).Val()
	counts := make(map[string]int)
	for _, m := range queue {
		name, _, _ := strings.Cut(m, "\x00")
		counts[name]++
	}
	for field, value := range ledger {
		needed := true
		switch rest := field[1:]; field[0] {
		case '#': // of the group
		case '+':
			needed = value == strconv.Itoa(counts[rest])
		case '?':
			needed = slices.ContainsFunc(queue, func(m string) bool { return m[0] == 0 && strings.HasSuffix(m, "\x00"+rest) })
		case '^':
			needed = ledger["?"+rest] != ""
		default:
			needed = p.client.ZScore(ctx, keys[2], field).Val() > 0 || p.client.ZScore(ctx, keys[3], field).Val() > 0
		}
		if !needed {
			fields = append(fields, field)
		}
	}
	return fields
}

// A quick path that is never taken is noticed by nothing else.
func TestTheUsualTurnsTakeTheQuickPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Real(t).Client(t))
	if err := r.inbox.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{acquireAll, releaseAll, extendAll, pingAll} {
		load(r.client, script)
	}
	lasting, _ := r.take(lock.Key("lasting"), time.Hour)
	waiting := r.claim(lasting.Resource, time.Hour) // so that the room of the group is known
	waiting.Queue = true
	r.ask(waiting)
	for name, kind := range map[string]struct {
		res  lock.Resource
		want map[string]int
	}{
		"key":  {lock.Key("room"), map[string]int{"acquire": 6, "release": 5, "queue": 10, "hand over": 17, "release before it is confirmed": 6}},
		"span": {lock.Span("room", 1, 3), map[string]int{"acquire": 7, "release": 6}},
		"two":  {lock.All(lock.Key("room"), lock.Key("hall")), map[string]int{"acquire": 21, "release": 15}}, // never on a quick path
	} {
		least := make(map[string]int)
		release := func(c lock.StoreClaim) {
			c.Until = time.Now().Add(time.Hour)
			r.release(c.StoreTicket)
		}
		for range 2 {
			measure := func(what string, do func()) {
				calls, _ := r.spent(do)
				if least[what] == 0 || calls < least[what] {
					least[what] = calls
				}
			}
			var c lock.StoreClaim
			measure("acquire", func() { c, _ = r.take(kind.res, time.Hour) })
			measure("release", func() { release(c) })
			if name != "key" {
				continue
			}
			c, _ = r.take(kind.res, time.Hour)
			next := r.claim(kind.res, time.Hour)
			next.Queue = true
			measure("queue", func() { r.ask(next) })
			measure("hand over", func() { release(c) })
			measure("release before it is confirmed", func() { release(next) })
		}
		if !maps.Equal(least, kind.want) {
			t.Errorf("commands of a turn of a %s: %v, want %v", name, least, kind.want)
		}
	}
}

func TestAHoldThatEndsInThisMillisecondIsNotReleased(t *testing.T) {
	virtual(t, func(r *rig) {
		c, g := r.take(lock.Key("room"), 300*time.Millisecond)
		c.Fence, c.Until = g.Hold.Fence, g.Hold.ExpiresAt
		time.Sleep(300 * time.Millisecond)
		if s := r.release(c.StoreTicket); s != lock.StatusMissing {
			r.Errorf("status %d, want missing", s)
		}
	})
}

func TestAHoldThatEndsInThisMillisecondIsReportedByTheNextClaim(t *testing.T) {
	for name, res := range map[string]lock.Resource{"granted": lock.Key("other"), "queued": lock.Key("lasting")} {
		synctest.Test(t, func(t *testing.T) {
			p := newPath(t)
			p.take(lock.Key("lasting"), time.Hour)
			c := p.claim(lock.Key("lasting"), time.Hour)
			c.Queue = true
			p.ask(c) // so that the group is known to the inbox
			ended, _ := p.take(lock.Key("room"), 300*time.Millisecond)
			time.Sleep(300 * time.Millisecond)
			c = p.claim(res, time.Hour)
			c.Queue = name == "queued"
			if g := p.ask(c); len(g.Expired) != 1 || g.Expired[0].ID != ended.ID {
				t.Errorf("%s: %v expired, want %s", name, ids(g.Expired), ended.ID)
			}
		})
	}
}
