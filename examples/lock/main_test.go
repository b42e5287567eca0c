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
	// ana has room/101 [2026-12-12, 2026-12-15)
	// ben is refused: taken is room/101 [2026-12-12, 2026-12-15)
	// ben has room/101 [2026-12-15, 2026-12-16)
	// extended: true
	// again: true
	// released: true
	// cleo has room/101 [2026-12-12, 2026-12-15)
	// cleaned: <nil>
}
