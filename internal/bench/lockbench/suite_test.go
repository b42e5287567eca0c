// SPDX-License-Identifier: MIT

package lockbench

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Speed is .ci/bars' to judge: it needs a quiet machine. That every contestant
// takes and gives back its lock holds on any.
func TestEveryContestantTakesAndGivesBackItsLock(t *testing.T) {
	for _, c := range Suite(t).Cases {
		c.Make()(2)
	}
}

func TestMemoryPerHoldIsMeasured(t *testing.T) {
	s := Suite(t)
	var memory []bench.Figure
	for _, f := range s.Figures {
		if strings.Contains(f.Name, "memory per hold") {
			memory = append(memory, f)
		}
	}
	if len(memory) != 2 {
		t.Fatalf("%d figures of memory, want 2", len(memory))
	}
	s.Cases, s.Bars, s.Figures = nil, nil, memory
	r, err := bench.Measure(s, bench.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if t.Log("\n" + r.Table()); strings.Count(r.Table(), " B | one | ") != 2 {
		t.Error("not measured")
	}
}
