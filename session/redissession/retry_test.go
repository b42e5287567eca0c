// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// lossy breaks its connection instead of handing out the next reply, once:
// the server has done its work, and the client sends the command again.
type lossy struct {
	net.Conn
	drop *atomic.Bool
}

func (c lossy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.drop.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}

// listening returns the address of a miniredis.
func listening(t *testing.T) string {
	_, m := redistest.Virtual(t)
	m.Start()
	return m.Addr()
}

func TestARetryAfterALostReplyIsTheSameCall(t *testing.T) {
	servers := map[string]func(t *testing.T) (addr string){
		"miniredis":    listening,
		"redis-server": func(t *testing.T) string { return redistest.Real(t).Addr },
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			var drop atomic.Bool
			client := redis.NewClient(&redis.Options{
				Addr: server(t), ContextTimeoutEnabled: true, PoolSize: 1,
				Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
					conn, err := net.Dial(network, addr)
					return lossy{conn, &drop}, err
				},
			})
			t.Cleanup(func() { _ = client.Close() })
			loseEachReply(t, New(client), client, &drop)
		})
	}
}

// Others save while the client waits before it asks again. What became of the
// first try is reported, as long as the record remembers; and then that no one
// knows, which is not a conflict: after one the caller would do it again.
func TestARetryAfterOthersSavedIsTheSameSaveOrUnknown(t *testing.T) {
	for name, lease := range map[string]string{"Save": "", "Save that frees the lease": "anna"} {
		for k := range 8 {
			t.Run(fmt.Sprintf("%s, %d others", name, k), func(t *testing.T) {
				direct := redis.NewClient(&redis.Options{Addr: listening(t)})
				t.Cleanup(func() { _ = direct.Close() })
				others := New(direct)
				var drop atomic.Bool
				var meanwhile func()
				client := redis.NewClient(&redis.Options{
					Addr: direct.Options().Addr, ContextTimeoutEnabled: true, PoolSize: 1,
					Dialer: func(_ context.Context, network, addr string) (net.Conn, error) {
						if meanwhile != nil {
							meanwhile()
						}
						conn, err := net.Dial(network, addr)
						return lossy{conn, &drop}, err
					},
				})
				t.Cleanup(func() { _ = client.Close() })
				s := New(client)
				created := done(t)(s.Create(t.Context(), newWrite("0")))
				warm := done(t)(s.Save(t.Context(), next(created, "1")))
				if lease != "" {
					done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: warm.Record.StoreHandle, Lease: lease, LeaseFor: time.Minute}))
				}
				w := next(warm, "mine")
				w.Lease, w.Free = lease, lease != ""
				theirs := session.StoreReply{}
				meanwhile = func() {
					meanwhile = nil
					theirs = peek(t, others, w.StoreHandle)
					for range k {
						theirs = done(t)(others.Save(t.Context(), next(theirs, "theirs")))
					}
				}
				drop.Store(true)
				r, err := s.Save(t.Context(), w)
				if meanwhile != nil {
					t.Fatal("no reply was lost")
				}
				switch {
				case k > 4:
					if !errors.Is(err, errUnknown) {
						t.Errorf("answered %v, %v after %d others, want that it is not known", r.Status, err, k)
					}
				case err != nil || r.Status != session.StatusDone || string(r.Record.Payload) != "mine" || (r.Record.Rev < theirs.Record.Rev) != (k > 0):
					t.Errorf("answered %v, %q, %v after %d others, want what the first try made", r.Status, r.Record.Payload, err, k)
				}
				if got := peek(t, others, w.StoreHandle); got.Record.Rev != theirs.Record.Rev {
					t.Errorf("revision %d, want %d: a repeated Save wrote again", got.Record.Rev, theirs.Record.Rev)
				}
			})
		}
	}
}

// A first try that never arrived was not carried out. As long as the record
// remembers the write that came after its revision, that is known: a conflict.
func TestARetryOfASaveThatNeverArrivedIsAConflictOrUnknown(t *testing.T) {
	for others := range 8 {
		onBoth(t, func(t *testing.T, client *redis.Client) {
			s := New(client)
			first := done(t)(s.Create(t.Context(), newWrite("0")))
			newest := first
			for range others {
				newest = done(t)(s.Save(t.Context(), next(newest, "theirs")))
			}
			w := next(first, "mine")
			slot := s.slotOf(w.Space, w.Hash)
			got, err := saveScript.Run(t.Context(), client, []string{slot.expiry(), slot.record(w.Hash)},
				w.Hash[:], template(w).encode(), "mine", "0", 0, 1, 2).Slice()
			if err != nil {
				t.Fatal(err)
			}
			want := "stale"
			switch {
			case others == 0:
				want = "done"
			case others > 4:
				want = "unknown"
			}
			if got[0] != want {
				t.Errorf("after %d others it is %v, want %v", others, got[0], want)
			}
		})
	}
}

// Only what was sent more than once can have been carried out unnoticed.
func TestAFirstTryThatIsFarBehindIsAConflict(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		created := done(t)(s.Create(t.Context(), newWrite("0")))
		newest := created
		for range 10 {
			newest = done(t)(s.Save(t.Context(), next(newest, "theirs")))
		}
		for _, forgotten := range []bool{false, true} { // by a server that has restarted
			if forgotten {
				client.ScriptFlush(t.Context())
			}
			wantStatus(t, answered(t)(s.Save(t.Context(), next(created, "late"))), session.StatusStale)
		}
	})
}

// loseEachReply makes every call of the store with its first reply lost, on a
// server that knows the scripts already.
func loseEachReply(t *testing.T, s *Store, client *redis.Client, drop *atomic.Bool) {
	for _, text := range []*redis.Script{createScript, loadScript, saveScript, moveScript, retireScript, deleteScript, settleScript} {
		if err := text.Load(t.Context(), client).Err(); err != nil {
			t.Fatal(err)
		}
	}
	lose := func() {
		t.Helper()
		if drop.Load() {
			t.Fatal("the call before lost no reply")
		}
		drop.Store(true)
	}
	w := newWrite("0")
	lose()
	created := done(t)(s.Create(t.Context(), w))
	lose()
	done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Lease: "anna", LeaseFor: time.Minute}))
	save := next(created, "1")
	save.Lease, save.Free = "anna", true
	lose()
	saved := done(t)(s.Save(t.Context(), save))
	if saved.Record.Rev <= created.Record.Rev {
		t.Errorf("revision %d after %d", saved.Record.Rev, created.Record.Rev)
	}
	near := newWrite("2")
	near.Rev = saved.Record.Rev
	lose()
	moved := done(t)(s.Move(t.Context(), w.StoreHandle, near))
	far := newWrite("3")
	far.Hash[0], far.Rev = near.Hash[0]+1, moved.Record.Rev
	far.CreatedAt, far.Deadline = moved.Record.CreatedAt, moved.Record.Deadline
	lose() // of the insertion; the deletion's is next
	moved = done(t)(s.Move(t.Context(), near.StoreHandle, far))
	if got := peek(t, s, far.StoreHandle); string(got.Record.Payload) != "3" || !got.Record.CreatedAt.Equal(created.Record.CreatedAt) {
		t.Errorf("moved twice it is %+v, want the payload 3 and the times of the first", got.Record)
	}
	lose()
	if _, err := s.retire(t.Context(), far.StoreHandle, next(moved, "")); err != nil {
		t.Fatal(err)
	}
	lose()
	if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{far.Hash}}); err != nil || len(gone.Removed) != 0 {
		t.Errorf("deleted %+v, %v, want nothing more", gone, err)
	}
	if c := count(t, s); c.Active != 0 || c.Backlog != 0 {
		t.Errorf("counted %+v after everything was removed", c)
	}
}

// A move between partitions takes two scripts. Whatever is lost between them,
// the same call again ends it, and never revives a session that has ended.
func TestAMoveBetweenPartitionsCanBeRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		for _, knowsTimes := range []bool{true, false} {
			s := New(client)
			from := done(t)(s.Create(t.Context(), newWrite("guest")))
			w := of(newWrite("user"), newHash(8))
			w.Rev = from.Record.Rev
			if knowsTimes {
				w.CreatedAt, w.Deadline = from.Record.CreatedAt, from.Record.Deadline
			}
			h := template(w) // the first half
			h.created, h.absolute = from.Record.CreatedAt.UnixMilli(), from.Record.Deadline.UnixMilli()
			done(t)(s.create(t.Context(), w, h))
			wantStatus(t, peek(t, s, from.Record.StoreHandle), session.StatusDone)

			first := done(t)(s.Move(t.Context(), from.Record.StoreHandle, w))
			second := done(t)(s.Move(t.Context(), from.Record.StoreHandle, w))
			if first.Record.Rev != second.Record.Rev {
				t.Errorf("repeated it answers revision %d, at first %d", second.Record.Rev, first.Record.Rev)
			}
			wantStatus(t, peek(t, s, from.Record.StoreHandle), session.StatusMissing)
			if got := peek(t, s, w.StoreHandle); !got.Record.CreatedAt.Equal(from.Record.CreatedAt) || !got.Record.Deadline.Equal(from.Record.Deadline) {
				t.Errorf("moved it has %+v, want the times of %+v", got.Record, from.Record)
			}
		}
	})
}

func TestALogoutInTheMiddleOfAMoveWins(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		from := done(t)(s.Create(t.Context(), newWrite("guest")))
		w := of(newWrite("user"), newHash(8))
		w.Rev, w.CreatedAt, w.Deadline = from.Record.Rev, from.Record.CreatedAt, from.Record.Deadline
		h := template(w)
		h.created, h.absolute = w.CreatedAt.UnixMilli(), w.Deadline.UnixMilli()
		done(t)(s.create(t.Context(), w, h))
		if _, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: []session.Hash{from.Record.Hash}}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, answered(t)(s.Move(t.Context(), from.Record.StoreHandle, w)), session.StatusMissing)
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusMissing)
		if c := count(t, s); c.Active != 0 {
			t.Errorf("counted %+v: the logged-out session lives on under another id", c)
		}
	})
}

func TestARefusedMoveBetweenPartitionsLeavesNothingBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		r := done(t)(s.Create(t.Context(), newWrite("guest")))
		w := newWrite("user")
		w.Hash[0], w.Rev, w.CreatedAt, w.Deadline = 8, r.Record.Rev-1, r.Record.CreatedAt, r.Record.Deadline
		stale := answered(t)(s.Move(t.Context(), r.Record.StoreHandle, w))
		wantStatus(t, stale, session.StatusStale)
		if stale.Record.StoreHandle != r.Record.StoreHandle || string(stale.Record.Payload) != "guest" {
			t.Errorf("stale carries %+v, want the current record of the old handle", stale.Record)
		}
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusMissing)
		done(t)(s.Load(t.Context(), session.StoreLoad{StoreHandle: r.Record.StoreHandle, Lease: "anna", LeaseFor: time.Minute}))
		w.Rev = r.Record.Rev
		wantStatus(t, answered(t)(s.Move(t.Context(), r.Record.StoreHandle, w)), session.StatusLeased)
		wantStatus(t, peek(t, s, w.StoreHandle), session.StatusMissing)
		if c := count(t, s); c.Active != 1 {
			t.Errorf("counted %+v, want only the old one", c)
		}
	})
}

func TestARefusedMoveReportsWhatItEvictedAllTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s, owner := New(client), newHash(3)
		there := done(t)(s.Create(t.Context(), of(newWrite("x"), owner)))
		from := done(t)(s.Create(t.Context(), newWrite("guest"))).Record
		done(t)(s.Save(t.Context(), next(session.StoreReply{Record: from}, "newer")))
		w := of(newWrite("user"), owner)
		w.MaxPerOwner, w.WhenFull, w.Rev = 1, session.EvictOldest, from.Rev
		w.CreatedAt, w.Deadline = from.CreatedAt, from.Deadline
		r := answered(t)(s.Move(t.Context(), from.StoreHandle, w))
		wantStatus(t, r, session.StatusStale)
		gone := peek(t, s, there.Record.StoreHandle).Status == session.StatusMissing
		if reported := len(r.Evicted) == 1 && r.Evicted[0].Hash == there.Record.Hash; reported != gone {
			t.Errorf("evicted %v, reported %v", gone, r.Evicted)
		}
	})
}

func TestScriptsThatTheServerForgotAreSentAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		s := New(client)
		w, owner := newWrite("x"), newHash(7)
		done(t)(s.Create(t.Context(), of(newWrite("z"), owner)))
		var r session.StoreReply
		var spread []session.Hash
		for p := range 5 {
			other := newWrite("y")
			other.Hash[0] = byte(p)
			done(t)(s.Create(t.Context(), other))
			spread = append(spread, other.Hash)
		}
		for name, call := range map[string]func() error{
			"Create": func() (err error) { r, err = s.Create(t.Context(), w); return err },
			"Load":   func() error { _, err := s.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle}); return err },
			"Save":   func() error { _, err := s.Save(t.Context(), next(r, "y")); return err },
			"Count": func() error {
				c, err := s.Count(t.Context(), space)
				if err == nil && c.Active == 0 {
					t.Error("Count lost what its first try could not answer")
				}
				return err
			},
			"Claim": func() error { _, err := s.Claim(t.Context(), session.StoreClaim{Space: space, Max: 1}); return err },
			"Move":  func() error { _, err := s.Move(t.Context(), w.StoreHandle, newWrite("z")); return err },
			"List": func() error {
				n := 0
				for _, err := range s.List(t.Context(), session.StoreList{Space: space, Owner: owner}) {
					if err != nil {
						return err
					}
					n++
				}
				if n != 1 {
					t.Errorf("List found %d, want 1", n)
				}
				return nil
			},
			"Settle": func() error {
				return s.settle(t.Context(), space, []session.StoreSettle{{StoreHandle: w.StoreHandle}, {StoreHandle: session.StoreHandle{Hash: spread[0]}}})
			},
		} {
			client.ScriptFlush(t.Context())
			if err := call(); err != nil {
				t.Errorf("%s after SCRIPT FLUSH: %v", name, err)
			}
		}
		client.ScriptFlush(t.Context())
		if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Owner: owner}); err != nil || len(gone.Removed) != 1 {
			t.Errorf("after SCRIPT FLUSH %+v of an owner's were deleted, %v, want 1", gone, err)
		}
		client.ScriptFlush(t.Context())
		if gone, err := s.Delete(t.Context(), session.StoreRemove{Space: space, Handles: spread}); err != nil || len(gone.Removed) != len(spread) {
			t.Errorf("a pipeline after SCRIPT FLUSH deleted %+v, %v, want %d", gone, err, len(spread))
		}
	})
}
