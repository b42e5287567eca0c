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
