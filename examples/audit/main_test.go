// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "killed" { // the example's other process
		main()
	}
	leakcheck.Main(m)
}

func Example() {
	main()
	// Output:
	// audit: invalid: an event without a type
	// 1 audit.opened success front-desk
	// 2 room.key.issued success 101
	// 3 room.key.issued success 101
	// 0 audit.dropped failure front-desk
	// 4 audit.closed success front-desk
	// erased from 1 event
	// the other process failed: true
	// missing in front-desk from number 3 on
}
