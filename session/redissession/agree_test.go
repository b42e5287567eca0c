// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

func TestTheFirstCallOfAProcessWithAnotherNumberOfPartitionsIsAnError(t *testing.T) {
	client, _ := redistest.Virtual(t)
	h := done(t)(New(client).Create(t.Context(), newWrite("x"))).Record.StoreHandle
	for name, call := range map[string]func(*Store) error{
		"Create": func(s *Store) error { _, err := s.Create(t.Context(), newWrite("y")); return err },
		"Load":   func(s *Store) error { _, err := s.Load(t.Context(), session.StoreLoad{StoreHandle: h}); return err },
		"Save":   func(s *Store) error { _, err := s.Save(t.Context(), newWrite("y")); return err },
		"Move":   func(s *Store) error { _, err := s.Move(t.Context(), h, newWrite("y")); return err },
		"Delete": func(s *Store) error {
			_, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{h.Hash}})
			return err
		},
		"List": func(s *Store) (err error) {
			for _, err = range s.List(t.Context(), session.StoreList{Space: space}) {
			}
			return err
		},
		"Claim": func(s *Store) error {
			_, err := s.Claim(t.Context(), session.StoreClaim{Space: space, Max: 1})
			return err
		},
		"Count": func(s *Store) error { _, err := s.Count(t.Context(), space); return err },
		"Quarantined": func(s *Store) (err error) {
			for _, err = range s.Quarantined(t.Context(), space) {
			}
			return err
		},
		"Restore": func(s *Store) error {
			_, err := s.Restore(t.Context(), space, strings.Repeat("00", kept))
			return err
		},
		"of a manager": func(s *Store) error {
			m, err := session.New(s, session.Config[string]{Name: space, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Create(t.Context(), "y")
			return err
		},
	} {
		s := New(client, WithPartitions(32))
		for range 2 { // and each one after it
			if err := call(s); !errors.Is(err, session.ErrInvalid) || !strings.Contains(err.Error(), "16 partitions") {
				t.Errorf("%s: %v, want an error with the number", name, err)
			}
		}
	}
	if n := count(t, New(client)).Active; n != 1 {
		t.Errorf("%d sessions are left, want 1", n)
	}
}

func TestTheNumberOfPartitionsIsAskedForOnce(t *testing.T) {
	client, _ := redistest.Virtual(t)
	h := done(t)(New(client).Create(t.Context(), newWrite("x"))).Record.StoreHandle
	loadScript.Load(t.Context(), client)
	n, s := &trips{t: t}, New(client)
	client.AddHook(n)
	for _, want := range []int{2, 1, 1} {
		n.commands, n.pipelines = 0, 0
		if peek(t, s, h); n.commands != want || n.pipelines != 0 {
			t.Errorf("%d commands and %d pipelines, want %d", n.commands, n.pipelines, want)
		}
	}
}

// between does something before a number of partitions is stored.
type between struct{ do func() error }

func (b *between) DialHook(next redis.DialHook) redis.DialHook { return next }
func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "set") {
			if err := b.do(); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		return next(ctx, cmd)
	}
}

func TestOfTwoFirstCallsOneStoresTheNumberOfPartitions(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *Store, client *redis.Client) {
		broken := errors.New("the line broke")
		for _, c := range []struct {
			do   func() error
			want error
		}{
			{func() error { _, err := New(client, WithPartitions(32)).Count(t.Context(), space); return err }, session.ErrInvalid},
			{func() error { return broken }, broken},
		} {
			client.FlushAll(t.Context())
			own := redis.NewClient(client.Options())
			own.AddHook(&between{c.do})
			for range 2 {
				if _, err := New(own).Count(t.Context(), space); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			}
			_ = own.Close()
		}
	})
}

// What another process has stored counts from the next cleanup on, and a number that
// was evicted is stored anew.
func TestACleanupComparesTheNumberOfPartitionsAndKeepsIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
		done(t)(s.Create(t.Context(), newWrite("x")))
		for range 3 {
			time.Sleep(numberKept - time.Hour)
			claim(t, s, session.StoreClaim{})
		}
		if left := client.TTL(t.Context(), s.numberKey(space)).Val(); left != numberKept {
			t.Errorf("after cleanups the number is kept for %v, want %v", left, numberKept)
		}
		client.Set(t.Context(), s.numberKey(space), "32", 0)
		if _, err := s.Claim(t.Context(), session.StoreClaim{Space: space, Max: 1}); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%v, want ErrInvalid", err)
		}
		client.Del(t.Context(), s.numberKey(space))
		count(t, New(client))
		if number := client.Get(t.Context(), s.numberKey(space)).Val(); number != "16" {
			t.Errorf("stored anew is %q, want 16", number)
		}
	})
}

func TestFullMemoryKeepsNoProcessFromItsFirstCall(t *testing.T) {
	client := redistest.Real(t, "--maxmemory-policy", "noeviction").Client(t)
	h := done(t)(New(client).Create(t.Context(), newWrite("x"))).Record.StoreHandle
	client.Del(t.Context(), New(client).numberKey(space))
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if r := peek(t, New(client), h); r.Status != session.StatusDone {
		t.Errorf("answered %v, want done", r.Status)
	}
}
