// SPDX-License-Identifier: MIT

package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/audittest"
)

func readMemory(m *audit.Memory) audittest.Reader {
	return func(context.Context) iter.Seq2[audit.Event, error] {
		return func(yield func(audit.Event, error) bool) {
			for _, e := range m.Events() {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func TestMultiAndFilterAreSinks(t *testing.T) {
	audittest.Run(t, func(testing.TB) (audit.Sink, audittest.Reader) {
		m := audit.NewMemory()
		all := func(audit.Event) bool { return true }
		return audit.Multi(audit.NewMemory(), audit.Filter(m, all)), readMemory(m)
	}, audittest.Virtual())
}

func TestJSONLinesIsASink(t *testing.T) {
	audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
		path := filepath.Join(t.TempDir(), "trail.jsonl")
		j := audit.NewJSONLines(path)
		t.Cleanup(func() { _ = j.Close() })
		return j, func(context.Context) iter.Seq2[audit.Event, error] {
			return func(yield func(audit.Event, error) bool) {
				data, _ := os.ReadFile(path)
				for line := range bytes.Lines(data) {
					var e audit.Event
					if err := json.Unmarshal(line, &e); !yield(e, err) {
						return
					}
				}
			}
		}
	}, audittest.AppendOnly())
}

// through is a log with a spool as a sink: what it says is stored went through the
// files.
type through struct{ *audit.Log }

func (s through) Write(ctx context.Context, batch []audit.Event) error {
	for _, e := range batch {
		if err := s.Record(ctx, e); err != nil {
			return err
		}
	}
	return s.Flush(ctx)
}

func TestALogWithASpoolStoresWhatASinkStores(t *testing.T) {
	for name, level := range map[string]audit.Durability{"process": audit.Process, "interval": audit.Interval, "disk": audit.Disk} {
		t.Run(name, func(t *testing.T) {
			audittest.Run(t, func(t testing.TB) (audit.Sink, audittest.Reader) {
				m := audit.NewMemory()
				l, err := audit.New(m, audit.Config{Queue: 1, Linger: -1, Spool: audit.Spool{Dir: t.TempDir(), Level: level}}) // nearly everything is read from the files
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					if err := l.Close(ctx); err != nil {
						t.Error(err)
					}
				})
				return through{l}, readMemory(m)
			})
		})
	}
}
