// SPDX-License-Identifier: MIT

// Package sessionfaults holds what breaks sessions, as tests that run against
// holdfast and a peer alike, on a Redis of their own in virtual time.
//
//	go test ./sessionfaults -v        prints the table and the numbers
//	go test ./sessionfaults -write    writes the table into docs/features/session.md
package sessionfaults
