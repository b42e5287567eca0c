// SPDX-License-Identifier: MIT

// Package redislock keeps the holds of package lock in Redis.
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
//	defer client.Close()
//	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer rooms.Close(ctx) // releases what is held
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
//   - The store remembers for [lock.StoreRememberFor] that a claim was given up, and
//     that a hold was released whose claim may arrive again, since it was sent more
//     than once or not answered. A claim that arrives later than that holds until
//     its TTL ends.
//   - Other releases are not remembered. One that is sent again, because its answer
//     got lost, is answered as done until the hold would have expired. So Release
//     may then return nil although the hold had been lost in a failover, or been
//     ended by force longer than lock.StoreRememberFor ago.
//   - TryAcquire ignores the queue, so it may take what the first waiter was
//     about to be granted.
//
// A server at its memory limit refuses new holds. Extending and releasing still
// work.
//
// # Waiting
//
// A blocked claim of Acquire gets a place in the queue in the same script. The
// script that frees something records the hold of the next claims that fit, in
// order, and publishes each grant to the inbox of its store.
//
//	waiter                 server                        holder
//	  │── acquire ──────────▶│ blocked: place 1              │
//	  │                      │◀──────────────────── release ─│
//	  │◀─ publish: granted ──│ frees, grants for 2 s         │
//	  │── confirm ──────────▶│ for the TTL                   │
//
// An inbox is one subscription for all that wait in a store. The first waiter
// opens it. It is closed five seconds after the last has left, or with the
// client. Each second the store pings once for each group where it waits: that
// keeps its places, asks for grants whose message was lost, and passes on what
// lapsed. If the server has fewer places than the store has waiters, all ask
// again. The places of a store that was not heard of for three seconds are
// dropped, and so are those of a store that did not confirm a grant.
//
// A script looks at the waiters of the names that it frees and at no others: at
// one more than it serves for keys and units, at those that overlap for spans.
// It stops at 128, at 512 of their parts, or when it has gone over 8192 places,
// which takes some milliseconds; a confirmation or a ping goes on. So does any
// script that finds expired holds or dropped places: each removes 1024 of their
// parts at a time.
// A name has room for 4096 places. Where PUBLISH is not allowed, waiters ask
// once a second.
//
// # Keys
//
// A group has five keys, however many names are in it:
//
//	<prefix>:<space>:lock:{<group>}:<letter>
//
//	          ┌────────────────────────────────────────────────────────────────┐
//	 i  ZSET  │ index: name NUL kind from to units id                 (score 0) │ who holds what
//	 x  ZSET  │ expiry: handle           (score: ms since 1970, < 0: has ended) │ until when
//	 l  HASH  │ ledger: handle → record, ?id → place, # → of the group          │ the rest
//	 u  ZSET  │ unrecorded: id of an expired hold               (score as in x) │ not yet reported
//	 q  ZSET  │ queue: name NUL turn kind from to units id            (score 0) │ who waits for what
//	          └────────────────────────────────────────────────────────────────┘
//
// The prefix is that of [WithPrefix], the space is lock.Config.Name. In all
// three "{", "}", ":" and "%" are written as %7B, %7D, %3A and %25, and the empty
// group as %.
//
// A claim of one key, whose name has a capacity of one, takes the name's slot: its
// handle is "=" and the name. The handle of any other hold is its id, and it has a
// member in the index for each of its parts. A claim looks at the slot and at the
// index, so keys and spans of a name exclude each other. An expired hold has its
// record under its id until it is recorded.
//
// Names have no NUL, and what follows the NUL has a fixed length up to the id:
// kind is a digit (see [lock.Kind]), from and to are 7 bytes each, big endian, 2^52
// added, units are 4 bytes. So Redis, which sorts by bytes, sorts by name, kind and
// bounds. A slot or a member counts only while x has a score in the future for the
// slot, or for the member's id. Stale ones may remain for a while, and change no
// answer.
//
// Fields of the ledger that begin with # belong to the group:
//
//   - #fence is the last fence granted.
//   - #until is the time at which the keys expire; x sooner, while the group rests.
//   - #due is a time before which no hold expires; absent if none is to expire.
//   - #span with a name, NUL and kind is the longest span of that name and kind
//     whose capacity was not 1, and #spans is the number of such fields.
//   - #seq is the last turn in the queue, #more what a script had to leave to
//     the next, #mute when the server last refused to publish.
//
// Further fields: + and a name is the number of members that the name has in the
// queue, absent without any; ^ and an id is how far into the queue a script looked
// for others in the way of a waiter, when it did not come to the end; ? and an id
// is the place of a waiter:
//
//	place   = turn inbox parts ttl longest keep token capacity… holder reason count (key value)…
//
// The queue also has NUL inbox NUL id for each place, and NUL NUL inbox NUL handle
// for each grant that was not confirmed yet. In x, @ and an inbox has the time at
// which the inbox stops counting; for five seconds, "!" with a token and an id has
// who released a hold that is kept, or what was ended by force.
//
// The keys live a week longer than the last hold: an expired hold stays listed
// until it is recorded, up to 1024 of them, and after a week without a grant the
// clock is certainly ahead of the fence. A group of which every hold was released
// or recorded leaves only l, with the fence, and x for as long as releases are
// remembered. It has these under their ids, with negative scores, 4·ms + how - 2^50,
// where how is 0 for a release, 1 for a release without the token, and 2 for a claim
// given up. A release by the token is remembered only if the claim may arrive again.
//
// # Records
//
//	record  = version token parts body
//	parts   = count part… | "=" name, of a lone key | "=" id, of one in its slot
//	part    = name kind from to units
//	body    = fence lag ends extensions keep nonce inbox holder reason count (key value)…
//
// Version is one character, "1" for this one. Kind, from, to and units are as
// in the index. Any other number is its decimal digits and a comma, a text is
// its length, a colon and its bytes; nothing before the comma or colon means 0.
// The fence is a time in microseconds, and lag is how many milliseconds the hold
// was acquired before it. Ends is when MaxHold is used up, in milliseconds,
// 0 = never. Keep is the time before which a release leaves the hold in place.
// Nonce is that of the last counted extension. Inbox is that of the holder, "?"
// and an inbox until the grant is confirmed, or "." for a hold that was released
// and is kept. The token is a digest of what the holder knows, and followed by a
// NUL and a second one if the hold was taken over with that. It never leaves the
// server.
//
// # Versions
//
// A program of version N reads and extends records of versions N and N-1, and
// writes N. A new version may only append to the body, so that the scripts of N
// find the fields of N-1 where they were.
//
// Of a record of a later version a program reads only what comes before the
// body, which is the same in all versions. Such a hold blocks others, is listed
// with its id, resource and time, and can be released. It cannot be extended, and
// when it expires it is left for a program that can read it. Members of the
// index and the keys are the same in all versions.
package redislock
