// SPDX-License-Identifier: MIT

// Package redislock keeps the holds of package lock in Redis.
//
//	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
//
// # Guarantees
//
// Every operation is one Lua script. It happens as a whole or not at all, and
// takes one round trip, or two if the server has forgotten the script. The
// server's TIME decides, never a client's clock. A script that the client sends
// again after a lost reply grants nothing twice and counts no extension twice.
// Groups (lock.Config.GroupBy) share nothing: each has keys of its own, in one
// slot of a Cluster.
//
// # What is not guaranteed
//
//   - Redis replicates asynchronously: a failover, a FLUSHALL or an eviction
//     may lose holds that were granted. Fences still rise, as long as the
//     clocks of the two servers differ by less than the time between the two
//     grants. Set maxmemory-policy to noeviction, and have the protected
//     system check the fence.
//   - Deadlines are whole milliseconds. A hold may end up to 1 ms before its
//     TTL. Leases allow for that: they end earlier.
//   - The store remembers for [lock.RememberFor] that a hold was released, or
//     that a claim was given up. A release repeated later than that answers
//     that there was nothing to release, and a claim that arrives later than
//     that holds until its TTL ends.
//   - TryAcquire ignores the queue, so it may take what the first waiter was
//     about to be granted.
//
// A server at its memory limit refuses new holds. Extending and releasing still
// work.
//
// # Waiting
//
// A blocked claim of Acquire gets a place in the queue in the same script. The
// place lasts three seconds after each try. A script that frees something wakes,
// in order, the waiters that no hold and no earlier waiter blocks.
//
//	waiter                 server                    holder
//	  │── acquire ──────────▶│ blocked: place 1         │
//	  │                      │◀───────────── release ───│
//	  │◀─── publish: go ─────│ frees, wakes             │
//	  │── acquire ──────────▶│ granted, wakes others    │
//
// All waiters of a store share one subscription. The first waiter opens it. It
// is closed five seconds after the last has left, or with the client. A message
// may get lost, so a waiter also tries again when the first hold in its way
// ends, and once a second, which renews its place. The place of a dead waiter
// ends at once if PUBLISH finds no receiver, and after three seconds otherwise.
//
// # Keys
//
// A group has five keys, however many names are in it:
//
//	<prefix>:<space>:lock:{<group>}:<letter>
//
//	          ┌────────────────────────────────────────────────────────────────┐
//	 i  ZSET  │ index: name NUL kind from to units id                 (score 0) │ who holds what
//	 x  ZSET  │ expiry: id   (score: ms since 1970, < 0 for what was released) │ until when
//	 l  HASH  │ ledger: id → record, =name → id, # → what is known of the group │ the rest
//	 u  ZSET  │ unrecorded: id of an expired hold               (score as in x) │ not yet reported
//	 q  ZSET  │ queue: id of a claim                  (score: in order of arrival) │ who waits
//	          └────────────────────────────────────────────────────────────────┘
//
// The prefix is that of [WithPrefix], the space is lock.Config.Name. In all
// three "{", "}" and "%" are written as %7B, %7D and %25, and the empty group
// as %.
//
// A claim of one key, whose name has a capacity of one, takes the name's slot:
// the ledger has its id under "=" and the name. Any other hold has a member in
// the index for each of its parts. A claim looks at both, so keys and spans of a
// name exclude each other. Names have no NUL, and what follows the NUL has a
// fixed length up to the id: kind is a digit (see [lock.Kind]), from and to are
// 7 bytes each, big endian, 2^52 added, units are 4 bytes. So Redis, which sorts
// by bytes, sorts by name, kind and bounds. A member or a slot counts only while
// x has its id with a score in the future. Stale ones may remain for a while,
// and change no answer.
//
// Fields of the ledger that begin with # belong to the group:
//
//   - #fence is the last fence granted.
//   - #until is the time at which i, l and x expire; absent if no hold is to
//     expire.
//   - #due is a time before which no hold expires.
//   - #span with a name, NUL and kind is the longest span of that name and kind
//     whose capacity was not 1, and #spans is the number of such fields.
//   - #queue is there while the queue may have an entry, and #wait with an id is
//     the record of that waiter, described in queue.lua.
//
// The keys live a week longer than the last hold: an expired hold stays listed
// until it is recorded, up to 1024 of them, and after a week without a grant the
// clock is certainly ahead of the fence. A group of which every hold was released
// or recorded leaves only l, with the fence, and x for as long as releases are
// remembered. Those have negative scores, 4·ms + how - 2^50, where how is 0 for a
// release, 1 for a release without the token, and 2 for a claim given up.
//
// # Records
//
//	record  = version token parts body
//	parts   = count part… | "=" name, of a key that has a slot
//	part    = name kind from to units
//	body    = fence lag ends extensions nonce holder reason count (key value)…
//
// Version is one character, "1" for this one. Kind, from, to and units are as
// in the index. Any other number is its decimal digits and a comma, a text is
// its length, a colon and its bytes; nothing before the comma or colon means 0.
// The fence is a time in microseconds, and lag is how many milliseconds the hold
// was acquired before it. Ends is when MaxHold is used up, in milliseconds,
// 0 = never. Nonce is that of the last counted extension. The token never leaves
// the server.
//
// # Versions
//
// A program of version N reads and extends records of versions N and N-1, and
// writes N. A new version may only append to the body, so that the scripts of N
// find the fields of N-1 where they were.
//
// Of a record of a later version a program reads only what comes before the
// body, which is the same in all versions. Such a hold blocks others, is listed
// with its id, place and time, and can be released. It cannot be extended, and
// when it expires it is left for a program that can read it. Members of the
// index and the keys are the same in all versions.
package redislock
