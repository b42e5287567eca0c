// SPDX-License-Identifier: MIT

// Package httpfaults holds what breaks logins over HTTP, as tests that run against
// holdfast and its peers alike. The faults are those that users of gorilla/sessions,
// its Redis stores, express-session and connect-redis report most.
//
// TestWhatScsPromises says in own words what scs's own tests promise, and where
// holdfast does otherwise.
//
//	go test ./httpfaults -v        prints the tables
//	go test ./httpfaults -write    writes that of the faults into docs/features/session.md
package httpfaults
