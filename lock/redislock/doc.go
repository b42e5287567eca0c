// SPDX-License-Identifier: MIT

// Package redislock keeps the holds of package lock in Redis.
//
//	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
//
// # Guarantees
//
// Every operation is one Lua script, so it happens as a whole or not at all,
// and takes one round trip; a second one when the server had forgotten the
// script. The server's own TIME decides, never a client's clock. A script
// that the client sends again because a reply was lost grants nothing twice
// and counts no extension twice. Groups (lock.Config.GroupBy) share nothing:
// each has its own keys, in one slot of a Cluster.
//
// # What is not guaranteed
//
//   - Redis replicates asynchronously: a failover, a FLUSHALL or an eviction
//     may lose holds that were granted. Fences still rise, as long as the
//     clocks of the two servers differ by less than the time between the two
//     grants. Set maxmemory-policy to noeviction, and have what you protect
//     check the fence.
//   - Deadlines are whole milliseconds. A hold may end up to 1 ms before its
//     TTL, which leases make up for by ending earlier themselves.
//   - What was released, or given up while it was on its way, is remembered
//     for [lock.RememberFor]. A release that the client repeats later than that
//     answers that there was nothing to release, and a claim that arrives
//     later holds until its TTL ends.
//   - TryAcquire waits for nobody, so it may take what somebody in the queue
//     was about to be granted.
//
// A server at its memory limit refuses new holds; extending and releasing go
// on.
//
// # Waiting
//
// A claim that waits and is blocked gets a place in the queue in the same
// script, for three seconds after each try. Whatever frees something wakes
// those who can go, in order: whom no hold and no earlier waiter is in the way
// of.
//
//	waiter                 server                    holder
//	  │── acquire ──────────▶│ blocked: place 1         │
//	  │                      │◀───────────── release ───│
//	  │◀─── publish: go ─────│ frees, wakes             │
//	  │── acquire ──────────▶│ granted, wakes others    │
//
// All who wait in a store share one subscription. It is opened by the first
// and closed five seconds after the last; it also ends with the client. A
// message may get lost, so a waiter tries again when the first hold in its way
// ends, and once a second, which keeps its place, too. The dead drop out: at
// once where PUBLISH finds that nobody listens, else with their place.
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
//	 u  ZSET  │ untold: id of an expired hold                   (score as in x) │ not recorded yet
//	 q  ZSET  │ queue: id of a claim                  (score: in order of arrival) │ who waits
//	          └────────────────────────────────────────────────────────────────┘
//
// The prefix is that of [WithPrefix], the space is lock.Config.Name. In all
// three "{", "}" and "%" are written as %7B, %7D and %25, and the empty group
// as %.
//
// A key alone in its claim, of a name with a capacity of one, has the name for
// itself: its id is in the ledger under "=" and the name. That is its slot. Any
// other hold has one member in the index for each part. A claim looks at both,
// so keys and spans of a name exclude each other. Names have no NUL, and
// what follows has a fixed length up to the id: kind is a digit (see
// [lock.Kind]), from and to are 7 bytes each, big endian, 2^52 added, units
// are 4 bytes. So the order of the bytes, by which Redis sorts, is that of
// names, kinds and bounds. A member, or a slot, counts only while x has its
// id with a score in the future: they may lag behind, never the answer.
//
// Fields of the ledger that begin with # are of the group: #fence is the last
// one given, #until the time at which i, l and x go by themselves, or absent
// when nothing is to expire, #due a time before which nothing expires, #span and
// a name, NUL and kind the longest span of it where capacity was not 1, #spans how
// many of those there are, #queue says that the queue is not empty, and #wait
// and an id what is known of that waiter, as written in queue.lua.
//
// The keys live a week longer than the last hold, since an expired hold stays
// listed until somebody recorded it, up to 1024 of them; and after a week
// without a grant the clock is ahead of the fence for certain. A group where
// all was released or told leaves only l, with the fence in it, and x for as
// long as releases are remembered: they have negative scores, 4·ms + how -
// 2^50, how being 0 for a release, 1 for one without the token, 2 for a claim
// given up.
//
// # Records
//
//	record  = version token parts body
//	parts   = count part… | "=" name, of a key that has a slot
//	part    = name kind from to units
//	body    = fence lag ends extensions nonce holder reason count (key value)…
//
// Version is one character, "1" for this one. Kind, from, to and units are as
// in the index. Other numbers are decimal digits and a comma, texts their
// length, a colon and their bytes; nothing in front of the comma or colon means
// 0. Lag is how many milliseconds the hold was acquired before the time of its
// fence, which is in microseconds; ends is when MaxHold is used up, in
// milliseconds, 0 = never; nonce is that of the last counted extension. The
// token never leaves the server.
//
// # Versions
//
// Version N of the format reads N-1. Of a record of a later version it reads
// what comes before the body, which is the same in all: such a hold is alive,
// in the way and listed, as an id, a place and a time; it can be released; it
// cannot be extended. When it expires it is left for a program that can
// record it. Members of the index and the keys are the same in all versions.
package redislock
