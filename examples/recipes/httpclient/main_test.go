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
	// 120 EUR <nil>
	// 120 EUR (as before: no answer) <nil>
	// 120 EUR (as before: no answer) <nil>
	// 120 EUR (as before: not asked) <nil>
}
