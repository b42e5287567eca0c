// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"flag"
	"os"
	"path/filepath"
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

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestFaults(t *testing.T) {
	bench.Faults(t, document, "faults", *write, makers, maker.about, faults, fault.about, func(m maker, f fault) string { return happened(t, m, f) })
}

func (m maker) about() (name, module string) { return m.name, m.module }
func (f fault) about() string                { return f.name }

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
	return verdict
}

func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	bench.Cells(t, document, []string{"../../../session", "../../../metrics", "../../integration"}, makers[1].module, "", "", "")
}
