// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

var (
	write = flag.Bool("write", false, "write the table into the document")
	long  = os.Getenv("HOLDFAST_LONG") != ""
)

// document shows users which library withstands what.
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
			got := happened(t, m, f)
			if m.module == "" && got != stands {
				t.Errorf("%s: %s %s", f.name, m.name, got)
			}
			fmt.Fprintf(&table, " %s |", got)
		}
		table.WriteString("\n")
	}
	t.Logf("\n%s", table.String())
	bench.Shows(t, document, "faults", table.String(), *write)
}

// happened is the verdict on one fault.
func happened(t *testing.T, m maker, f fault) (verdict string) {
	t.Run(m.name+"/"+f.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, server := redistest.Virtual(t)
			s := &scene{t: t, server: server, keeper: m.new(client), line: &line{}}
			for range 4 {
				s.others = append(s.others, m.new(redistest.VirtualClient(t, server)))
			}
			client.AddHook(s.line)
			verdict = f.happen(s)
		})
	})
	if verdict == "" {
		return stands
	}
	return verdict
}

func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	bench.Cells(t, document, []string{"../../../session", "../../../metrics", "../../integration"}, makers[1].module, "", "", "")
}
