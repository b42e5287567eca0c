// SPDX-License-Identifier: MIT

// Package grantmodel explores the protocol by which a release grants a lock to
// the next waiter: package lock and its scripts in lock/redislock follow it. The
// tests visit, breadth first, what up to four claimants in up to three processes
// and one server can do with one name of capacity 1, while messages get lost,
// doubled and late, processes stop and die, and the server's clock steps. A
// change of the protocol is made here first.
//
//	go test ./internal/grantmodel                                        the first states of each run
//	go test ./internal/grantmodel -run TheProtocolHolds/lost -v          one run, with its shortest violation
//	HOLDFAST_LONG=1 go test ./internal/grantmodel -timeout 2h            six million states of each run
//
// # Records of the server
//
// C is the lesser of the TTL and 2 s. Each process pings once a second. An inbox
// lives for 3 s after it was seen. An ending is remembered for 5 s.
//
//   - A hold has an id, a token, an end, a fence and an inbox, and may be
//     provisional. It is live before its end. A name has one live hold at most.
//   - The queue of a name has the ids that wait, in the order of their first
//     arrival, each with its inbox and its claim. A place is live while its inbox
//     is.
//   - An inbox has the time at which it was seen.
//   - An ending has the id of a hold that was released or a claim that was given
//     up.
//
// # Scripts
//
// A rule with a name in brackets is one without which the tests find a
// violation. Each script ends with rule 1, and makes its answer, which has the
// server's time n, after that.
//
//  1. Pass on. A lapsed hold is swept. If it was provisional, all places of its
//     inbox go with it [Drop]. While nothing is held and someone waits: the first
//     place is taken out; if it is live, a provisional hold with a higher fence
//     is recorded that ends at n + C, and then its end and fence are published to
//     the inbox. If publishing fails, the record is undone. No record may be
//     undone after its grant was published: a replica passes messages on, too.
//  2. A try has an id, a token, an inbox and, if it is to queue, the server's
//     time from which it is refused. A live hold of the id is granted as it
//     stands: a try neither confirms it nor moves its end. If an ending of the id
//     is remembered, or it is too late [Limit], the answer is missing. If nothing
//     is held and no live place is before that of the id, it is granted:
//     provisionally if it may queue, since it may have had a place before [Again],
//     else for the TTL. Otherwise it is blocked. If it may queue, it gets a place
//     or keeps the one that it has, and its inbox is seen.
//  3. A confirmation has an id and a token. A live hold is not provisional any
//     more and ends at n + TTL at the earliest. It is no extension. A hold that
//     has lapsed is missing and stays so.
//  4. A release, or giving up, has an id and a token. The place and the hold of
//     that id are deleted. The ending is remembered, unless the claimant held and
//     each of its tries was sent once and answered: then no copy of one can come
//     later [Copies]. A repeated one changes nothing. A hold of another id is never
//     touched.
//  5. A ping has an inbox, which is seen. The answer names the provisional hold of
//     the inbox, if there is one [Tell], and says how many places the inbox
//     has [Count].
//
// # Claimants
//
// A claimant waits, holds (unconfirmed or confirmed), leaves, and has ended.
//
//  6. A call notes the local time s before it is first sent, and ends after some
//     time without an answer. An answer that comes later is no one's. Each answer
//     to a try or a ping makes a pair of s and n; the newest counts. A try may
//     queue only if there is a pair. It is refused from n + 5 s on, plus the
//     local time since that answer was received.
//  7. One who waits has one try under way at most, always with the same id. It
//     asks again when it was blocked without a place, when the answer was missing
//     or did not come, and when one of the rules below says so. Asking when the
//     deadline in its way passes saves time; nothing depends on it.
//  8. If the answer to a ping has fewer places than there are claims in this
//     process that had a place when the ping was sent and wait still, those that
//     it names not counted, all that wait ask [Count]. So they do when the
//     subscription was interrupted.
//  9. A grant is learnt from an answer or a message. Its deadline is s + (end - n),
//     less the drift of clocks, by the pair of that answer, or for a message by
//     the newest pair and no later than C after it was received. It counts on
//     the monotonic clock and on the wall clock, each by itself. If the deadline
//     is to come, the claimant holds until then, and confirms at once if the
//     grant is provisional. If it is past, or there is no pair, it asks.
//  10. A holder ignores further grants. A confirmation is repeated until it is
//     answered or the deadline has passed, each one for C/4 at most. Its answer
//     replaces the deadline, also by an earlier one. If it is missing, the lease
//     is lost.
//  11. When its deadline passes, a lease is lost. One that was not confirmed is
//     given up as well: the server may have confirmed it [Undo].
//  12. Giving up, releasing and losing end the belief first. The release is sent
//     at once and repeated until it is answered [Repeat]. The id is not used again,
//     and is not given up while it may ask again.
//  13. A grant for an id that does not wait is counted and ignored.
//  14. A process that was stopped looks at its deadlines first and then at what has
//     arrived. The places of one that died go after 3 s, or with its first grant
//     that lapses.
//
// # What held
//
// In all that was explored, without a step of the server's clock, no two claimants
// believed at once and fences rose: with a message lost, one doubled and a
// process stopped for 4 s, and messages up to 2 s late. Not in the model are
// drift, the wall clock, publishing that fails, tokens, several names, bounds of
// the work of a script, and a server that loses data.
//
// A step of the server's clock forward by d makes a grant that was made after it
// believed too long by no more than the lesser of d and the delay of its
// message, until it is confirmed. Any hold that was granted before it is believed
// too long by no more than d. One may then begin to believe after one with a higher
// fence. A step of 3 s or more drops all places once; they come back in
// another order. A step backward makes no two believe at once. What a
// dead process left lives longer by d.
//
// A lock that is free reaches a live waiter within C + 1 s of the death or stop of
// another process, or of the loss of all its messages; within 2 C + 1 s, if the
// process died between believing and confirming. A lost message costs 1 s. A
// waiter that lost its place, because its process had stopped or the clock
// stepped, has a new one within 3 s, even when another of its process queued
// first. A try without a pair that arrives on a free lock more than 5 s late holds
// until its TTL; one with a pair is refused.
package grantmodel
