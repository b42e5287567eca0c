// SPDX-License-Identifier: MIT

package metricsbench

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestTheSuiteRunsAndAllocatesNothing(t *testing.T) {
	s := Suite(t)
	s.Bars = nil
	for i := range s.Figures {
		s.Figures[i].AtMost = 0
	}
	bench.Check(t, s)
}

// In virtual time the exposition depends on the names and values only: a group of
// 100 breakers is as long as one of a breaker, but for the digits of two values.
func TestTenThousandBreakersInGroupsAreAnExpositionOfLessThanAMegabyte(t *testing.T) {
	var size [2]int
	for i, members := range []int{1, 100} {
		synctest.Test(t, func(t *testing.T) {
			registry, err := groups(members)
			if err != nil {
				t.Fatal(err)
			}
			text := expose(registry)
			if want := `holdfast_circuitbreaker_state{breaker="hotel-99.example.com",state="closed"} ` + strconv.Itoa(members) + "\n"; !bytes.Contains(text, []byte(want)) {
				t.Errorf("no %s", want)
			}
			size[i] = len(text)
		})
	}
	const groups, values, digits = 100, 2, len("100") - len("1") // closed, and calls with success
	if grew := size[1] - size[0]; grew != groups*values*digits || size[1] > 1_000_000 {
		t.Errorf("%d bytes, %d more than for one breaker in each group, want %d", size[1], grew, groups*values*digits)
	}
}
