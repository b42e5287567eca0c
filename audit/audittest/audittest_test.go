// SPDX-License-Identifier: MIT

package audittest

import (
	"context"
	"iter"
	"testing"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func memory(testing.TB) (audit.Sink, Reader) {
	m := audit.NewMemory()
	return m, func(context.Context) iter.Seq2[audit.Event, error] {
		return func(yield func(audit.Event, error) bool) {
			for _, e := range m.Events() {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func TestMemoryIsASink(t *testing.T) { Run(t, memory) }

func TestMemoryIsASinkInVirtualTime(t *testing.T) { Run(t, memory, nil, Virtual()) }

func TestNoSinkOrNoReaderFails(t *testing.T) {
	sink, read := memory(t)
	for _, c := range []struct {
		sink audit.Sink
		read Reader
		want bool
	}{{sink, read, false}, {nil, read, true}, {(*audit.Memory)(nil), read, true}, {sink, nil, true}} {
		w, done := &witness{TB: t}, make(chan struct{})
		go func() {
			defer close(done) // also after Fatal
			newSubject(w, func(testing.TB) (audit.Sink, Reader) { return c.sink, c.read })
		}()
		<-done
		if w.failed.Load() != c.want {
			t.Errorf("%T and a reader (%t): failed is %t", c.sink, c.read != nil, !c.want)
		}
	}
}

// forgetful is memory that stores an id as often as it comes.
type forgetful struct{ events []audit.Event }

func (f *forgetful) Write(_ context.Context, batch []audit.Event) error {
	f.events = append(f.events, batch...)
	return nil
}

func TestAppendOnlyLeavesOutStoringOnce(t *testing.T) {
	Run(t, func(testing.TB) (audit.Sink, Reader) {
		f := new(forgetful)
		return f, func(context.Context) iter.Seq2[audit.Event, error] {
			return func(yield func(audit.Event, error) bool) {
				for _, e := range f.events {
					if !yield(e, nil) {
						return
					}
				}
			}
		}
	}, AppendOnly())
}
