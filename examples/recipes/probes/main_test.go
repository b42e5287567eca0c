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
	// /livez 200 alive
	// /readyz 503 hotel: closed, trail: <nil>
	// /readyz 200 hotel: open, trail: <nil>
	// /readyz 503 hotel: open, trail: <nil>
}
