// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// A maxmemory policy may take any key, of data or of an index. What is left is
// used, counted when it is used, ended and reported; nothing gets stuck, and no key
// stays for ever.
func TestWhateverIsEvictedTheRestGoesOn(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := redistest.Virtual(t)
				random := rand.New(rand.NewPCG(seed, 1))
				var mu sync.Mutex
				reported, failing := map[string]int{}, true
				m := newManager(t, client, session.Config[note]{
					TouchEvery: -1, MaxPerSubject: 10, WhenFull: session.EvictIdlest,
					OnExpire: func(_ context.Context, e session.Expired[note]) error {
						if failing {
							return errors.New("not yet")
						}
						mu.Lock()
						defer mu.Unlock()
						reported[e.Data.Text]++
						return nil
					},
				})
				ctx := t.Context()
				evict := func() {
					for _, k := range server.Keys() {
						if random.IntN(3) == 0 {
							server.Del(k)
						}
					}
				}
				create := func(name string) *session.Session[note] {
					s, err := m.Create(ctx, note{name}, session.ForSubject(fmt.Sprint("user ", random.IntN(20))))
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				sweep := func() session.Report {
					r, err := m.Sweep(ctx)
					if err != nil {
						t.Fatal(err)
					}
					return r
				}
				for i := range 30 {
					create(fmt.Sprint("early ", i))
				}
				time.Sleep(31 * time.Minute)
				sweep() // claims, retries: the backlog
				var live []*session.Session[note]
				for i := range 100 {
					live = append(live, create(fmt.Sprint("late ", i)))
				}
				evict()
				left := map[string]bool{}
				for _, s := range live {
					got, err := m.Get(ctx, s.ID)
					switch {
					case err == nil:
						left[got.Data.Text] = true
					case !errors.Is(err, session.ErrNotFound):
						t.Fatal(err)
					}
				}
				if n, err := m.Count(ctx); err != nil || n < int64(len(left)) {
					t.Errorf("counted %d, %v, though %d are in use", n, err, len(left))
				}
				early := 0 // set aside, and not lost: one index of two is enough to find them
				for _, k := range server.Keys() {
					slot, rest, _ := strings.Cut(k, "}:")
					if strings.HasPrefix(rest, "e") && (server.Exists(slot+"}:c") || server.Exists(slot+"}:b")) {
						early++
					}
				}
				failing = false
				time.Sleep(31 * time.Minute)
				for !sweep().Complete {
				}
				time.Sleep(time.Minute)
				r := sweep()
				for name := range left {
					if reported[name] != 1 {
						t.Errorf("%s was in use and was reported %d times at its end", name, reported[name])
					}
				}
				if want := len(left) + early; len(reported) < want {
					t.Errorf("reported %d, want the %d in use and the %d of the backlog", len(reported), len(left), early)
				}
				if r.Active != 0 || r.Backlog != 0 {
					t.Errorf("at the end: %+v", r)
				}
				time.Sleep(numberKept)
				if keys := server.Keys(); len(keys) != 0 {
					t.Errorf("keys stay for ever: %q", keys)
				}
			})
		})
	}
}

// A server whose memory is short evicts half of what is there.
func TestUnderEvictionALogOutEverywhereMissesNoSessionUnsaid(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"allkeys-lru", "allkeys-random"} {
		t.Run(policy, func(t *testing.T) { logOutUnderEviction(t, policy) })
	}
}

func logOutUnderEviction(t *testing.T, policy string) {
	client := redistest.Real(t, "--maxmemory", "5mb", "--maxmemory-policy", policy).Client(t)
	m := newManager(t, client, session.Config[note]{})
	ctx := t.Context()
	var all []*session.Session[note]
	for i := range 3000 {
		s, err := m.Create(ctx, note{strings.Repeat("x", 600)}, session.ForSubject(fmt.Sprint("user ", i)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	alive, unsaid, hinted := 0, 0, 0
	for _, s := range all {
		if _, err := m.Peek(ctx, s.ID); err != nil {
			continue
		}
		alive++
		_, err := m.DeleteSubject(ctx, s.Subject)
		_, peek := m.Peek(ctx, s.ID)
		switch {
		case errors.Is(err, session.ErrIncomplete):
			hinted++
		case err != nil:
			t.Fatal(err)
		case peek == nil:
			unsaid++
		}
	}
	if unsaid > 0 || hinted == 0 {
		t.Errorf("of %d live sessions %d survived in silence, and %d answers were uncertain; want none, and some", alive, unsaid, hinted)
	}
}
