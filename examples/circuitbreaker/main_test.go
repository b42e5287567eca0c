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
	// probably as yesterday <nil> closed
	// probably as yesterday <nil> closed
	// probably as yesterday <nil> open
	// probably as yesterday (not asked: too_many_in_a_row) <nil> open
	// sunny <nil> closed
}
