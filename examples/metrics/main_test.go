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
	// holdfast_circuitbreaker_calls_total{breaker="pms",result="failure"} 1
	// holdfast_circuitbreaker_calls_total{breaker="pms",result="ignored"} 0
	// holdfast_circuitbreaker_calls_total{breaker="pms",result="rejected"} 0
	// holdfast_circuitbreaker_calls_total{breaker="pms",result="success"} 1
	// holdfast_lock_key_conflicts_total{room_id="_other"} 0
	// holdfast_lock_key_conflicts_total{room_id="room/101"} 1
}
