// SPDX-License-Identifier: MIT

package auditfaults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap/zapcore"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var write = flag.Bool("write", false, "write the table into the document")

// document shows users which library loses what.
var document = filepath.FromSlash("../../../docs/features/audit.md")

// taker is a queue under test.
type taker interface {
	// take hands one thing over and reports whether it was accepted, as far as
	// the taker says.
	take() bool
	// end drains and ends the taker, and reports how much it says it lost.
	end() int
	stored() int
}

// kind is one of the takers.
type kind struct {
	name, module string
	new          func() taker
}

var kinds = []kind{
	{"holdfast", "", newHoldfast},
	{"OpenTelemetry batch span processor", "go.opentelemetry.io/otel/sdk", newSpans},
	{"zap BufferedWriteSyncer", "go.uber.org/zap", newLines},
}

// raced is what came of the rounds of one kind.
type raced struct{ accepted, stored, reported int }

// unseen is what was accepted and neither stored nor reported.
func (r raced) unseen() int { return r.accepted - r.stored - r.reported }

func rounds() int {
	if os.Getenv("HOLDFAST_LONG") != "" {
		return 10_000
	}
	return 50
}

// race has eight goroutines hand things over, until they are refused or a
// while after the end has come.
func race(k kind) (sum raced) {
	for range rounds() {
		q := k.new()
		var accepted atomic.Int64
		var ended atomic.Bool
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for late := 0; late < 3; {
					if !q.take() {
						return
					}
					accepted.Add(1)
					if ended.Load() {
						late++ // it still says yes
					}
				}
			})
		}
		for accepted.Load() < 40 { // the end comes into the thick of it
			runtime.Gosched()
		}
		sum.reported += q.end()
		ended.Store(true)
		all.Wait()
		sum.accepted += int(accepted.Load())
		sum.stored += q.stored()
	}
	return sum
}

func TestRecordAgainstClose(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "| queue | lost unseen |\n|---|---|\n")
	for _, k := range kinds {
		got := race(k)
		t.Logf("%s: %d accepted, %d stored, %d reported lost, %d lost unseen", k.name, got.accepted, got.stored, got.reported, got.unseen())
		verdict := "nothing"
		if got.unseen() != 0 {
			verdict = "something"
		}
		if k.module == "" && got.unseen() != 0 {
			t.Errorf("%s loses %d unseen", k.name, got.unseen())
		}
		name := k.name
		if k.module != "" {
			name += " " + bench.Ask(t, k.module, "{{.Version}}")
		}
		fmt.Fprintf(&table, "| %s | %s |\n", name, verdict)
	}
	bench.Shows(t, document, "race", table.String(), *write)
}

type holdfast struct {
	*audit.Log
	memory *audit.Memory
}

func newHoldfast() taker {
	m := audit.NewMemory()
	l, err := audit.New(m, audit.Config{Queue: 1024, MaxBatch: 64})
	if err != nil {
		panic(err)
	}
	return holdfast{l, m}
}

func (h holdfast) take() bool {
	return h.Record(context.Background(), audit.Event{Type: "raced"}) == nil
}

func (h holdfast) end() int {
	if loss, ok := errors.AsType[*audit.LossError](h.Close(context.Background())); ok {
		return len(loss.IDs)
	}
	return 0
}

func (h holdfast) stored() int { return len(h.memory.Events()) }

// spans is the processor that an OpenTelemetry tracer has by default, set to
// wait for room rather than drop. It never says that it does not take a span.
type spans struct {
	sdktrace.SpanProcessor
	*sdktrace.TracerProvider
	exported atomic.Int64
}

func newSpans() taker {
	s := new(spans)
	s.SpanProcessor = sdktrace.NewBatchSpanProcessor(s, sdktrace.WithMaxQueueSize(1024), sdktrace.WithMaxExportBatchSize(64), sdktrace.WithBlocking())
	s.TracerProvider = sdktrace.NewTracerProvider()
	return s
}

func (s *spans) ExportSpans(_ context.Context, list []sdktrace.ReadOnlySpan) error {
	s.exported.Add(int64(len(list)))
	return nil
}

func (s *spans) take() bool {
	_, span := s.Tracer("race").Start(context.Background(), "raced")
	s.OnEnd(span.(sdktrace.ReadOnlySpan))
	return true
}

func (s *spans) Shutdown(context.Context) error { return nil } // as an exporter

func (s *spans) end() int {
	_ = s.SpanProcessor.Shutdown(context.Background())
	return 0
}

func (s *spans) stored() int { return int(s.exported.Load()) }

// lines is zap's buffer in front of a file.
type lines struct {
	zapcore.BufferedWriteSyncer
	written int64
}

func newLines() taker {
	l := new(lines)
	l.BufferedWriteSyncer = zapcore.BufferedWriteSyncer{WS: counter{&l.written}, FlushInterval: time.Hour}
	return l
}

type counter struct{ n *int64 }

func (c counter) Write(b []byte) (int, error) {
	atomic.AddInt64(c.n, int64(len(b)))
	return len(b), nil
}
func (c counter) Sync() error { return nil }

func (l *lines) take() bool {
	_, err := l.Write([]byte{'\n'})
	return err == nil
}

func (l *lines) end() int {
	_ = l.Stop()
	return 0
}

func (l *lines) stored() int { return int(atomic.LoadInt64(&l.written)) }
