// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

// TestMain is a guest when the program has started itself again.
func TestMain(m *testing.M) {
	if os.Getenv("GUEST") != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

func Example() {
	main()
	// Output:
	// ana has the room
	// ben waits for ana
	// ben has the room
}
