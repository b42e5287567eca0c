// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
					if err := increment(t, s, w.StoreHandle); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := string(peek(t, stores[1], w.StoreHandle).Record.Payload); got != strconv.Itoa(workers*each) {
			t.Errorf("%d increments made %s", workers*each, got)
		}
	})
}

// increment adds one to the number in a record, again until no one was
// quicker.
func increment(t *testing.T, s *Store, h session.StoreHandle) error {
	r, err := s.Load(t.Context(), session.StoreLoad{StoreHandle: h})
	for err == nil {
		n, _ := strconv.Atoi(string(r.Record.Payload))
		if r, err = s.Save(t.Context(), next(r, strconv.Itoa(n+1))); r.Status == session.StatusDone {
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
				if r, err := s.Create(t.Context(), w); err != nil || r.Status != session.StatusDone {
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
		stray := newWrite("without an owner")
		stray.Hash[0] = owner[0]
		done(t)(s.Create(t.Context(), stray))
		client.ZAdd(t.Context(), s.slotOf(space, owner).owner(owner), redis.Z{Score: 1e15, Member: string(stray.Hash[:])})
		seen := map[session.Hash]bool{}
		for rec, err := range s.List(t.Context(), session.StoreList{Space: space, Owner: owner}) {
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

func TestAListIsWholeThoughItsRecordsAreDeletedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		m, err := session.New(New(client, WithPartitions(1)), session.Config[note]{Name: space, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for name, end := range map[string]func() error{
			"All": func() error {
				for s, err := range m.All(t.Context()) {
					if err := errors.Join(err, m.Delete(t.Context(), s.ID)); err != nil {
						return err
					}
				}
				return nil
			},
			"DeleteAll": func() error { _, err := m.DeleteAll(t.Context()); return err },
		} {
			for range 300 {
				if _, err := m.Create(t.Context(), note{"x"}); err != nil {
					t.Fatal(err)
				}
			}
			err := end()
			if n, count := m.Count(t.Context()); n != 0 || errors.Join(err, count) != nil {
				t.Errorf("%s left %d of 300: %v", name, n, errors.Join(err, count))
			}
		}
	})
}

// A process that kept what it has read would serve it after the logout.
func TestALogoutHoldsAtOnceInEveryProcess(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		here, there := newManager(t, client, session.Config[note]{}), newManager(t, client, session.Config[note]{})
		for name, logout := range map[string]func(session.ID) error{
			"Delete":        func(id session.ID) error { return there.Delete(ctx, id) },
			"DeleteSubject": func(session.ID) error { _, err := there.DeleteSubject(ctx, "ann"); return err },
		} {
			s, err := here.Create(ctx, note{"x"}, session.ForSubject("ann"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := here.Get(ctx, s.ID); err != nil {
				t.Fatal(err)
			}
			if err := logout(s.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := here.Get(ctx, s.ID); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("after %s elsewhere the session is served here: %v", name, err)
			}
		}
	})
}

// A process that timed the sessions it has seen would end those that are in
// use in another.
func TestASessionInUseElsewhereIsNotEndedHere(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		ctx, ended := t.Context(), 0
		cfg := session.Config[note]{
			IdleTimeout: 10 * time.Minute,
			OnExpire:    func(context.Context, session.Expired[note]) error { ended++; return nil },
		}
		here, there := newManager(t, client, cfg), newManager(t, client, cfg)
		s, err := here.Create(ctx, note{"x"})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(9 * time.Minute)
			if _, err := there.Get(ctx, s.ID); err != nil {
				t.Fatalf("the session in use is gone: %v", err)
			}
			if _, err := here.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if ended != 0 {
			t.Errorf("reported %d expiries of a session in use, want none", ended)
		}
	})
}

// Whoever sends an id that we did not give out must not choose a key by it.
func TestAForgedIDNeverBecomesAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		m := newManager(t, client, session.Config[note]{})
		forged, err := session.ParseID(strings.Repeat("A", 43))
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"Get":    func() error { _, err := m.Get(ctx, forged); return err },
			"Touch":  func() error { _, err := m.Touch(ctx, forged); return err },
			"Save":   func() error { return m.Save(ctx, &session.Session[note]{ID: forged, Data: note{"x"}}) },
			"Rotate": func() error { return m.Rotate(ctx, &session.Session[note]{ID: forged}) },
			"Bind":   func() error { return m.Bind(ctx, &session.Session[note]{ID: forged}, "ann") },
			"Update": func() error { _, err := m.Update(ctx, forged, func(*note) error { return nil }); return err },
			"Exclusive": func() error {
				return m.Exclusive(ctx, forged, func(context.Context, *session.Session[note]) error { return nil })
			},
		} {
			if err := call(); err == nil {
				t.Errorf("%s of a forged id succeeded", name)
			}
			if keys := client.Keys(ctx, "*}:*").Val(); len(keys) != 0 {
				t.Errorf("%s of a forged id wrote %q", name, keys)
			}
		}
	})
}
