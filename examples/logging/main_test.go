// SPDX-License-Identifier: MIT

package main

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func Example() {
	main()
	// Output:
	// level=WARN msg=breaker name=pms from=closed to=open reason=too_many_in_a_row cause="no answer"
	// level=WARN msg=lock manager=rooms op=extend resource=room/101 err="lock: extending room/101: lock: limit of extensions or holding time reached"
}
