// SPDX-License-Identifier: MIT

// Package sessiontest checks that a [session.Store] does what session's
// manager relies on. A store's own test calls [Run]:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t testing.TB) session.Store { return mystore.New() })
//	}
//
// Each case is named after the rule that it checks, and a failure says what
// the broken rule would mean to users. [Virtual] runs the cases in virtual
// time, in milliseconds; without it they wait for real. [Corrupt] and [Vanish]
// add the cases about damaged and lost records.
package sessiontest
