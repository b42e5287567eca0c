// SPDX-License-Identifier: MIT

package leakcheck_test

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestAGoroutineThatGoesOnIsFound(t *testing.T) {
	stop := make(chan struct{})
	go stay(stop)
	left := leakcheck.Left()
	close(stop)
	if len(left) != 1 || !strings.Contains(left[0], "leakcheck_test.stay") {
		t.Errorf("found %q, want the one goroutine of this test", left)
	}
	if left := leakcheck.Left(); len(left) != 0 {
		t.Errorf("found %q after it ended", left)
	}
}

func stay(stop <-chan struct{}) { <-stop }
