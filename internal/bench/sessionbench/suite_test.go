// SPDX-License-Identifier: MIT

package sessionbench

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestTheSuiteRunsAndItsQuantitiesHold(t *testing.T) {
	s := suite(t, sizes{large: 20_000, middle: 2000, small: 200, weighed: 2000, messages: 320, owned: 2000})
	s.Bars, s.Sample, s.Cases = nil, 0, s.Cases[:2]
	for i := range s.Figures {
		if s.Figures[i].Unit == "ms" || s.Figures[i].Unit == "times" && (s.Figures[i].Runs > 1 || strings.Contains(s.Figures[i].Name, "p99")) { // of time
			s.Figures[i].AtMost, s.Figures[i].Runs = 0, 1
		}
	}
	t.Logf("\n%s", bench.Check(t, s).Table())
}
