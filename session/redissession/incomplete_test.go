// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// indexes has the keys of a partition that a log-out everywhere needs: the index
// of the owner, that of all, and the list of owners.
func indexes(s *Store, owner session.Hash) map[string]string {
	slot := s.slotOf(space, owner)
	return map[string]string{"u": slot.owner(owner), "x": slot.expiry(), "o": string(slot) + "o"}
}

// wantAllOrIncomplete ends all sessions of an owner and fails the test if one is
// left that the answer does not hint at.
func wantAllOrIncomplete(t *testing.T, s *Store, owner session.Hash, all []session.StoreWrite) session.StoreRemoved {
	t.Helper()
	r, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, w := range all {
		if peek(t, s, w.StoreHandle).Status == session.StatusDone {
			left++
		}
	}
	if left > 0 && !r.Incomplete {
		t.Errorf("%d of %d sessions are left, and nothing says so", left, len(all))
	}
	return r
}

// Whatever Redis evicted of the indexes, and whatever happened since.
func TestALogOutEverywhereFindsAllSessionsOrSaysThatItMayNotHave(t *testing.T) {
	steps := map[string]func(*testing.T, *Store, []session.StoreWrite) []session.StoreWrite{
		"nothing": func(_ *testing.T, _ *Store, all []session.StoreWrite) []session.StoreWrite { return all },
		"one is used": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: all[1].StoreHandle, Touch: true}))
			return all
		},
		"one begins": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			w := of(newWrite("x"), all[0].Owner)
			done(t)(s.Create(t.Context(), w))
			return append(all, w)
		},
		"one ends": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{all[2].Hash}}); err != nil {
				t.Fatal(err)
			}
			return all
		},
		"one begins and ends": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			w := of(newWrite("x"), all[0].Owner)
			done(t)(s.Create(t.Context(), w))
			if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{w.Hash}}); err != nil {
				t.Fatal(err)
			}
			return all
		},
		"another owner's begins": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			done(t)(s.Create(t.Context(), of(newWrite("x"), newHash(7))))
			return all
		},
		"one without an owner begins": func(t *testing.T, s *Store, all []session.StoreWrite) []session.StoreWrite {
			done(t)(s.Create(t.Context(), newWrite("x")))
			return all
		},
	}
	for _, lost := range []string{"", "u", "o", "x", "uo", "ux", "xo"} {
		for name, step := range steps {
			t.Run(fmt.Sprintf("lost %q, %s", lost, name), func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
					owner := newHash(7)
					var all []session.StoreWrite
					for range 3 {
						all = append(all, of(newWrite("x"), owner))
						done(t)(s.Create(t.Context(), all[len(all)-1]))
						time.Sleep(time.Second)
					}
					for letter, key := range indexes(s, owner) {
						if strings.Contains(lost, letter) {
							client.Del(t.Context(), key)
						}
					}
					all = step(t, s, all)
					r := wantAllOrIncomplete(t, s, owner, all)
					wantAllOrIncomplete(t, s, owner, all) // as one does after an error
					w := of(newWrite("x"), owner)
					done(t)(s.Create(t.Context(), w))
					wantAllOrIncomplete(t, s, owner, append(all, w))
					if lost == "" && r.Incomplete {
						t.Error("sessions may be missing, it says, although nothing was lost")
					}
					if lost == "u" && !r.Incomplete {
						t.Error("nothing says that the index was lost")
					}
				})
			})
		}
	}
}

// As while the slot of the partition moves to another server, where they come key by
// key: the index is there, and the records come later.
func TestSessionsThatHaveNotComeYetAreNotTakenForEnded(t *testing.T) {
	for _, list := range []bool{true, false} { // whether the list of owners is there
		t.Run(fmt.Sprint("list of owners: ", list), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
				owner := newHash(7)
				var all []session.StoreWrite
				away := map[string]string{}
				for range 100 { // more than one script removes
					w := of(newWrite("x"), owner)
					done(t)(s.Create(t.Context(), w))
					all = append(all, w)
					away[key(s, w.StoreHandle)] = client.Get(t.Context(), key(s, w.StoreHandle)).Val()
					client.Del(t.Context(), key(s, w.StoreHandle))
				}
				o := indexes(s, owner)["o"]
				owners := client.ZRangeWithScores(t.Context(), o, 0, -1).Val()
				if !list {
					client.Del(t.Context(), o)
				}
				for range 3 {
					if r, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner}); err != nil || !r.Incomplete {
						t.Errorf("before they come: %+v, %v, want incomplete", r, err)
					}
				}
				for k, raw := range away {
					client.Set(t.Context(), k, raw, time.Hour)
				}
				if !list {
					client.ZAdd(t.Context(), o, owners...)
				}
				for more := true; more; {
					r, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner})
					if more = r.More; err != nil {
						t.Fatal(err)
					}
				}
				wantAllOrIncomplete(t, s, owner, all)
			})
		})
	}
}

// The warning ends with the last session that can be missing.
func TestALostIndexIsWholeAgainOnceTheSessionsWereUsedOrExpired(t *testing.T) {
	for _, lost := range []string{"u", "o"} {
		inVirtualTime(t, func(t *testing.T, s *Store, client *redis.Client) {
			owner := newHash(7)
			used, idle := of(newWrite("x"), owner), of(newWrite("x"), owner)
			used.Total = 0
			for _, w := range []session.StoreWrite{used, idle} {
				done(t)(s.Create(t.Context(), w))
			}
			client.Del(t.Context(), indexes(s, owner)[lost])
			for range 6 * 60 {
				time.Sleep(30 * time.Second)
				done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: used.StoreHandle, Touch: true}))
			}
			if r := wantAllOrIncomplete(t, s, owner, []session.StoreWrite{used, idle}); r.Incomplete || len(r.Removed) != 1 {
				t.Errorf("%q was lost three hours ago: ended %+v, want the one that is left and no warning", lost, r)
			}
		})
	}
}

// In any schedule, sessions of three subjects begin, are used, rotate, log in, end,
// expire and are evicted with their indexes.
func TestInAnyScheduleALogOutEverywhereFindsAllOrSaysSo(t *testing.T) {
	for seed := range uint64(15) {
		synctest.Test(t, func(t *testing.T) {
			client, server := redistest.Virtual(t)
			evicts := seed%3 != 0
			m, err := session.New(New(client, WithPartitions(2)), session.Config[note]{Name: space, Timeout: time.Minute, TouchEvery: -1, MaxPerSubject: 4})
			if err != nil {
				t.Fatal(err)
			}
			s := &schedule{T: t, m: m, random: rand.New(rand.NewPCG(seed, 7)), owners: map[string][]*session.Session[note]{}}
			for range 120 {
				s.step()
				if evicts && s.random.IntN(6) == 0 {
					s.evict(server)
				}
				if s.random.IntN(12) == 0 {
					if err := s.logOut(); err != nil && !evicts {
						t.Errorf("seed %d: %v, although nothing was evicted", seed, err)
					}
				}
				time.Sleep(time.Duration(s.random.IntN(400)) * time.Second)
			}
		})
	}
}

type schedule struct {
	*testing.T
	m      *session.Manager[note]
	random *rand.Rand
	owners map[string][]*session.Session[note]
}

func (s *schedule) subject() string { return fmt.Sprint("user ", s.random.IntN(3)) }

// step does one thing. Sessions may be gone, which is no matter here.
func (s *schedule) step() {
	ctx, who := s.Context(), s.subject()
	all := s.owners[who]
	if len(all) == 0 || s.random.IntN(3) == 0 {
		if visit, err := s.m.Create(ctx, note{"x"}); err == nil && s.m.Bind(ctx, visit, who) == nil {
			s.owners[who] = append(all, visit)
		}
		return
	}
	one := all[s.random.IntN(len(all))]
	switch s.random.IntN(6) {
	case 0:
		_ = s.m.Rotate(ctx, one)
	case 1:
		_ = s.m.Delete(ctx, one.ID)
	case 2:
		_, _ = s.m.Sweep(ctx)
	case 3:
		_, _ = s.m.Create(ctx, note{"visitor"})
	default:
		_, _ = s.m.Get(ctx, one.ID)
	}
}

// evict takes some keys, but never the last of x and o of a partition: that of the two
// which was evicted before may not be back yet.
func (s *schedule) evict(server *miniredis.Miniredis) {
	other := map[string]string{"x": "o", "o": "x"}
	for _, k := range server.Keys() {
		slot, index, _ := strings.Cut(k, "}:")
		if last := other[index] != "" && !server.Exists(slot+"}:"+other[index]); !last && s.random.IntN(3) == 0 {
			server.Del(k)
		}
	}
	for range 8 {
		_, _ = s.m.Create(s.Context(), note{"visitor"})
	}
}

func (s *schedule) logOut() error {
	who := s.subject()
	n, err := s.m.DeleteSubject(s.Context(), who)
	if err != nil && !errors.Is(err, session.ErrIncomplete) {
		s.Fatal(err)
	}
	left := 0
	for _, one := range s.owners[who] {
		if _, err := s.m.Peek(context.WithoutCancel(s.Context()), one.ID); err == nil {
			left++
		}
	}
	if err == nil && left > 0 {
		s.Errorf("after %d were ended, %d are left, and nothing says so", n, left)
	}
	if err == nil {
		s.owners[who] = nil
	}
	return err
}
