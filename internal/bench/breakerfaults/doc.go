// SPDX-License-Identifier: MIT

// Package breakerfaults holds what breaks circuit breakers, as tests that run
// against holdfast and its peers alike. Each pair of fault and breaker has a
// process of its own, so that one that deadlocks or dies is a line in the
// table, and in virtual time.
//
//	go test ./breakerfaults -v        prints the table
//	go test ./breakerfaults -write    writes it into docs/features/circuitbreaker.md
package breakerfaults
