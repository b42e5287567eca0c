// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"iter"
	"time"
)

// Store keeps the records of one or more managers. Package redissession keeps
// them in Redis, package memsession in the process; package sessiontest checks
// others.
//
// It sees hashes and encoded bytes, never tokens, subjects or payload types.
// Every answer is a status; an error means only that the store did not answer,
// and that the outcome may be either. A write carries a nonce, so that
// repeating it is harmless: it is known, and answered as at first, until more
// than four others have followed. Time is the store's own.
//
// A record whose deadline has passed has lapsed: nothing revives it, and it
// waits for Claim. When Create needs its place, it is set aside and still
// found by Claim. A record whose bytes are damaged is Broken: the call that
// finds out removes it in the same step, or quarantines it when the request says
// so, and it is reported once. One that a later version of the store has written
// is Newer: only Delete, or Claim without a payload, remove it. Claim with one
// hands it out without.
//
// Those who want a lease that is not free for them wait in line when their
// request has a Turn: the answer is Leased, and they have a place. What frees a
// lease gives the turn to the first of the line, in the same step, and has its
// Turn called; the request is then repeated, which takes the lease or, where it
// has no place any more, gets one at the end. A turn that is not taken within
// [StoreTurnTime] is the next one's, and so is the lease of a record that was
// removed. A request with LeaseFor 0 gives up the lease or the place of that
// name. A place of a process that was not heard of for some seconds is dropped.
//
// What only stores need begins with Store, and their answers with Status. Requests
// and answers grow by fields. Implementations must be safe for
// concurrent use and must not keep or hand out memory that the caller changes.
// One that was made without what it needs, such as a client, answers each call
// with an error that matches [ErrInvalid], which managers return as it is.
type Store interface {
	// Create inserts w, and takes w.Lease for it if that is set. It never
	// overwrites a live record: Exists carries what is there, touched and
	// leased as Load would do, or the answer is Leased when w.Lease is set and
	// another caller has it. OverLimit means that the owner has MaxPerOwner live
	// records already. Of an owner far over that it ends as many as hold up others for
	// about a millisecond, and leaves the rest for later calls. A nonce that the record found remembers is a retry:
	// Done, with the revision that it made. Missing says the same of a record
	// that has ended since. A few records that no Claim came for within their
	// Keep are removed, so that a store in which nothing claims does not grow.
	Create(ctx context.Context, w StoreWrite) (StoreReply, error)

	// Load returns a live record, moving its idle deadline when l.Touch is
	// set and the last activity is at least l.TouchEvery ago, or half of the
	// record's own idle timeout if that is less; neither payload nor revision are
	// written. With l.Lease it also takes, renews or frees
	// the record's lease, or answers Leased and touches nothing.
	Load(ctx context.Context, l StoreLoad) (StoreReply, error)

	// Save replaces the payload of a live record whose revision is w.Rev, and
	// moves its idle deadline by its own idle timeout. Stale carries the current
	// record. A lease that another caller holds is Leased, and so is a w.Lease that
	// is not held any more. A write that is repeated is Done again, with the
	// revision that it made; when it is not remembered and may have been made,
	// that is an error.
	Save(ctx context.Context, w StoreWrite) (StoreReply, error)

	// Move creates w and deletes from, keeping its times unless w.Restart is set
	// (Rotate, Bind). Like
	// Save it wants from to be live, at revision w.Rev and not leased; like
	// Create it heeds MaxPerOwner, not counting from itself. w.CreatedAt and
	// w.Deadline repeat from's, or are zero where the caller does not know
	// them: a store that keeps both records in one place does not need them.
	//
	// With w.Grace, from's hash goes on answering for so long, but no longer than
	// from would have lived: Moved, with Record.Next, or with w.Freeze Frozen, with what
	// it was and no owner to each Load that takes no lease, and without to all other
	// calls. It is in no index and no count. Without w.Freeze both hashes begin with
	// the same byte. Delete of a hash that is Moved deletes the record that it leads
	// to, and Delete of an owner spares that for an exception; one that is Frozen
	// counts as none.
	Move(ctx context.Context, from StoreHandle, w StoreWrite) (StoreReply, error)

	// Delete removes records, readable or not. Expired ones that a Claim handed
	// out, or that were set aside, are not its concern. Of an owner's many it
	// removes as many as hold up others for about a millisecond, and answers More.
	Delete(ctx context.Context, d StoreRemove) (StoreRemoved, error)

	// List yields the live records of an owner, or of the whole space if that is
	// zero, reading a part of them at a time. One may come twice. Broken ones are left out.
	// Its last error matches [ErrIncomplete] when records of the owner may be missing.
	List(ctx context.Context, l StoreList) iter.Seq2[StoreRecord, error]

	// Claim ends the claims that c.Settle names, and then takes up to c.Max
	// records that are due, oldest first (in a store that is split: in each
	// partition, the one with the oldest first), each given to one caller until
	// c.For has passed. Lapsed ones are due, and
	// those whose claim ran out or whose StoreSettle.Retry has passed. Broken
	// and vanished ones are reported and removed, whatever c.Payload says; without it
	// a store need not read payloads to find damage.
	Claim(ctx context.Context, c StoreClaim) (StoreClaimed, error)

	// Count reads the number of live records from the index.
	Count(ctx context.Context, space string) (StoreCount, error)
}

// StoreQuarantine is a [Store] that can keep damaged records aside, when a request says
// so: [New] refuses [QuarantineCorrupt] with any other, which never gets such a request.
type StoreQuarantine interface {
	Store

	// Quarantined yields what is in quarantine, which is bounded in bytes: the
	// oldest go when it is full.
	Quarantined(ctx context.Context, space string) iter.Seq2[Quarantined, error]

	// Restore puts a record back from quarantine, trusting its bytes from now on
	// and with its deadlines: Done, Exists when a record is in its place, Missing,
	// or Broken when the bytes are no record. One that has lapsed is due at once,
	// at its first attempt, even when a newer record is in its place.
	Restore(ctx context.Context, space, id string) (StoreStatus, error)
}

// StoreTurnTime is how long the first of a line has to take the lease when that is
// free.
const StoreTurnTime = 2 * time.Second

// Hash stands for an id or a subject: the first 16 bytes of a SHA-256. The
// first byte is the partition: the records of an owner have their owner's, so
// that a store may keep them together.
type Hash [16]byte

// StoreHandle names a record. Owner is the hash of its subject; zero = none.
type StoreHandle struct {
	Space string // Config.Name
	Hash  Hash
	Owner Hash
}

// StoreRecord is one session as the store keeps it.
type StoreRecord struct {
	StoreHandle
	Rev                     uint64 // rises with each write, never repeats for a handle, also not after Delete and Create
	Payload                 []byte
	CreatedAt, LastActivity time.Time
	ExpiresAt               time.Time // the earlier of the idle and the absolute deadline
	Deadline                time.Time // the absolute one; zero = none
	Idle                    time.Duration
	Next                    Hash // Moved and Frozen: where the record is now
}

// StoreWrite asks to store a payload.
type StoreWrite struct {
	StoreRecord
	Nonce       uint64        // the same nonce is a retry of this very write; 0 = there are none
	Total       time.Duration // Create, and Move with Restart: 0 = no absolute deadline. Idle is used by Create and Move, and always set there
	Grace       time.Duration // Move
	Freeze      bool          // Move
	Restart     bool          // Move: it is created now, and Total counts from now
	TouchEvery  time.Duration // Create: as in StoreLoad, for a record that exists
	Keep        time.Duration // a lapsed record waits so long for Claim at least; remembered with the record
	Lease       string        // Create: take it. Save: it must be held; "" = no one may hold one
	LeaseFor    time.Duration // Create
	Turn        func()        // Create: as in StoreLoad
	Free        bool          // Save: give the lease back
	MaxPerOwner int           // Create, Move: 0 = unlimited
	WhenFull    FullPolicy
	Quarantine  bool // keep a broken record aside instead of deleting it
}

// StoreLoad asks for a record.
type StoreLoad struct {
	StoreHandle
	Touch      bool          // false = leave the idle deadline alone (Peek)
	TouchEvery time.Duration // 0 = touch every time
	Lease      string        // take the lease under this name, or renew it when it is held already
	LeaseFor   time.Duration // 0 = give it back; that never fails for want of it
	Held       bool          // renew only: Leased when it is not held any more
	Turn       func()        // wait in line for the lease: called when the request is worth repeating, and perhaps more often; must be quick
	Bare       bool          // leave the payload out of the answer
	Quarantine bool          // as in StoreWrite
}

// StoreStatus is a store's answer, which comments name without the prefix.
type StoreStatus uint8

const (
	StatusDone      StoreStatus = iota
	StatusMissing               // no such record
	StatusLapsed                // its deadline has passed; also Missing once it is claimed or gone
	StatusExists                // Create: with the record that is there
	StatusStale                 // Save, Move: another revision; with the current record
	StatusLeased                // another caller has the lease
	StatusOverLimit             // the owner has too many
	StatusBroken                // the bytes were damaged, and are gone; StoreReply.Reason says what was wrong
	StatusMoved                 // it has another hash now: StoreRecord.Next
	StatusFrozen                // it has moved, and shows what it was: read only
	StatusNewer                 // a live record of a later version of the store, which is left alone
)

// String returns the status in lower case, such as "stale".
func (s StoreStatus) String() string {
	return name(s, "done", "missing", "lapsed", "exists", "stale", "leased", "over_limit", "broken", "moved", "frozen", "newer")
}

// StoreReply is a store's answer with its details. On Done and Exists, Record has
// the state after the call.
type StoreReply struct {
	Status  StoreStatus
	Record  StoreRecord
	Touched bool
	Reason  EndReason // Broken: Corrupted or InvalidFormat
	Evicted []StoreHandle
	Retry   time.Duration // Leased: when the lease ends at the latest
}

// StoreList asks for the live records of an owner, or of all.
type StoreList struct {
	Space  string
	Owner  Hash          // zero = all
	Within time.Duration // bounds each round trip, as only ctx bounds them all; 0 = ctx alone
}

// StoreRemove names records to delete. With Owner set, it means the records of
// the owner except Handles.
type StoreRemove struct {
	Space   string
	Handles []Hash
	Owner   Hash
	Payload bool // hand out the payload of each of Handles that is intact
}

// StoreRemoved contains what was removed. Only the handle's space and hash are
// certain.
type StoreRemoved struct {
	Removed    []StoreRecord
	More       bool // the owner has more
	Incomplete bool // the store may have lost the places of some in the owner's index
}

// StoreClaim asks for records that are due.
type StoreClaim struct {
	Space   string
	Settle  []StoreSettle
	Max     int // 0 = only settle
	For     time.Duration
	Payload bool // keep a lapsed record until Settle and hand out its payload; false = remove it now

	Quarantine bool // as in StoreWrite
}

// StoreClaimed contains records that are due.
type StoreClaimed struct {
	Due      []StoreDue
	Rescored int  // index entries corrected: their records were alive
	More     bool // there may be more
}

// StoreDue is one record that has ended. Of a broken or vanished one only the
// handle's hash is certain.
type StoreDue struct {
	StoreRecord
	Reason  EndReason // Idle, Absolute, Vanished, Corrupted or InvalidFormat
	Attempt int       // 1 the first time it is handed out
}

// Quarantined is a record that was set aside because it was damaged, or because no
// call of OnExpire succeeded. Of one that is no record at all, only the handle's
// space and hash are set, and Payload is all of its bytes.
type Quarantined struct {
	StoreRecord
	ID string    // for [Manager.Restore]
	At time.Time // when it was set aside
}

// StoreSettle ends the claim of one record at one revision: it is gone for good,
// or due again. A record of another revision is left alone.
type StoreSettle struct {
	StoreHandle
	Rev        uint64
	Retry      time.Duration // due again after so long; 0 = gone for good
	Quarantine bool
}

// StoreCount contains the numbers of an index.
type StoreCount struct {
	Active      int64 // live records
	Backlog     int64 // lapsed ones that no Claim has settled
	Quarantined int64
	Oldest      time.Duration // how long the oldest of the backlog has been due
}
