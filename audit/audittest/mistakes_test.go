// SPDX-License-Identifier: MIT

package audittest

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// faulty is a sink that makes a mistake over what is otherwise memory.
type faulty struct {
	*audit.Memory
	write func(f *faulty, ctx context.Context, batch []audit.Event) error
	mu    sync.Mutex
	kept  [][]audit.Event // batches that the mistake stores itself
	inner atomic.Int32    // calls under way
	read  error
}

func (f *faulty) Write(ctx context.Context, batch []audit.Event) error {
	defer f.inner.Add(-1)
	f.inner.Add(1)
	return f.write(f, ctx, batch)
}

func (f *faulty) events(context.Context) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		for _, e := range append(f.Events(), slices.Concat(f.kept...)...) {
			if !yield(e, f.read) {
				return
			}
		}
	}
}

// changing stores copies of events that change has been at.
func changing(change func(*audit.Event)) func(*faulty, context.Context, []audit.Event) error {
	return func(f *faulty, ctx context.Context, batch []audit.Event) error {
		batch = slices.Clone(batch)
		for i := range batch {
			change(&batch[i])
		}
		return f.Memory.Write(ctx, batch)
	}
}

var errRefused = errors.New("refused")

// mistakes are of the kind that real sinks make; fails are the cases that find
// them.
var mistakes = []struct {
	name  string
	write func(f *faulty, ctx context.Context, batch []audit.Event) error
	fails []string
}{
	{"none", changing(func(*audit.Event) {}), nil},
	{"keeps whole seconds", changing(func(e *audit.Event) { e.Time = e.Time.Truncate(time.Second) }),
		[]string{"stores every field as it was", "stores texts of all kinds", "stores the largest event", "stores times far off"}},
	{"loses the number", changing(func(e *audit.Event) { e.Seq = 0 }), []string{"stores every field as it was"}},
	{"sorts the keys of details", changing(func(e *audit.Event) {
		var fields map[string]any
		if json.Unmarshal([]byte(e.Details.String()), &fields) == nil {
			e.Details = audit.JSON(fields)
		}
	}), []string{"keeps the text of details", "stores texts of all kinds"}},
	{"cuts names at 255 bytes", changing(func(e *audit.Event) { e.Actor.Name = e.Actor.Name[:min(255, len(e.Actor.Name))] }),
		[]string{"stores the largest event"}},
	{"refuses large batches", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		if len(batch) > 1000 {
			return errRefused
		}
		return f.Memory.Write(ctx, batch)
	}, []string{"takes batches of any size"}},
	{"stores the beginning of a large batch", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		return f.Memory.Write(ctx, batch[:min(len(batch), 1000)])
	}, []string{"takes batches of any size"}},
	{"keeps the caller's memory", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		if len(batch) != 10 { // the races of other cases are not about this
			return f.Memory.Write(ctx, batch)
		}
		f.kept = append(f.kept, batch)
		return nil
	}, []string{"does not keep the batch"}},
	{"sorts the caller's memory", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		if len(batch) == 10 {
			slices.Reverse(batch)
		}
		return f.Memory.Write(ctx, batch)
	}, []string{"does not change the batch"}},
	{"says stored under a cancelled context", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		if ctx.Err() != nil {
			return nil
		}
		return f.Memory.Write(ctx, batch)
	}, []string{"returns nil only for stored events under a cancelled context"}},
	{"stores an id as often as it comes", func(f *faulty, _ context.Context, batch []audit.Event) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.kept = append(f.kept, slices.Clone(batch))
		return nil
	}, []string{"stores an id once", "keeps what was stored first", "completes a batch of which a part is stored",
		"stores an id once that a batch has twice", "takes writes at the same time"}},
	{"lets the last one win", func(f *faulty, _ context.Context, batch []audit.Event) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range batch {
			same := func(old []audit.Event) bool { return old[0].ID == e.ID }
			f.kept = append(slices.DeleteFunc(f.kept, same), []audit.Event{e})
		}
		return nil
	}, []string{"keeps what was stored first"}},
	{"stops at an id that it has", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		stored := map[audit.ID]bool{}
		for _, e := range f.Events() {
			stored[e.ID] = true
		}
		n := slices.IndexFunc(batch, func(e audit.Event) bool { return stored[e.ID] })
		if n < 0 {
			n = len(batch)
		}
		return f.Memory.Write(ctx, batch[:n])
	}, []string{"completes a batch of which a part is stored"}},
	{"cannot be called by two at once", func(f *faulty, ctx context.Context, batch []audit.Event) error {
		if f.inner.Load() > 1 {
			return errRefused
		}
		time.Sleep(time.Millisecond)
		return f.Memory.Write(ctx, batch)
	}, []string{"takes writes at the same time"}},
}

func TestTheSuiteFindsTheMistakesThatSinksMake(t *testing.T) {
	for _, m := range mistakes {
		if got := failures(t, func() *faulty { return &faulty{Memory: audit.NewMemory(), write: m.write} }); !slices.Equal(got, m.fails) {
			t.Errorf("a sink that %s fails at\n%q, want\n%q", m.name, got, m.fails)
		}
	}
}

func TestASinkThatCannotBeReadFails(t *testing.T) {
	got := failures(t, func() *faulty {
		return &faulty{Memory: audit.NewMemory(), write: mistakes[0].write, read: errRefused}
	})
	if want := len(cases) - 1; len(got) != want { // one does not look
		t.Errorf("%d cases fail, want %d", len(got), want)
	}
}

// witness is a test that may fail without failing the one that runs it.
type witness struct {
	testing.TB
	failed atomic.Bool
}

func (w *witness) Helper()               {}
func (w *witness) Error(...any)          { w.failed.Store(true) }
func (w *witness) Errorf(string, ...any) { w.failed.Store(true) }
func (w *witness) Fatal(...any)          { w.failed.Store(true); runtime.Goexit() }
func (w *witness) Fatalf(string, ...any) { w.failed.Store(true); runtime.Goexit() }

// failures plays all cases against a sink and returns the names of those that
// fail.
func failures(t *testing.T, newSink func() *faulty) (names []string) {
	t.Helper()
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			w, sink, played := &witness{TB: t}, newSink(), make(chan struct{})
			go func() {
				defer close(played) // also after Fatal
				c.check(&subject{TB: w, sink: sink, read: sink.events})
			}()
			<-played
			if w.failed.Load() {
				names = append(names, c.name)
			}
		})
	}
	return names
}
