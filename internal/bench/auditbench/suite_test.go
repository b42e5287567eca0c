// SPDX-License-Identifier: MIT

package auditbench

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestRecordAllocatesNothing(t *testing.T) {
	s := bench.Suite{Name: "audit", Cases: []bench.Case{{Name: "Record", Make: record, NoAllocs: true}, {Name: "floor", Make: floor}}}
	bench.Check(t, s)
}
