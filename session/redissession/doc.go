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
// # Waiting for a lease
//
// A Load or Create that may wait gets a place in line in the same script that
// finds the lease taken. The script that frees the lease gives the turn to the
// first of the line and publishes that to the inbox of its process. The turn has
// no data: the Load that follows takes the lease.
//
//	waiter                 server                         holder
//	  │── Load ─────────────▶│ leased: a place in line       │
//	  │                      │◀────────────── Save and free ─│
//	  │◀─ publish: its turn ─│ gives the turn, for 2 s       │
//	  │── Load ─────────────▶│ takes the lease               │
//
// An inbox is one subscription of a store, <prefix>:inbox:<random>. The first who
// waits opens it, and it is closed five seconds after the last has left, or with
// the client. Each second the store pings the partitions where it waits, all in
// one pipeline. That keeps its places, gives the turn where a lease lapsed, and
// finds turns whose message was lost and places that were. Places of a store that
// was not heard of for three seconds are dropped. Where subscribing or PUBLISH is
// not allowed, turns are found by the ping.
//
// # Keys
//
// The first byte of its hash decides in which partition a session is; there are
// 16 partitions unless [WithPartitions] sets another number. The sessions of an
// owner have the first byte of the owner's hash. A partition is a hash tag, so
// all keys that change together are in one slot of a Cluster. The characters
// %, :, { and } of a name are written as %25, %3A, %7B and %7D.
//
//	<prefix>:<Config.Name>:session:partitions  string, their number; kept by cleanups
//	<prefix>:<Config.Name>:session:{<partition>}:<letter>…
//
//	d<hash>       string  a session: header and payload
//	x             zset    hash -> when it lapses, in ms: the expiry index
//	u<owner>      zset    hash -> when it lapses: the sessions of one owner
//	o             zset    owner -> until when u is there at least: the list of owners
//	e<hash><rev>  string  a lapsed session that is set aside until it is settled
//	c             zset    hash and revision -> when it can be claimed (again)
//	b             zset    hash and revision -> when it lapsed: the backlog
//	q             zset    hash, µs and size -> when it was put into quarantine
//	q<hash>…      string  a damaged record, as it was
//	m<hash>       string  nonce of a move to another partition, for two minutes
//	n<hash>       string  nonce of a Create that was sent more than once, as long
//	r             string  a revision that the clock has not passed yet; rare
//	w<hash>       zset    lease and inbox -> order: who waits for the lease
//	i<inbox>      string  a process that waits was seen; for three seconds
//	g<hash><name> string  a request for this lease was given up; for ten seconds
//
// Hashes, revisions and times in key names are raw bytes. Scripts declare in
// KEYS the keys that every run may use. Keys that only stored data name (o, members
// of x, c and u, the owner in a header, the quarantine) are made by appending to
// the base of KEYS[1]: they have its hash tag, so they are in its slot. Redis
// Cluster checks that; a proxy that maps keys to servers itself has to map them
// by hash tags.
//
// Every key has a time to live: d and e live until Deadline + Keep, x, u, c and b
// as long as their longest-living member or up to an eighth longer, o as long as x, q as long as [WithQuarantine] sets. Where
// no cleanup runs, each new record takes a few out of x that no Claim came for
// in time. These times are a safety net. What decides is the
// deadline in the header, which each script that reads it compares with the
// TIME of the server: an expired session is expired, whether or not Redis has
// removed it.
//
// # Records
//
// All numbers are big-endian. Times are ms since 1970 by the server's clock.
//
//	offset length field
//	     0      3 magic "hfs"
//	     3      1 version, 1
//	     4      1 0, or of what a move leaves in its place: 1 moved, 2 frozen
//	     5      1 reserved, 0
//	     6      2 how often it was handed out by Claim
//	     8      8 revision: µs since 1970 at first, then rising; below 2^53
//	    16      8 nonce of the write that made it, 0 = none
//	    24      6 created
//	    30      6 absolute deadline, 0 = none
//	    36      6 idle timeout in ms, 0 = none     \ a touch writes these
//	    42      6 last activity                    | 18 bytes in place
//	    48      6 when it lapses                   /
//	    54      4 seconds that it is kept for Claim after it lapsed
//	    58      4 CRC-32C of the payload
//	    62      8 lease: first bytes of SHA-256 of its name, 0 = free
//	    70      6 end of the lease
//	    76     16 hash of the owner, 0 = none; moved and frozen: of the record now
//	    92     64 revision and nonce of the 4 writes before, newest first
//	   156      - payload
//
// Scripts read the header and never the payload; this package computes and
// compares the checksum. Bytes that do not begin with a header are
// [session.ReasonInvalidFormat]; a payload that does not match its checksum is
// [session.ReasonCorrupted]. A later version may only append to the header: its scripts
// find the fields of a version-1 record at their places, and the next Save writes
// the new version. A process that does not know a version leaves such records
// alone, and managers return [session.ReasonUndecodable]; deadlines and Delete work by the
// fields of version 1. A version is released in two steps, first reading and then
// writing it, so that processes of two versions can run at once.
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
//	removal into a quarantine     and O(the partition's records in quarantine)
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
//     Redis has evicted both x and o of a partition, the second before the first was
//     back, they say so only if scripts may call INFO, and as long as a new session
//     there can live. A backlog without its claims is found by the next Claim.
//   - New sessions at full memory under the policy noeviction: Create, Save and
//     new leases fail and change nothing. Touches, renewals, Delete, Claim and
//     settling work, so existing sessions stay and the cleanup frees memory.
//   - That a repeated write is answered as done when the session has ended since:
//     the answer is missing, as it would be a moment later.
//   - That a Delete, or the taking of a lease that was saved and freed, which the
//     network delivers after its own retry does nothing: the Delete ends a
//     conversation that was begun anew in between, and the lease keeps others
//     waiting until it ends. The taking of a lease that was given up does nothing.
//   - The order of a line through a failover that lost it, or for a process that
//     was not heard of for three seconds: those who wait get new places.
//   - A total order of Claim: within a partition the oldest come first, and the
//     partition that has the oldest of all goes first.
//   - That a changed header is noticed: the checksum covers the payload only.
//   - That ends are reported exactly once without StoreClaim.Payload: when the
//     reply of a Claim is lost, its records are removed and not reported.
//   - Secrecy: [session.Sealed] encrypts what records contain.
package redissession
