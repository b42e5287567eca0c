// SPDX-License-Identifier: MIT

// Package fault breaks the bot's parts on demand, so that a visitor or a test
// can watch how the rest copes.
//
//	part       broken by                       what the library then sees
//	PMS        the simulator's own modes       slow, failing, hanging or lost answers
//	audit      [Sink], in front of the sink    writes that fail
//	Redis      [Redis], a hook of the client   commands that fail at once
//	a session  [Codec], the sessions' codec    a record with a wrong checksum
//	cleanup    stopping its loop               a gauge that freezes
//
// A switch breaks the way to a part, not the part: other processes that use
// the same Redis or database do not notice.
package fault
