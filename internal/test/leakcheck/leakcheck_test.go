// SPDX-License-Identifier: MIT

package leakcheck

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestAGoroutineThatGoesOnIsFound(t *testing.T) {
	stop := make(chan struct{})
	go stay(stop)
	found := left(50 * time.Millisecond)
	close(stop)
	if len(found) != 1 || !strings.Contains(found[0], "leakcheck.stay") {
		t.Errorf("found %q, want the one goroutine of this test", found)
	}
	if found := left(patience); len(found) != 0 {
		t.Errorf("found %q after it ended", found)
	}
}

func stay(stop <-chan struct{}) { <-stop }
