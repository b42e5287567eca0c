// SPDX-License-Identifier: MIT

// Package lockfaults holds what happens to holders and waiters of locks, as
// tests that run against holdfast and its peers alike, on a real Redis and
// with the settings that each peer recommends for one.
//
//	go test ./lockfaults -v        prints the tables
package lockfaults
