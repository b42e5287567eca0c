// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Observer receives an event for each operation of a [Manager] that [Op] names, when its
// outcome is known and without any lock held. ObserveSession runs on the
// goroutine of the operation, so it must be quick. Events never contain a token
// or a payload, and only those of OpEnded a subject. A panic is contained and counted in
// [Stats.ObserverPanics].
type Observer interface {
	ObserveSession(ctx context.Context, e Event)
}

// Source is what a reader of a manager's state, such as a metrics collector, sees
// of it. Both methods are cheap and do no I/O.
type Source interface {
	Name() string
	Stats() Stats
}

// Observers returns an observer that calls each of the list, in order. Nil
// observers are dropped. A panic in one does not keep the event from the
// others: it continues after the last was called.
func Observers(list ...Observer) Observer { return observers(observe.Present(list)) }

type observers []Observer

func (all observers) ObserveSession(ctx context.Context, e Event) {
	observe.Each(all, func(o Observer) { o.ObserveSession(ctx, e) })
}

// Op is an operation of a manager.
type Op uint8

const (
	OpNew         Op = iota // sent by [New]
	OpCreate                // Create
	OpOpen                  // Open
	OpGet                   // Get
	OpPeek                  // Peek
	OpTouch                 // Touch
	OpSave                  // Save
	OpUpdate                // Update
	OpExclusive             // Exclusive and Converse
	OpRotate                // Rotate and Unbind
	OpBind                  // Bind
	OpDelete                // Delete, DeleteSubject and DeleteAll
	OpEnded                 // one session ended; Reason says why
	OpUndecodable           // one session was met that this instance cannot decode; it stays
	OpCleanup               // one cleanup cycle; Report says what it did
)

// String returns the operation in lower case, such as "get".
func (o Op) String() string {
	return name(o, "new", "create", "open", "get", "peek", "touch", "save", "update", "exclusive", "rotate", "bind", "delete", "ended", "undecodable", "cleanup")
}

// Result is how an operation ended.
type Result uint8

const (
	ResultOK          Result = iota
	ResultNotFound           // no such session, or it has expired
	ResultConflict           // another caller saved first
	ResultBusy               // another caller handles the session
	ResultTooLarge           // the payload is over MaxBytes
	ResultFull               // the subject has MaxPerSubject sessions
	ResultCorrupt            // the stored record cannot be read
	ResultUnavailable        // the store did not answer
	ResultCanceled           // ctx was cancelled by the caller
	ResultLeaseLost          // the lease could not be renewed while the caller's function ran
	ResultFuncFailed         // the caller's function returned an error, panicked or ended its goroutine
	ResultInvalid            // the arguments make no sense; the store was not asked
	ResultFailed             // anything else
)

// String returns "success" for OK, "error" for Failed, and the other results
// in lower case with underscores, such as "not_found".
func (r Result) String() string {
	return name(r, "success", "not_found", "conflict", "busy", "too_large", "full", "corrupt", "unavailable", "canceled", "lease_lost", "function_error", "invalid", "error")
}

// EndReason says why a session ended.
type EndReason uint8

const (
	ReasonIdle          EndReason = iota // not used for IdleTimeout
	ReasonAbsolute                       // AbsoluteTimeout has passed since Create
	ReasonDeleted                        // Delete, DeleteSubject or DeleteAll
	ReasonEvicted                        // made room for another session of the subject
	ReasonRotated                        // it lives on under another id
	ReasonVanished                       // the index names it, but its record is gone
	ReasonCorrupted                      // its bytes changed in the store
	ReasonInvalidFormat                  // its bytes are no record

	// ReasonUndecodable: its bytes are intact, but this instance cannot decode them: it
	// has another type, key, codec or an older version than the writer. No
	// session ends for it; only a [CorruptError] has this reason.
	ReasonUndecodable
)

// String returns the reason in lower case with underscores, such as
// "invalid_format".
func (c EndReason) String() string {
	return name(c, "idle", "absolute", "deleted", "evicted", "rotated", "vanished", "corrupted", "invalid_format", "undecodable")
}

// EndReasons lists all reasons for which sessions end.
func EndReasons() []EndReason {
	return []EndReason{ReasonIdle, ReasonAbsolute, ReasonDeleted, ReasonEvicted, ReasonRotated, ReasonVanished, ReasonCorrupted, ReasonInvalidFormat}
}

func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// Event is one operation, session end or cleanup cycle. More fields may be
// added.
type Event struct {
	Op       Op
	Result   Result
	Source   Source
	Reason   EndReason     // OpEnded
	Session  Hash          // OpEnded: which one, see [Manager.Hash]
	Subject  string        // OpEnded: whose it was, if it had a subject; "" also where the data was not read: it was unreadable, or expired without OnExpire
	Fresh    bool          // OpOpen, OpExclusive: the session was created
	Touched  bool          // the last activity was written
	Attempts int           // OpUpdate: calls of the function; OpExclusive: tries to take the lease
	Bytes    int           // size of the encoded payload
	Took     time.Duration // all of it, waiting and the caller's function included
	Waited   time.Duration // OpExclusive: until its turn came
	Age      time.Duration // OpEnded: from creation to end, for Idle, Absolute and Rotated
	Report   Report        // OpCleanup
	Err      error
}

// Report says what one cleanup cycle did.
type Report struct {
	Active         int64             // sessions alive after the cycle
	Backlog        int64             // expired sessions left for the next one
	Ended          map[EndReason]int // removed, by reason
	Rescored       int               // index entries corrected: the session was alive after all
	CallbackErrors int               // calls of OnExpire that failed or panicked
	Dead           int               // sessions given up after their last attempt; also in Ended
	Took           time.Duration
	Complete       bool // all that was due was found, and the store answered every call
}

// Stats is a snapshot of a manager.
type Stats struct {
	Interval       time.Duration // Config.CleanupInterval
	MaxSessions    int64         // Config.MaxSessions
	Active         int64         // as counted by the latest cycle
	LastCycle      time.Time     // end of the latest cycle; zero before the first
	LastComplete   time.Time     // end of the latest one that finished its work
	Running        bool          // Run or Start is on
	ObserverPanics uint64
}
