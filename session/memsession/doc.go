// SPDX-License-Identifier: MIT

// Package memsession keeps sessions in the memory of one process, with the
// semantics of the shared stores: compare-and-swap, leases, claims, limits. It
// is for tests, for development, and for services of one process whose sessions
// may end with it.
//
//	notes, err := session.New(memsession.New(), session.Config[string]{Name: "notes"})
//	if err != nil {
//		log.Fatal(err)
//	}
//
// A store has no goroutine, and a timer only for calls that wait for a lease. An
// expired session is answered as expired at once. It stays in memory until the
// cleanup of a manager claims it; without a cleanup, the creation of other
// sessions removes it once session.Config.Grace has passed. Creating, touching,
// saving and claiming cost O(log n) each; only All and DeleteAll walk over all
// sessions.
package memsession
