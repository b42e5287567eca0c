// SPDX-License-Identifier: MIT

// Package memsession keeps sessions in the memory of one process, with the
// semantics of the shared stores: compare-and-swap, leases, claims, limits. It
// is meant for tests, for development, and for services of one process whose
// sessions may end with it.
//
// There is no goroutine and no timer. What has expired is answered as expired
// at once, and stays in memory until a manager's cleanup claims it, or, when
// nobody cleans up, until session.Config.Grace has passed and other sessions
// are created. Creating, touching, saving and claiming cost O(log n) each; no
// call walks over all sessions.
package memsession
