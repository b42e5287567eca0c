// SPDX-License-Identifier: MIT

package session

// FullPolicy says what happens to a new session of a subject that has
// [Config.MaxPerSubject] already.
type FullPolicy uint8

const (
	Reject      FullPolicy = iota // the new one is refused with [ErrFull]
	EvictOldest                   // the one created first makes room
	EvictIdlest                   // the one idle for the longest makes room
)

// String returns the policy in lower case with underscores, such as
// "evict_oldest".
func (p FullPolicy) String() string { return name(p, "reject", "evict_oldest", "evict_idlest") }

// CorruptPolicy says what happens to a record that cannot be read.
type CorruptPolicy uint8

const (
	DiscardCorrupt    CorruptPolicy = iota // it is deleted
	QuarantineCorrupt                      // the store keeps it aside, where no call meets it
)

// String returns the policy in lower case, such as "quarantine".
func (p CorruptPolicy) String() string { return name(p, "discard", "quarantine") }
