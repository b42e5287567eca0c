// SPDX-License-Identifier: MIT

package redissession

import (
	"strconv"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
)

func TestTwoStoresOnOneServerLoseNoUpdate(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		const workers, each = 8, 20
		stores := []*Store{New(client), New(client)}
		w := newWrite("0")
		done(t)(stores[0].Create(t.Context(), w))
		var wg sync.WaitGroup
		for i := range workers {
			s := stores[i%2]
			wg.Go(func() {
				for range each {
					if err := increment(t, s, w.Handle); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := string(peek(t, stores[1], w.Handle).Record.Payload); got != strconv.Itoa(workers*each) {
			t.Errorf("%d increments made %s", workers*each, got)
		}
	})
}

// increment adds one to the number in a record, again until nobody was
// quicker.
func increment(t *testing.T, s *Store, h session.Handle) error {
	r, err := s.Load(t.Context(), session.Load{Handle: h})
	for err == nil {
		n, _ := strconv.Atoi(string(r.Record.Payload))
		if r, err = s.Save(t.Context(), next(r, strconv.Itoa(n+1))); r.Status == session.Done {
			return err
		}
	}
	return err
}

func TestAnOwnersLimitHoldsForAllStores(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		owner := newHash(3)
		var wg sync.WaitGroup
		for range 12 {
			s := New(client)
			wg.Go(func() {
				w := of(newWrite("x"), owner)
				w.MaxPerOwner, w.WhenFull = 5, session.EvictOldest
				if r, err := s.Create(t.Context(), w); err != nil || r.Status != session.Done {
					t.Errorf("answered %v, %v", r.Status, err)
				}
			})
		}
		wg.Wait()
		if c := count(t, New(client)); c.Active != 5 {
			t.Errorf("counted %+v, want 5 active", c)
		}
	})
}

func TestListYieldsAllOfALongList(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner := New(client), newHash(3)
		for range 2*listBatch + 5 {
			done(t)(s.Create(t.Context(), of(newWrite("x"), owner)))
		}
		stray := newWrite("of nobody")
		stray.Hash[0] = owner[0]
		done(t)(s.Create(t.Context(), stray))
		client.ZAdd(t.Context(), s.slotOf(space, owner).owner(owner), redis.Z{Score: 1e15, Member: string(stray.Hash[:])})
		seen := map[session.Hash]bool{}
		for rec, err := range s.List(t.Context(), space, owner) {
			if err != nil {
				t.Fatal(err)
			}
			seen[rec.Hash] = true
		}
		if len(seen) != 2*listBatch+5 || seen[stray.Hash] {
			t.Errorf("listed %d, stray %v; want %d and not the stray", len(seen), seen[stray.Hash], 2*listBatch+5)
		}
	})
}
