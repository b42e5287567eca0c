// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// Sessions in every state are where they were, for processes with the new number.
func TestRepartitionMovesEverything(t *testing.T) {
	for _, c := range []struct{ from, to int }{{16, 32}, {32, 16}, {16, 17}, {1, 256}, {256, 1}, {16, 16}} {
		t.Run(fmt.Sprintf("from %d to %d", c.from, c.to), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
				inhabited(t, New(client, WithPartitions(c.from)), New(client, WithPartitions(c.to)), func(s *Store) {
					n, err := s.Repartition(t.Context(), space)
					if err != nil || n == 0 != (c.from == c.to) {
						t.Fatalf("moved %d, %v", n, err)
					}
				})
				for _, key := range client.Keys(t.Context(), "*").Val() {
					if client.PTTL(t.Context(), key).Val() <= 0 {
						t.Errorf("%q stays for ever", key)
					}
				}
			})
		})
	}
}

func TestRepartitionOnACluster(t *testing.T) {
	client := redistest.ClusterClient(t, redistest.Cluster(t, 3))
	const n = 3 * pageSize // in one index: so many pages
	one, five := New(client, WithPartitions(1)), New(client, WithPartitions(5))
	for i := range n {
		w := newWrite("x")
		w.Hash = newHash(byte(i))
		done(t)(one.Create(t.Context(), w))
	}
	if _, err := five.Repartition(t.Context(), space); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, err := range five.List(t.Context(), session.StoreList{Space: space}) { // each from where its index is
		if got++; err != nil {
			t.Fatal(err)
		}
	}
	if got != n {
		t.Errorf("%d sessions, want %d", got, n)
	}
}

// inhabited fills the space from before, has it change, and looks at it from after.
func inhabited(t *testing.T, before, after *Store, change func(*Store)) {
	const n = 300
	owner := newHash(200)
	live := map[session.Hash]string{}
	for i := range n {
		w := newWrite(fmt.Sprint("live ", i))
		w.Idle = time.Hour
		if w.Hash = newHash(byte(i)); i%10 == 0 {
			w = of(w, owner)
		}
		done(t)(before.Create(t.Context(), w))
		live[w.Hash] = string(w.Payload)
	}
	for i := range 60 {
		w := newWrite("lapsed")
		w.Hash = newHash(byte(i * 4))
		done(t)(before.Create(t.Context(), w))
		if i < 5 {
			damagePayload(t, before, w.StoreHandle)
		}
	}
	time.Sleep(2 * time.Minute)
	left := 60
	for _, d := range claim(t, before, session.StoreClaim{Max: 20, Payload: true, Quarantine: true}).Due {
		if d.Reason == session.ReasonCorrupted { // and in quarantine
			left--
		}
	}
	was := count(t, before)
	aside := len(quarantine(t, before))
	change(after)
	if now := count(t, after); now != was {
		t.Errorf("counted %+v, before %+v", now, was)
	}
	for h, payload := range live {
		r := answered(t)(after.Load(t.Context(), session.StoreLoad{StoreHandle: session.StoreHandle{Space: space, Hash: h}, Touch: true}))
		if string(r.Record.Payload) != payload {
			t.Fatalf("%v %q, want %q", r.Status, r.Record.Payload, payload)
		}
	}
	owned := 0
	for _, err := range after.List(t.Context(), session.StoreList{Space: space, Owner: owner}) {
		if owned++; err != nil {
			t.Fatal(err)
		}
	}
	if owned != n/10 {
		t.Errorf("%d of the owner, want %d", owned, n/10)
	}
	if got := len(quarantine(t, after)); got != aside {
		t.Errorf("%d in quarantine, want %d", got, aside)
	}
	time.Sleep(2 * time.Minute) // the claims run out
	due := 0
	for more := true; more; {
		got := claim(t, after, session.StoreClaim{Payload: true, Quarantine: true})
		due, more = due+len(got.Due), got.More
	}
	if due != left {
		t.Errorf("%d were due, want %d", due, left)
	}
}

func quarantine(t *testing.T, s *Store) (all []session.Quarantined) {
	t.Helper()
	for q, err := range s.Quarantined(t.Context(), space) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, q)
	}
	return all
}

// failing fails the pipeline after so many.
type failing struct {
	redis.Hook
	after int
}

func (f *failing) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (f *failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (f *failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f.after--; f.after == 0 {
			return errors.New("the line broke")
		}
		return next(ctx, cmds)
	}
}

func TestARepartitionThatFailedKeepsProcessesAwayAndCanBeRepeated(t *testing.T) {
	for after := 1; after < 12; after++ {
		inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
			inhabited(t, New(client), New(client, WithPartitions(32)), func(s *Store) {
				client.AddHook(&failing{after: after})
				if _, err := s.Repartition(t.Context(), space); err == nil {
					t.Fatal("the line did not break")
				}
				for _, n := range []int{16, 32} {
					if _, err := New(client, WithPartitions(n)).Count(t.Context(), space); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), changing) {
						t.Errorf("a process with %d partitions: %v", n, err)
					}
				}
				if _, err := s.Repartition(t.Context(), space); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
