// SPDX-License-Identifier: MIT

// Package breakerfaults holds what breaks circuit breakers, as tests that run
// against holdfast and its peers alike. Each pair of fault and breaker has a
// process of its own, so that one that deadlocks or dies is a line in the
// table, and in virtual time.
//
// TestWhatPeersPromise says in own words what the peers' own tests promise, and
// where holdfast does otherwise.
//
//	go test ./breakerfaults -v        prints the tables
//	go test ./breakerfaults -write    writes that of the faults into docs/features/circuitbreaker.md
package breakerfaults
