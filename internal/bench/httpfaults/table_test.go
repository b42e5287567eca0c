// SPDX-License-Identifier: MIT

package httpfaults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

var write = flag.Bool("write", false, "write the table into the document")

// document shows users what stands what.
var document = filepath.FromSlash("../../../docs/features/session.md")

const stands = "stands"

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestFaults(t *testing.T) {
	var table strings.Builder
	table.WriteString("| fault |")
	for _, m := range makers {
		fmt.Fprintf(&table, " %s |", strings.TrimSpace(m.name+" "+bench.Ask(t, m.module, "{{.Version}}")))
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(makers)) + "\n")
	for _, f := range faults {
		fmt.Fprintf(&table, "| %s |", f.name)
		for _, m := range makers {
			verdict := ""
			t.Run(m.name+"/"+f.name, func(t *testing.T) { verdict = f.happen(&scene{T: t, site: m.new(t, pause)}) })
			if verdict == "" {
				verdict = stands
			}
			if m.module == "" && verdict != stands {
				t.Errorf("%s: %s %s", f.name, m.name, verdict)
			}
			fmt.Fprintf(&table, " %s |", verdict)
		}
		table.WriteString("\n")
	}
	t.Logf("\n%s", table.String())
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := bench.Section(string(data), "faults over HTTP", table.String())
	switch {
	case *write:
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(data):
		t.Errorf("%s says something else: run this test with -write", document)
	}
}
