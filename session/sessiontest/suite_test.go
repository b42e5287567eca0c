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
	create func(session.StoreWrite) session.StoreWrite
	load   func(session.StoreLoad) session.StoreLoad
	save   func(session.StoreWrite) session.StoreWrite
	reply  func(session.StoreReply) session.StoreReply
	delete func(session.StoreRemove) session.StoreRemove
	claim  func(session.StoreClaim) session.StoreClaim
	due    func(session.StoreClaimed) session.StoreClaimed
	settle func(session.StoreSettle) session.StoreSettle
	count  func(session.StoreCount) session.StoreCount
}

// apply is f(v), or v without f.
func apply[V any](f func(V) V, v V) V {
	if f == nil {
		return v
	}
	return f(v)
}

func (f *fault) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	r, err := f.Store.Create(ctx, apply(f.create, w))
	return apply(f.reply, r), err
}

func (f *fault) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	r, err := f.Store.Load(ctx, apply(f.load, l))
	return apply(f.reply, r), err
}

func (f *fault) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	r, err := f.Store.Save(ctx, apply(f.save, w))
	return apply(f.reply, r), err
}

func (f *fault) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	r, err := f.Store.Move(ctx, from, apply(f.save, w))
	return apply(f.reply, r), err
}

func (f *fault) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	return f.Store.Delete(ctx, apply(f.delete, d))
}

func (f *fault) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return f.Store.List(ctx, l)
}

func (f *fault) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
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

func (f *fault) Restore(ctx context.Context, space, id string) (session.StoreStatus, error) {
	return f.Store.(session.StoreQuarantine).Restore(ctx, space, id)
}

func (f *fault) Count(ctx context.Context, space string) (session.StoreCount, error) {
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
	corrupt := func(_ testing.TB, s session.Store, h session.StoreHandle) {
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
	damage := func(_ testing.TB, s session.Store, h session.StoreHandle) { s.(*memsession.Store).Damage(h) }
	Run(t, func(testing.TB) session.Store { return memsession.New() }, nil, Virtual(), Corrupt(damage), Seed(7), Schedules(20))
}

func TestTheSuiteFindsTheMistakesThatStoresMake(t *testing.T) {
	for _, c := range []struct {
		mistake string
		fault   func() *fault
		found   string // one of the cases that have to fail
	}{
		{"a retried create counts as a second one", func() *fault {
			return &fault{create: func(w session.StoreWrite) session.StoreWrite {
				w.Nonce = uint64(time.Now().UnixNano()) + nextNonce()
				return w
			}}
		}, "RepeatedCreateIsTheSameCreate"},
		{"a retried save conflicts with itself", func() *fault {
			return &fault{save: func(w session.StoreWrite) session.StoreWrite { w.Nonce = nextNonce(); return w }}
		}, "RepeatedSaveIsTheSameSave"},
		{"only the last write is remembered", func() *fault {
			var mu sync.Mutex
			var last uint64
			known := map[uint64]bool{}
			return &fault{save: func(w session.StoreWrite) session.StoreWrite {
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
			return &fault{save: func(w session.StoreWrite) session.StoreWrite { w.Lease = ""; return w }}
		}, "ASaveWithALostLeaseIsRefused"},
		{"a renewal takes a lost lease", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad { l.Held = false; return l }}
		}, "ARenewalNeverTakesALostLease"},
		{"no one waits in line", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad { l.Turn = nil; return l }}
		}, "TheLineIsServedInOrder"},
		{"who waits is not called", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad {
				if l.Turn != nil {
					l.Turn = func() {}
				}
				return l
			}}
		}, "ATurnThatIsNotTakenIsTheNextOnes"},
		{"who gives up keeps the place", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad {
				if l.LeaseFor == 0 && l.Lease != "anna" {
					l.Lease = ""
				}
				return l
			}}
		}, "AWaiterThatGivesUpLeavesNothing"},
		{"peeking touches", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad { l.Touch = true; return l }}
		}, "PeekLeavesTheDeadlineAlone"},
		{"each touch is written", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad { l.TouchEvery = 0; return l }}
		}, "TouchesAreThrottled"},
		{"no absolute deadline", func() *fault {
			return &fault{create: func(w session.StoreWrite) session.StoreWrite { w.Total = 0; return w }}
		}, "NothingOutlivesTheAbsoluteDeadline"},
		{"a conflict without the current record", func() *fault {
			return &fault{reply: func(r session.StoreReply) session.StoreReply {
				if r.Status == session.StatusStale {
					r.Record.Payload = nil
				}
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"a conflict that asks for patience", func() *fault {
			return &fault{reply: func(r session.StoreReply) session.StoreReply {
				if r.Status == session.StatusStale {
					r.Retry = time.Second
				}
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"a conflict is a touch", func() *fault {
			return &fault{reply: func(r session.StoreReply) session.StoreReply {
				r.Touched = r.Touched || r.Status == session.StatusStale
				return r
			}}
		}, "SaveIsCompareAndSwap"},
		{"owners have no limit", func() *fault {
			return &fault{create: func(w session.StoreWrite) session.StoreWrite { w.MaxPerOwner = 0; return w }}
		}, "AFullOwnerIsRefused"},
		{"the idlest is the oldest", func() *fault {
			return &fault{create: func(w session.StoreWrite) session.StoreWrite {
				w.WhenFull = min(w.WhenFull, session.EvictOldest)
				return w
			}}
		}, "TheIdlestMakesRoom"},
		{"exceptions are deleted, too", func() *fault {
			return &fault{delete: func(d session.StoreRemove) session.StoreRemove {
				if d.Owner != (session.Hash{}) {
					d.Handles = nil
				}
				return d
			}}
		}, "DeleteOfAnOwnerSparesTheExceptions"},
		{"what is deleted is not handed out", func() *fault {
			return &fault{delete: func(d session.StoreRemove) session.StoreRemove { d.Payload = false; return d }}
		}, "DeleteHandsOutWhatItRemoves"},
		{"claims never run out", func() *fault {
			return &fault{claim: func(c session.StoreClaim) session.StoreClaim { c.For = 24 * time.Hour; return c }}
		}, "AClaimIsOneCallersUntilItRunsOut"},
		{"claims run out at once", func() *fault {
			return &fault{claim: func(c session.StoreClaim) session.StoreClaim { c.For = 0; return c }}
		}, "ManyCleanersShareTheWork"},
		{"the newest first", func() *fault {
			return &fault{due: func(c session.StoreClaimed) session.StoreClaimed { slices.Reverse(c.Due); return c }}
		}, "ClaimIsOldestFirst"},
		{"a claim without payload", func() *fault {
			return &fault{due: func(c session.StoreClaimed) session.StoreClaimed {
				for i := range c.Due {
					c.Due[i].Payload = nil
				}
				return c
			}}
		}, "RandomSchedulesAgreeWithTheModel"},
		{"retries are forgotten", func() *fault {
			return &fault{settle: func(s session.StoreSettle) session.StoreSettle { s.Retry = 0; return s }}
		}, "SettledWithRetryComesBackLater"},
		{"old hashes answer for ever", func() *fault {
			return &fault{save: func(w session.StoreWrite) session.StoreWrite {
				if w.Grace > 0 {
					w.Grace = time.Hour
				}
				return w
			}}
		}, "AfterAMoveWithGraceTheOldHashNamesTheNewOne"},
		{"a login is reached by the id from before", func() *fault {
			return &fault{save: func(w session.StoreWrite) session.StoreWrite { w.Freeze = false; return w }}
		}, "AfterAFreezeTheOldHashShowsWhatItWas"},
		{"a login keeps the visitor's age", func() *fault {
			return &fault{save: func(w session.StoreWrite) session.StoreWrite { w.Restart = false; return w }}
		}, "AMoveMayRestartTheAge"},
		{"nothing that was given up is kept", func() *fault {
			return &fault{settle: func(c session.StoreSettle) session.StoreSettle { c.Quarantine = false; return c }}
		}, "ARestoredRecordThatLapsedIsDueAgain"},
		{"the quarantine is a bin", func() *fault {
			return &fault{load: func(l session.StoreLoad) session.StoreLoad { l.Quarantine = false; return l }}
		}, "ABrokenRecordIsQuarantinedOnRequest"},
		{"expired ones are counted as active", func() *fault {
			return &fault{count: func(c session.StoreCount) session.StoreCount { c.Active += c.Backlog; return c }}
		}, "CountHasActiveAndBacklog"},
		{"a late save inserts", func() *fault {
			f := &fault{}
			f.save = func(w session.StoreWrite) session.StoreWrite {
				again := w
				again.Total = time.Hour
				f.Store.Create(context.Background(), again)
				return w
			}
			return f
		}, "NoScheduleBringsBackADeletedRecord"},
		{"payloads are text", func() *fault {
			return &fault{reply: func(r session.StoreReply) session.StoreReply {
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
