// SPDX-License-Identifier: MIT

// Package redissession keeps sessions in Redis: one string for each session, and
// indexes that change with it in one step.
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
//	defer client.Close()
//	carts, err := session.New(redissession.New(client), session.Config[Cart]{Name: "carts"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	carts.Start() // removes expired sessions in the background
//	defer carts.Stop(ctx)
//
// It needs Redis 6.2 or later, or a compatible server, and works with a single
// server, with Sentinel and with a Cluster. It uses no keyspace notifications,
// CONFIG, SCAN, KEYS or modules, but for the SCAN of [Store.Repartition]; a List of
// all sessions uses ZSCAN on the indexes.
//
// # Keys
//
//	<prefix>:<Config.Name>:session:{<partition>}:…  sessions and their indexes
//	<prefix>:<Config.Name>:session:partitions       how many partitions there are
//	<prefix>:inbox:<random>                         a channel for each store that waits
//
// The characters %, :, { and } of a name are written as %25, %3A, %7B and %7D. The
// first byte of its hash decides in which partition a session is; there are 16
// unless [WithPartitions] sets another number. A partition is a hash tag, so all keys
// that change together are in one slot of a Cluster. Scripts also use keys of that
// slot that only stored data name: Redis Cluster allows it; a proxy that maps keys to
// servers has to map them by hash tags.
//
// Every key has a time to live, as a safety net. What decides is the deadline in the
// record, which each script that reads it compares with the TIME of the server: an
// expired session is expired, whether or not Redis has removed it.
//
// # Waiting for a lease
//
// The script that finds a lease taken gives the call a place in line. The script that
// frees the lease gives the turn to the first in line, and publishes that to the inbox
// of its process, a subscription that is open while a call waits. Once a second the
// store pings the partitions where calls wait, in one pipeline: that keeps the places,
// and finds turns whose message was lost. So where subscribing or PUBLISH is not
// allowed, a turn comes up to a second late. A process that was not heard of for three
// seconds loses its places.
//
// # Versions
//
// Each record has the version of its format. A process that does not know a version
// leaves such records alone, and managers return [session.ReasonUndecodable]; deadlines
// and Delete work all the same. A version is released in two steps, first reading and
// then writing it, so that processes of two versions can run at once.
//
// # Cost
//
// n is the number of sessions in a partition. A trip is one EVALSHA, unless the
// table says otherwise, and one EVAL more when the server does not know the
// script yet. The first call of a process for a Config.Name takes one GET more, for
// the number of partitions, and the first of all two trips more.
//
//	Create       1 trip           O(log n); at MaxPerOwner O(the owner's sessions)
//	Load         1 trip           O(1), reads only; with touch O(log n)
//	Save         1 trip           O(log n)
//	Move         1 trip           O(log n), within a partition
//	             2 trips          between partitions; 3 without StoreWrite.CreatedAt and Restart
//	Delete       1 trip           O(log n) for each; several partitions: 1 pipeline
//	 of an owner 1 trip for each 64 of the owner's sessions: O(log n) for each
//	List         2 trips for each 64 of the owner's sessions
//	 of all      1 or more trips for each partition + 2 for each 64 sessions
//	Claim        1 pipeline + 1 trip for each partition visited, and for each 200 records
//	             of it (or 64, or 1 MiB, with their payload): O(Max · log n)
//	 settling    1 trip           O(log n) for each; several partitions: 1 pipeline
//	Count        1 pipeline       O(log n) for each partition
//	Quarantined  1 trip for each partition + 1 for each 64 records
//	Restore      2 trips          O(log n)
//	removal into a quarantine     and, once a script, O(the partition's records there)
//	a payload that is corrupted   1 trip more, to remove it
//
// These are atomic: every call on one session, with its indexes; Create
// with the limit and the index of an owner; a Move within a partition; the
// share of one partition in Claim, Count and a Delete of many.
//
// # Guaranteed
//
//   - A write repeated with its nonce, by the caller or by the client after a
//     lost reply, is the same write: the answer has the revision that it made,
//     also when up to 4 others have saved since. After more than 4, a Save whose
//     reply the client has lost is an error, which managers return as
//     [session.ErrUnavailable]: it was carried out once or not at all. It is
//     never reported as a conflict, after which an Update would repeat its
//     change.
//   - A Create that the network delivers after its own retry, up to two minutes
//     late, does not bring back a session that was deleted in between.
//   - A touch writes 18 bytes in place and two index entries. A Load that needs
//     no touch writes nothing and replicates nothing.
//   - A Move between partitions that fails in the middle leaves the old session
//     as it was. Until the copy lapses there is a session under an id that no
//     caller has received.
//   - A call returns when its context ends, whatever the timeouts of the client.
//   - A cleanup holds up others for a few milliseconds at most: a script that claims
//     200 records, or 64 with 1 MiB of payloads, takes about 2 ms.
//
// # Not guaranteed
//
//   - Survival of what Redis loses: after a failover, asynchronous replication
//     can have lost the last writes, and a maxmemory policy that evicts keys
//     evicts sessions, too. An index entry without its session is reported as
//     [session.ReasonVanished]. A session without its index entries gets them back
//     with its next touch or Save, and is neither counted nor reported until
//     then; nor is it found as its owner's, which List and Delete then say. Where
//     Redis has evicted both the expiry index and the list of owners of a partition,
//     the second before the first was back, they say so only if scripts may call
//     INFO, and as long as a new session there can live. A backlog without its claims
//     is found by the next Claim.
//   - A whole List while a slot of a Cluster moves: Redis shows what has moved as all
//     that there is. A Delete of an owner says then that it is incomplete. No update
//     is lost, and calls may fail with [session.ErrUnavailable] meanwhile.
//   - A whole List by a client of a Cluster that reads from replicas (ReadOnly,
//     RouteByLatency or RouteRandomly), which lag behind; [Store.Check] warns.
//   - New sessions at full memory under the policy noeviction: Create, Save and
//     new leases fail and change nothing. Touches, renewals, Delete, Claim and
//     settling work, so existing sessions stay and the cleanup frees memory.
//   - That a repeated write is answered as done when the session has ended since:
//     the answer is missing, as it would be a moment later.
//   - That a Delete, or the taking of a lease that was saved and freed, which the
//     network delivers after its own retry does nothing: the Delete ends a
//     conversation that was begun anew in between, and the lease keeps others
//     waiting until it ends. The taking of a lease that was given up does nothing.
//   - The order of a line through a failover that lost it, for a process that was not
//     heard of for three seconds, or when the server's clock steps forward as far: those
//     who wait get new places.
//   - One handler of an expired session, when the server's clock steps forward by more
//     than its claim has left: another process is given the session, too.
//   - A total order of Claim: within a partition the oldest come first, and the
//     partition that has the oldest of all goes first.
//   - That a changed header is noticed: the checksum covers the payload only.
//   - That ends are reported exactly once without StoreClaim.Payload: when the
//     reply of a Claim is lost, its records are removed and not reported.
//   - Secrecy: [session.Sealed] encrypts what records contain.
package redissession
