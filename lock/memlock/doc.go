// SPDX-License-Identifier: MIT

// Package memlock keeps the holds of package lock in the memory of one
// process: for tests, for examples, and for programs that run as one process.
//
//	rooms, err := lock.New(memlock.New(), lock.Config{Name: "rooms"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer rooms.Close(ctx) // releases what is held
//
// It behaves like a shared store, which package locktest checks, but its holds
// end with the process.
//
// It starts no goroutine. A claim costs time in proportion to the live holds and
// the waiters of the names it wants, and what frees names looks at each of their
// waiters; every other call is logarithmic in the holds of the group. Expired
// holds stay listed until they are recorded: up to 1024 a group, for up to seven
// days.
package memlock
