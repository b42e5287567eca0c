// SPDX-License-Identifier: MIT

package sessiontest

import (
	"bytes"
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fault is a store with one mistake, of the kind that real ones make.
type fault struct {
	session.Store
	create func(session.WriteRequest) session.WriteRequest
	load   func(session.LoadRequest) session.LoadRequest
	save   func(session.WriteRequest) session.WriteRequest
	reply  func(session.Reply) session.Reply
	delete func(session.RemoveRequest) session.RemoveRequest
	claim  func(session.ClaimRequest) session.ClaimRequest
	due    func(session.ClaimReply) session.ClaimReply
	settle func(session.SettleRequest) session.SettleRequest
	count  func(session.CountReply) session.CountReply
}

// apply is f(v), or v without f.
func apply[V any](f func(V) V, v V) V {
	if f == nil {
		return v
	}
	return f(v)
}

func (f *fault) Create(ctx context.Context, w session.WriteRequest) (session.Reply, error) {
	r, err := f.Store.Create(ctx, apply(f.create, w))
	return apply(f.reply, r), err
}

func (f *fault) Load(ctx context.Context, l session.LoadRequest) (session.Reply, error) {
	r, err := f.Store.Load(ctx, apply(f.load, l))
	return apply(f.reply, r), err
}

func (f *fault) Save(ctx context.Context, w session.WriteRequest) (session.Reply, error) {
	r, err := f.Store.Save(ctx, apply(f.save, w))
	return apply(f.reply, r), err
}

func (f *fault) Move(ctx context.Context, from session.Handle, w session.WriteRequest) (session.Reply, error) {
	r, err := f.Store.Move(ctx, from, apply(f.save, w))
	return apply(f.reply, r), err
}

func (f *fault) Delete(ctx context.Context, d session.RemoveRequest) (session.RemoveReply, error) {
	return f.Store.Delete(ctx, apply(f.delete, d))
}

func (f *fault) List(ctx context.Context, space string, owner session.Hash) iter.Seq2[session.Record, error] {
	return f.Store.List(ctx, space, owner)
}

func (f *fault) Claim(ctx context.Context, c session.ClaimRequest) (session.ClaimReply, error) {
	c.Settle = slices.Clone(c.Settle)
	for i := range c.Settle {
		c.Settle[i] = apply(f.settle, c.Settle[i])
	}
	got, err := f.Store.Claim(ctx, apply(f.claim, c))
	return apply(f.due, got), err
}

func (f *fault) Quarantined(ctx context.Context, space string) iter.Seq2[session.Quarantined, error] {
	return f.Store.(session.StoreQuarantine).Quarantined(ctx, space)
}

func (f *fault) Restore(ctx context.Context, space, id string) (session.Status, error) {
	return f.Store.(session.StoreQuarantine).Restore(ctx, space, id)
}

func (f *fault) Count(ctx context.Context, space string) (session.CountReply, error) {
	c, err := f.Store.Count(ctx, space)
	return apply(f.count, c), err
}

// witness is a test that may fail without failing the one that runs it.
type witness struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (w *witness) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *witness) Helper()                        {}
func (w *witness) Logf(string, ...any)            {}
func (w *witness) Error(...any)                   { w.note("failed") }
func (w *witness) Errorf(format string, _ ...any) { w.note(format) }
func (w *witness) Fatal(...any)                   { w.note("failed"); runtime.Goexit() }
func (w *witness) Fatalf(format string, _ ...any) { w.note(format); runtime.Goexit() }
func (w *witness) Failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.said) > 0
}

// failures plays all cases against a store and returns the names of those that
// fail.
func failures(t *testing.T, newStore func() session.Store) []string {
	t.Helper()
	corrupt := func(_ testing.TB, s session.Store, h session.Handle) {
		if f, ok := s.(*fault); ok {
			s = f.Store
		}
		if m, ok := s.(*memsession.Store); ok {
			m.Damage(h)
		}
	}
	s := &suite{virtual: true, corrupt: corrupt, seed: 7, schedules: 20}
	var failed []string
	for _, c := range s.cases() {
		synctest.Test(t, func(t *testing.T) {
			w := &witness{TB: t}
			var wg sync.WaitGroup
			wg.Go(func() { c.run(newBench(w, s, newStore())) })
			wg.Wait()
			if w.Failed() {
				failed = append(failed, c.name)
			}
		})
	}
	return failed
}

func TestTheSuitePassesAStoreThatIsRight(t *testing.T) {
	if got := failures(t, func() session.Store { return &fault{Store: memsession.New()} }); len(got) != 0 {
		t.Errorf("%v failed", got)
	}
}

// As its users call it.
func TestRunPassesMemoryInVirtualTime(t *testing.T) {
	damage := func(_ testing.TB, s session.Store, h session.Handle) { s.(*memsession.Store).Damage(h) }
	Run(t, func(testing.TB) session.Store { return memsession.New() }, nil, Virtual(), Corrupt(damage), Seed(7), Schedules(20))
}

func TestTheSuiteFindsTheMistakesThatStoresMake(t *testing.T) {
	for _, c := range []struct {
		mistake string
		fault   func() *fault
		found   string // one of the cases that have to fail
	}{
		{"a retried create counts as a second one", func() *fault {
			return &fault{create: func(w session.WriteRequest) session.WriteRequest {
				w.Nonce = uint64(time.Now().UnixNano()) + nextNonce()
				return w
			}}
		}, "RepeatedCreateIsTheSameCreate"},
		{"a retried save conflicts with itself", func() *fault {
			return &fault{save: func(w session.WriteRequest) session.WriteRequest { w.Nonce = nextNonce(); return w }}
		}, "RepeatedSaveIsTheSameSave"},
		{"only the last write is remembered", func() *fault {
			var mu sync.Mutex
			var last uint64
			known := map[uint64]bool{}
			return &fault{save: func(w session.WriteRequest) session.WriteRequest {
				mu.Lock()
				defer mu.Unlock()
				if w.Nonce != last && known[w.Nonce] {
					w.Nonce = nextNonce()
				}
				last, known[w.Nonce] = w.Nonce, true
				return w
			}}
		}, "AWriteIsRememberedForFourMore"},
		{"the lease is not looked at when saving", func() *fault {
			return &fault{save: func(w session.WriteRequest) session.WriteRequest { w.Lease = ""; return w }}
		}, "ASaveWithALostLeaseIsRefused"},
		{"a renewal takes a lost lease", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest { l.Held = false; return l }}
		}, "ARenewalNeverTakesALostLease"},
		{"no one waits in line", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest { l.Turn = nil; return l }}
		}, "TheLineIsServedInOrder"},
		{"who waits is not called", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest {
				if l.Turn != nil {
					l.Turn = func() {}
				}
				return l
			}}
		}, "ATurnThatIsNotTakenIsTheNextOnes"},
		{"who gives up keeps the place", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest {
				if l.LeaseFor == 0 && l.Lease != "anna" {
					l.Lease = ""
				}
				return l
			}}
		}, "AWaiterThatGivesUpLeavesNothing"},
		{"peeking touches", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest { l.Touch = true; return l }}
		}, "PeekLeavesTheDeadlineAlone"},
		{"each touch is written", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest { l.TouchEvery = 0; return l }}
		}, "TouchesAreThrottled"},
		{"no absolute deadline", func() *fault {
			return &fault{create: func(w session.WriteRequest) session.WriteRequest { w.Total = 0; return w }}
		}, "NothingOutlivesTheAbsoluteDeadline"},
		{"a conflict without the current record", func() *fault {
			return &fault{reply: func(r session.Reply) session.Reply {
				if r.Status == session.Stale {
					r.Record.Payload = nil
				}
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"a conflict that asks for patience", func() *fault {
			return &fault{reply: func(r session.Reply) session.Reply {
				if r.Status == session.Stale {
					r.Retry = time.Second
				}
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"a conflict is a touch", func() *fault {
			return &fault{reply: func(r session.Reply) session.Reply {
				r.Touched = r.Touched || r.Status == session.Stale
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"owners have no limit", func() *fault {
			return &fault{create: func(w session.WriteRequest) session.WriteRequest { w.MaxPerOwner = 0; return w }}
		}, "AFullOwnerIsRefused"},
		{"the idlest is the oldest", func() *fault {
			return &fault{create: func(w session.WriteRequest) session.WriteRequest {
				w.WhenFull = min(w.WhenFull, session.EvictOldest)
				return w
			}}
		}, "TheIdlestMakesRoom"},
		{"exceptions are deleted, too", func() *fault {
			return &fault{delete: func(d session.RemoveRequest) session.RemoveRequest {
				if d.Owner != (session.Hash{}) {
					d.Handles = nil
				}
				return d
			}}
		}, "DeleteOfAnOwnerSparesTheExceptions"},
		{"what is deleted is not handed out", func() *fault {
			return &fault{delete: func(d session.RemoveRequest) session.RemoveRequest { d.Payload = false; return d }}
		}, "DeleteHandsOutWhatItRemoves"},
		{"claims never run out", func() *fault {
			return &fault{claim: func(c session.ClaimRequest) session.ClaimRequest { c.For = 24 * time.Hour; return c }}
		}, "AClaimIsOneCallersUntilItRunsOut"},
		{"claims run out at once", func() *fault {
			return &fault{claim: func(c session.ClaimRequest) session.ClaimRequest { c.For = 0; return c }}
		}, "ManyCleanersShareTheWork"},
		{"the newest first", func() *fault {
			return &fault{due: func(c session.ClaimReply) session.ClaimReply { slices.Reverse(c.Due); return c }}
		}, "ClaimIsOldestFirst"},
		{"a claim without payload", func() *fault {
			return &fault{due: func(c session.ClaimReply) session.ClaimReply {
				for i := range c.Due {
					c.Due[i].Payload = nil
				}
				return c
			}}
		}, "RandomSchedulesAgreeWithTheModel"},
		{"retries are forgotten", func() *fault {
			return &fault{settle: func(s session.SettleRequest) session.SettleRequest { s.Retry = 0; return s }}
		}, "SettledWithRetryComesBackLater"},
		{"old hashes answer for ever", func() *fault {
			return &fault{save: func(w session.WriteRequest) session.WriteRequest {
				if w.Grace > 0 {
					w.Grace = time.Hour
				}
				return w
			}}
		}, "AfterAMoveWithGraceTheOldHashNamesTheNewOne"},
		{"a login is reached by the id from before", func() *fault {
			return &fault{save: func(w session.WriteRequest) session.WriteRequest { w.Freeze = false; return w }}
		}, "AfterAFreezeTheOldHashShowsWhatItWas"},
		{"a login keeps the visitor's age", func() *fault {
			return &fault{save: func(w session.WriteRequest) session.WriteRequest { w.Restart = false; return w }}
		}, "AMoveMayRestartTheAge"},
		{"nothing that was given up is kept", func() *fault {
			return &fault{settle: func(c session.SettleRequest) session.SettleRequest { c.Quarantine = false; return c }}
		}, "ARestoredRecordThatLapsedIsDueAgain"},
		{"the quarantine is a bin", func() *fault {
			return &fault{load: func(l session.LoadRequest) session.LoadRequest { l.Quarantine = false; return l }}
		}, "ABrokenRecordIsQuarantinedOnRequest"},
		{"expired ones are counted as active", func() *fault {
			return &fault{count: func(c session.CountReply) session.CountReply { c.Active += c.Backlog; return c }}
		}, "CountHasActiveAndBacklog"},
		{"a late save inserts", func() *fault {
			f := &fault{}
			f.save = func(w session.WriteRequest) session.WriteRequest {
				again := w
				again.Total = time.Hour
				f.Store.Create(context.Background(), again)
				return w
			}
			return f
		}, "NoScheduleBringsBackADeletedRecord"},
		{"payloads are text", func() *fault {
			return &fault{reply: func(r session.Reply) session.Reply {
				r.Record.Payload = bytes.ToValidUTF8(r.Record.Payload, nil)
				return r
			}}
		}, "PayloadsAreKeptByteForByte"},
	} {
		got := failures(t, func() session.Store {
			f := c.fault()
			f.Store = memsession.New()
			return f
		})
		if !slices.Contains(got, c.found) {
			t.Errorf("%s: the suite fails %v, and not %s", c.mistake, got, c.found)
		}
	}
}

var nonces atomic.Uint64

// nextNonce never returns the same twice.
func nextNonce() uint64 { return nonces.Add(2) }

// slow is a store behind a machine that stops for a while, now and then.
type slow struct {
	session.Store
	stops atomic.Int32
}

func (s *slow) Load(ctx context.Context, l session.LoadRequest) (session.Reply, error) {
	if s.stops.Add(-1) >= 0 {
		time.Sleep(300 * time.Millisecond)
	}
	return s.Store.Load(ctx, l)
}

// playedReal returns what playReal reports of a case. The bubble is its
// machine: calls take no time there but what the store takes on purpose.
func playedReal(t *testing.T, c conformanceCase, newStore func() session.Store) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		a := &attempt{TB: t}
		(&suite{stretch: 1, seed: 7}).playReal(a, c, newStore())
		found = a.found
	})
	return found
}

func TestALoadedMachineFailsNoCase(t *testing.T) {
	for _, c := range []conformanceCase{{"touches", touchesAreThrottled}, {"renewal", leaseRenewal}, {"model", modelAgrees}} {
		found := playedReal(t, c, func() session.Store {
			store := &slow{Store: memsession.New()}
			store.stops.Store(3)
			return store
		})
		if len(found) > 0 {
			t.Errorf("%s: a machine that stood still for 300 ms at times fails the store: %q", c.name, found)
		}
	}
}

func TestAWrongStoreFailsInRealTimeToo(t *testing.T) {
	found := playedReal(t, conformanceCase{"renewal", leaseRenewal}, func() session.Store {
		return &fault{Store: memsession.New(), load: func(l session.LoadRequest) session.LoadRequest { l.Held = false; return l }}
	})
	if len(found) == 0 {
		t.Error("a store that gives away lost leases passes in real time")
	}
}
