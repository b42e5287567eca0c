// SPDX-License-Identifier: MIT

// Package audittest checks that an [audit.Sink] does what the rest of holdfast
// relies on. The test of a sink calls [Run]:
//
//	func TestSink(t *testing.T) {
//		audittest.Run(t, func(testing.TB) (audit.Sink, audittest.Reader) {
//			sink := mysink.New()
//			return sink, sink.All
//		})
//	}
//
// The suite checks that events are stored unchanged and once, that batches of
// any size and from several goroutines are stored, and that a nil error means
// stored. It does not check durability, deadlines, or errors of a server that is
// down: those need faults that only the sink's own tests can make.
package audittest

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Reader yields all events that a sink has stored, in any order. An error fails
// the case.
type Reader func(ctx context.Context) iter.Seq2[audit.Event, error]

// Option changes how [Run] works.
type Option func(*suite)

// Virtual runs each case, and newSink with it, in a [synctest] bubble. Without it
// the cases run in real time, and wait for nothing but the sink.
func Virtual() Option { return func(s *suite) { s.virtual = true } }

// AppendOnly leaves out the cases about storing an id once. It is for sinks such
// as logs, which do not look for ids.
func AppendOnly() Option { return func(s *suite) { s.appendOnly = true } }

// Run runs each case on a new, empty sink that newSink returns. A failure says
// what the broken rule is for. Nil options are skipped.
func Run(t *testing.T, newSink func(t testing.TB) (audit.Sink, Reader), opts ...Option) {
	var s suite
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	for _, c := range cases {
		if c.once && s.appendOnly {
			continue
		}
		run := func(t *testing.T) {
			c.check(newSubject(t, newSink))
		}
		t.Run(c.name, func(t *testing.T) {
			if s.virtual {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

type suite struct{ virtual, appendOnly bool }

// subject is a sink under test.
type subject struct {
	testing.TB
	sink audit.Sink
	read Reader
}

func newSubject(t testing.TB, newSink func(testing.TB) (audit.Sink, Reader)) *subject {
	t.Helper()
	sink, read := newSink(t)
	if configerr.IsNil(sink) || read == nil {
		t.Fatal("newSink returned no sink or no reader")
	}
	return &subject{TB: t, sink: sink, read: read}
}

// write writes a batch that has to succeed.
func (s *subject) write(batch []audit.Event) {
	s.Helper()
	if err := s.sink.Write(s.Context(), batch); err != nil {
		s.Fatalf("writing %d events: %v", len(batch), err)
	}
}

// stored returns everything that the sink has, by id.
func (s *subject) stored() map[audit.ID][]audit.Event {
	s.Helper()
	all := make(map[audit.ID][]audit.Event)
	for e, err := range s.read(s.Context()) {
		if err != nil {
			s.Fatalf("reading what is stored: %v", err)
		}
		all[e.ID] = append(all[e.ID], e)
	}
	return all
}

// want checks that exactly these events are stored, each once and unchanged.
func (s *subject) want(events []audit.Event, why string) {
	s.Helper()
	all := s.stored()
	if len(all) != len(events) {
		s.Errorf("%d different events are stored, want %d: %s", len(all), len(events), why)
	}
	for _, e := range events {
		switch got := all[e.ID]; {
		case len(got) != 1:
			s.Errorf("the event %s is stored %d times, want once: %s", e.ID, len(got), why)
		case got[0] != e:
			s.Errorf("stored was\n%+v\nwant\n%+v\n%s", got[0], e, why)
		}
	}
}
