// SPDX-License-Identifier: MIT

package httpfaults

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

var write = flag.Bool("write", false, "write the table into the document")

// document shows users what stands what.
var document = filepath.FromSlash("../../../docs/features/session.md")

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestFaults(t *testing.T) {
	bench.Faults(t, document, "faults over HTTP", *write, makers, maker.about, faults, fault.about, func(m maker, f fault) (verdict string) {
		t.Run(m.name+"/"+f.name, func(t *testing.T) { verdict = f.happen(&scene{T: t, site: m.new(t, pause)}) })
		return verdict
	})
}

func (m maker) about() (name, module string) { return m.name, m.module }
func (f fault) about() string                { return f.name }
