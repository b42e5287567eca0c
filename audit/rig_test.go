// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// sinkFunc is a sink made of a function.
type sinkFunc func(context.Context, []Event) error

func (f sinkFunc) Write(ctx context.Context, batch []Event) error {
	if batch = withoutStreams(batch); len(batch) == 0 {
		return nil
	}
	return f(ctx, batch)
}

// scripted stores into Memory, and before that does what the plan says for
// the n-th call, counted from 0.
type scripted struct {
	*Memory
	plan func(n int, ctx context.Context, batch []Event) error

	mu    sync.Mutex
	calls []int // sizes of batches
}

func newScripted(plan func(n int, ctx context.Context, batch []Event) error) *scripted {
	return &scripted{Memory: NewMemory(), plan: plan}
}

func (s *scripted) Write(ctx context.Context, batch []Event) error {
	if batch = withoutStreams(batch); len(batch) == 0 {
		return nil
	}
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, len(batch))
	s.mu.Unlock()
	if err := s.plan(n, ctx, batch); err != nil {
		return err
	}
	return s.Memory.Write(ctx, batch)
}

// withoutStreams leaves out the first and the last event of each stream, which
// the tests of streams are about.
func withoutStreams(batch []Event) []Event {
	return slices.DeleteFunc(slices.Clone(batch), func(e Event) bool { return e.Type == TypeOpened || e.Type == TypeClosed })
}

func (s *scripted) sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

var errDown = errors.New("down")

func always(err error) func(int, context.Context, []Event) error {
	return func(int, context.Context, []Event) error { return err }
}

// poisonous refuses every batch that has an event of type "bad".
func poisonous(_ int, _ context.Context, batch []Event) error {
	if slices.ContainsFunc(batch, func(e Event) bool { return e.Type == "bad" }) {
		return fmt.Errorf("bad row: %w", ErrPermanent)
	}
	return nil
}

func newLog(t testing.TB, sink Sink, cfg Config) *Log {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := New(sink, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mustRecord records n events of type "ok" with the reasons "0", "1", ….
func mustRecord(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.Record(t.Context(), Event{Type: "ok", Reason: strconv.Itoa(i)}); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// trail is what a sink has, shortly: the reasons of events, and marks as
// "dropped N reason".
func trail(events []Event) []string {
	var s []string
	for _, e := range events {
		if e.Type == TypeDropped || e.Type == TypeFiltered {
			n, _ := e.Details.Get("n")
			s = append(s, fmt.Sprintf("%s %v %s", strings.TrimPrefix(e.Type, "audit."), n, e.Reason))
		} else {
			s = append(s, e.Reason)
		}
	}
	return s
}

func wantTrail(t testing.TB, events []Event, want ...string) {
	t.Helper()
	if got := trail(events); !slices.Equal(got, want) {
		t.Errorf("the trail is %q, want %q", got, want)
	}
}

func numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = strconv.Itoa(i)
	}
	return s
}
