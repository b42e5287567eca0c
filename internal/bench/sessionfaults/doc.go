// SPDX-License-Identifier: MIT

// Package sessionfaults holds what breaks sessions, as tests that run against
// holdfast and a peer alike, and what the tests of peers promise, each on a Redis of its
// own in virtual time.
//
//	go test ./sessionfaults -v        prints the tables and the numbers
//	go test ./sessionfaults -write    writes the tables into docs/features/session.md
package sessionfaults
