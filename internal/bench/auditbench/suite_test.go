// SPDX-License-Identifier: MIT

package auditbench

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Speed is .ci/bars' to judge; that Record allocates nothing holds on any
// machine.
func TestRecordAllocatesNothing(t *testing.T) {
	s := bench.Suite{Name: "audit", Cases: []bench.Case{{Name: "Record", Make: record, NoAllocs: true}, {Name: "floor", Make: floor}}}
	r, err := bench.Measure(s, bench.Options{Sample: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Missed() {
		t.Error(m)
	}
}
