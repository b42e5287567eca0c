// SPDX-License-Identifier: MIT

// Package sessiontest checks that a [session.Store] does what session.Manager
// relies on. The test of a store calls [Run]:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(testing.TB) session.Store { return mystore.New() })
//	}
//
// Each case is named after the rule that it checks, and its failure says what
// breaking the rule means to users. [Virtual] runs the cases in virtual time,
// within milliseconds; without it they wait in real time. [Corrupt] and [Vanish]
// add the cases about damaged and lost records.
//
// # Writing a store
//
// Each method is one atomic step: one transaction, one script, or one mutex as in
// package memsession, which is the shortest example. Create, Load, Save and Delete
// come first; with them a manager can do all but clean up. What is easily missed:
//
//   - Time is the store's own, in every comparison.
//   - A record remembers the revisions and nonces of its last five writes, or a
//     retry after a lost reply is a second write.
//   - A revision never repeats under a hash, also not after Delete and Create.
//   - A line is kept beside the record: it outlives a record that is deleted.
//   - Turn may be called too often, and never too seldom. A store that cannot
//     push calls it once a second for each that waits; what is asked in between
//     is answered Leased and keeps its place. It is called without a lock held.
//   - Delete of an owner's many removes some, without holding up others, and answers
//     More.
//   - Claim and List read an index; a record that the index misses is found again
//     with its next write.
package sessiontest
