// SPDX-License-Identifier: MIT

package httpfaults

import (
	"flag"
	"fmt"
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
	bench.Shows(t, document, "faults over HTTP", table.String(), *write)
}
