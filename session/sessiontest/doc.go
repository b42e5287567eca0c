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
package sessiontest
