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
	// created: true
	// created again: false
	// the second save is refused: true
	// [hello hi]
	// expired: true
	// active: 0
}
