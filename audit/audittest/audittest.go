// SPDX-License-Identifier: MIT

// Package audittest checks that an [audit.Sink] does what the rest of holdfast
// relies on. Whoever writes a sink runs it in a test:
//
//	func TestSink(t *testing.T) {
//		audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) { … })
//	}
package audittest

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/audit"
)

// Reader yields everything that a sink has stored, in any order. An error
// fails the case.
type Reader func(ctx context.Context) iter.Seq2[audit.Event, error]

// Option changes what Run does.
type Option func(*suite)

// Virtual runs each case in a [synctest] bubble of its own, with newSink called
// inside it. Without it the cases run in real time; none takes long.
func Virtual() Option { return func(s *suite) { s.virtual = true } }

// AppendOnly leaves out the cases about storing an id once, for sinks such as
// logs that cannot know what they have.
func AppendOnly() Option { return func(s *suite) { s.appendOnly = true } }

// Run checks the sinks that newSink returns, one empty sink for each case.
// Each failure says what the broken rule is good for.
func Run(t *testing.T, newSink func(t testing.TB) (audit.Sink, Reader), opts ...Option) {
	var s suite
	for _, o := range opts {
		o(&s)
	}
	for _, c := range cases {
		if c.once && s.appendOnly {
			continue
		}
		run := func(t *testing.T) {
			sink, read := newSink(t)
			c.check(&subject{TB: t, sink: sink, read: read})
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
