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
	// audit: invalid: an event without a type
	// success room.key.issued 101
	// success room.key.issued 101
	// failure audit.dropped front-desk
}
