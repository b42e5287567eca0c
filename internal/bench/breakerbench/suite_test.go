// SPDX-License-Identifier: MIT

package breakerbench

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestTheSuiteRunsAndAllocatesNothing(t *testing.T) {
	s := Suite(t)
	s.Bars = nil
	bench.Check(t, s)
}
