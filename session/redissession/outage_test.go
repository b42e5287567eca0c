// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// everyCall makes each call of a store once and returns the errors.
func everyCall(ctx context.Context, s *Store) map[string]error {
	w := newWrite("secret")
	from := session.StoreHandle{Space: space, Hash: newHash(8)}
	errs := map[string]error{}
	_, errs["Create"] = s.Create(ctx, w)
	_, errs["Load"] = s.Load(ctx, session.StoreLoad{StoreHandle: w.StoreHandle})
	_, errs["Save"] = s.Save(ctx, w)
	_, errs["Move within"] = s.Move(ctx, w.StoreHandle, w)
	_, errs["Move"] = s.Move(ctx, from, w)
	w.CreatedAt = time.Unix(1, 0)
	_, errs["Move across"] = s.Move(ctx, from, w)
	_, errs["retire"] = s.retire(ctx, from, w)
	_, errs["movedBefore"] = s.movedBefore(ctx, from, w)
	_, errs["corrupted"] = s.corrupted(ctx, from, 1, false)
	_, errs["Delete"] = s.Delete(ctx, session.StoreRemove{Space: space, Handles: []session.Hash{w.Hash, from.Hash}})
	for _, err := range s.List(ctx, session.StoreList{Space: space, Owner: w.Hash}) {
		errs["List"] = err
	}
	_, _, errs["listSome"] = s.listSome(ctx, s.slotOf(space, w.Hash), session.StoreList{Space: space, Owner: w.Hash}, []string{"one"})
	_, errs["Count"] = s.Count(ctx, space)
	_, errs["Claim"] = s.Claim(ctx, session.StoreClaim{Space: space, Max: 1})
	_, _, errs["claimIn"] = s.claimIn(ctx, 1, 1, session.StoreClaim{Space: space}, &session.StoreClaimed{})
	errs["Settle"] = s.settle(ctx, space, []session.StoreSettle{{StoreHandle: w.StoreHandle}})
	return errs
}

// A client without ContextTimeoutEnabled, the default, ignores the caller's
// deadline during I/O.
func TestCallsEndWithTheirContextThoughTheServerHangs(t *testing.T) {
	for _, obedient := range []bool{true, false} {
		client := redis.NewClient(&redis.Options{
			Addr: "127.0.0.1:0", ContextTimeoutEnabled: obedient, ReadTimeout: time.Minute, MaxRetries: -1,
			Dialer: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() { // reads, and never answers
					buf := make([]byte, 1024)
					for {
						if _, err := there.Read(buf); err != nil {
							return
						}
					}
				}()
				return here, nil
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		start := time.Now()
		_, err := New(client).Load(ctx, session.StoreLoad{StoreHandle: newWrite("x").StoreHandle})
		took := time.Since(start)
		cancel()
		var timeout net.Error
		if !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &timeout) && timeout.Timeout()) {
			t.Errorf("obedient %v: failed with %v, want a timeout", obedient, err)
		}
		if took > 5*time.Second {
			t.Errorf("obedient %v: took %v with a deadline of 30 ms", obedient, took)
		}
		_ = client.Close()
	}
}

func TestEveryCallFailsWithTheCauseWhenRedisIsGone(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 1}) // dials once
	t.Cleanup(func() { _ = client.Close() })
	s := New(client)
	done(t)(s.Create(t.Context(), newWrite("x")))
	server.Kill()
	for name, err := range everyCall(t.Context(), s) {
		if err == nil {
			t.Errorf("%s answered without a server", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s contains the payload: %v", name, err)
		}
	}
}

// strange answers every script with something that no script says.
type strange struct {
	trips
	reply any
}

func (h *strange) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if c, ok := cmd.(*redis.Cmd); ok {
			c.SetVal(h.reply)
		}
		if c, ok := cmd.(*redis.StringSliceCmd); ok {
			c.SetVal([]string{"a member"})
		}
		return nil
	}
}

func (h *strange) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			switch c := cmd.(type) {
			case *redis.Cmd:
				c.SetVal(h.reply)
			case *redis.ZSliceCmd:
				c.SetVal([]redis.Z{{Score: 1, Member: "a member"}})
			}
		}
		return nil
	}
}

// A proxy or a foreign server may answer anything: that is an error, and never
// a panic or a session.
func TestStrangeRepliesAreErrors(t *testing.T) {
	deletes := []string{"Delete", "corrupted", "Settle"} // any reply but a number means none
	for _, reply := range []any{
		nil, int64(1), "OK", []any{}, []any{"done"}, []any{"who", "", int64(0), int64(0)}, []any{"done", "rubbish", int64(0), int64(0)},
		[]any{int64(1), int64(0), int64(0), "x"}, []any{int64(1), int64(0), int64(0), []any{"idle", "h", int64(1), "rubbish"}},
		[]any{int64(1), int64(0), int64(0), []any{"who", "h", int64(1), ""}},
	} {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
		client.AddHook(&strange{trips: trips{t: t}, reply: reply})
		for name, err := range everyCall(t.Context(), New(client)) {
			list, _ := reply.([]any)
			fits := name == "Claim" || name == "claimIn" || name == "Count" && len(list) == 4 || (name == "List" || name == "listSome") && len(list) == 1
			if err == nil && !fits && !strings.Contains(strings.Join(deletes, " "), name) {
				t.Errorf("%s took %q for an answer", name, reply)
			}
		}
		_ = client.Close()
	}
}
