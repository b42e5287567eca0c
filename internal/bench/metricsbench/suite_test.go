// SPDX-License-Identifier: MIT

package metricsbench

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Speed is .ci/bars' to judge: it needs a quiet machine. That nothing is
// allocated holds on any.
func TestTheSuiteRunsAndAllocatesNothing(t *testing.T) {
	s := Suite(t)
	s.Bars = nil
	r, err := bench.Measure(s, bench.Options{Sample: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Missed() {
		t.Error(m)
	}
}
