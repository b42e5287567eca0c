// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"
)

// Store keeps the holds of one or more managers. Package redislock keeps them
// in Redis, package memlock in the process; package locktest checks others.
//
// Its methods describe conflicts, limits and retries, not commands. Every answer
// is a status. An error means only that the store did not answer and that the
// outcome may be either or, if it wraps [ErrInvalid], that nothing was sent. The
// manager makes ids and tokens, so repeating a call with the same ticket is
// harmless: the answer is the first one's. Time is the store's own, and a hold
// is live until its ExpiresAt.
//
// A part of a claim fits when, at every point of its range, the units of the
// live holds there and its own are no more than the capacity. Live parts of
// the same name and the same kind count where they overlap; those of another
// kind count everywhere, since they cannot be compared.
//
// Requests and answers grow by fields. Implementations must be safe for
// concurrent use.
type Store interface {
	// Acquire grants all parts of the claim or none, in one round trip. A
	// conflict is an answer, not an error. It also finds a bounded number
	// of expired holds of the group (StoreGrant.Expired).
	Acquire(ctx context.Context, c StoreClaim) (StoreGrant, error)

	// Wait waits on behalf of a claim that was answered StatusBlocked with g. It returns
	// a grant that the store made to the claim (StatusGranted, with Since), or
	// StatusBlocked when the claim is worth repeating, or ctx's error when ctx ends
	// first.
	//
	// Claims with Queue are served in order of arrival: a claim waits for all
	// before it that overlap it, as if they were holds, until they are
	// granted or given up by Release, or until the process that waits has not
	// been heard of for some seconds. What frees something grants it to the
	// next claim that fits, in the same step: a hold that lasts two seconds,
	// or the claim's TTL if that is less, unless a StoreRenewal confirms it. Claims
	// without Queue wait for no other.
	Wait(ctx context.Context, c StoreClaim, g StoreGrant) (StoreGrant, error)

	// Extend moves the deadlines of a batch, each on its own. The answers
	// are in the order of rs. It never revives a hold.
	Extend(ctx context.Context, rs []StoreRenewal) ([]StoreGrant, error)

	// Release ends a batch of holds. The answers are in the order of ts.
	// StatusGranted means it was held until now, or that it was released by the
	// same token, and the same Force, less than [StoreRememberFor] ago: the answer
	// to that may have got lost. (A store need not keep the token for that:
	// nothing changes any more.) StatusMissing means neither. The release of a
	// ticket with Until need not be remembered: if it is sent again, by the caller
	// (Again) or by the store's client, StatusGranted may also mean that nothing is
	// known of the hold, until the time in Until. With a token and Fence 0 it gives
	// up a claim that waits or of unknown outcome: should the claim come only now,
	// within StoreRememberFor, its answer is StatusMissing. So is that to any claim
	// whose hold was released without Until.
	Release(ctx context.Context, ts []StoreTicket) ([]StoreGrant, error)

	// Holds yields the live holds that overlap any part of q's resource,
	// each once, in order of resource and fence.
	Holds(ctx context.Context, q StoreQuery) iter.Seq2[Hold, error]

	// Sweep forgets the expired holds whose ids are in recorded, and returns
	// up to q.Limit others that have expired, the oldest first. It returns
	// them again until their ids are in recorded. Beyond 1024 in a group, or
	// after seven days, expired holds may be forgotten anyway.
	Sweep(ctx context.Context, q StoreQuery, recorded []string) (expired []Hold, err error)
}

// StoreRememberFor is how long a store remembers that a hold was released, or that a
// claim was given up.
const StoreRememberFor = 5 * time.Second

// StoreTicket names one hold and proves the right to change it. It prints without
// its token.
type StoreTicket struct {
	Space string // Config.Name
	Group string // conflict domain, from Config.GroupBy
	ID    string // public
	Token string // known to the holder and the store only; with Force, what a repeated call has in common
	Name  string // that of the claim's Resource: a store may find the hold by it
	Fence uint64 // of the grant; 0 before
	Force bool   // release without the token

	// Until is when the hold ends by the store's clock, as far as is known. It is
	// set only if the claim cannot arrive again: each Acquire was answered, with Once.
	Until time.Time
	Again bool // Release was called before, without an answer
}

// String names the hold.
func (t StoreTicket) String() string {
	return fmt.Sprintf("hold %s in %s, group %s", t.ID, t.Space, t.Group)
}

// Format prints String, whatever the verb. So do a [StoreClaim] and a [StoreRenewal].
func (t StoreTicket) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue logs String.
func (t StoreTicket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// StoreClaim asks for a hold.
type StoreClaim struct {
	StoreTicket
	Resource       Resource
	Capacity       []int // units there are of each part's name, in the order of Parts: up to 2^31 - 1
	TTL, MaxHold   time.Duration
	KeepAtLeast    time.Duration // a release before that leaves the hold in place until then, unless the claim is given up; 0 = none
	Holder, Reason string
	Details        map[string]string
	Queue          bool // wait in turn: when blocked, queue up in the same step, so that no grant is missed
	Limit          int  // how many conflicts to name at most
}

// StoreRenewal asks for a later deadline: now + TTL, but never past the claim's
// MaxHold, and never earlier than it is. A TTL of 0 only looks: StatusGranted with
// the hold as it is, or StatusMissing.
type StoreRenewal struct {
	StoreTicket
	TTL           time.Duration
	MaxExtensions int    // 0 = unlimited; only looked at when Count is set
	Count         bool   // counts as an extension; false for the watchdog's
	Nonce         string // of one counted extension: repeating the last one does not count again
	Confirm       bool   // confirms a grant; StatusGranted even where MaxHold leaves nothing to gain
	TakeOver      string // a new token: the hold gets it and a higher Fence; the old token takes it over again, and does nothing else
	Lost          func() // called, if the store learns that another took the hold over or ended it, until it is released; must be quick
}

// StoreQuery selects holds.
type StoreQuery struct {
	Space, Group string
	AllGroups    bool     // for Holds: of the whole space, in no order of groups; Group and Resource are ignored
	Resource     Resource // the zero Resource: all of the group
	Limit        int      // how many at most; 0 = 64 for Sweep, all for Holds
}

// StoreStatus is a store's answer.
type StoreStatus uint8

const (
	StatusGranted StoreStatus = iota
	StatusBlocked             // by the conflicts named
	StatusCapped              // MaxExtensions or MaxHold is used up
	StatusMissing             // no such hold, or not with this token; of a claim: it was given up
)

// StoreGrant is a store's answer with its details. On StatusGranted, Hold has the state
// after the call, Left included; on StatusCapped, the unchanged one. Release needs
// to fill only the Status.
//
// StatusCapped is for an extension beyond MaxExtensions, and for one that MaxHold
// keeps from gaining anything. One that MaxHold cuts short is StatusGranted.
type StoreGrant struct {
	Status    StoreStatus
	Hold      Hold
	Since     time.Time     // from Wait: the local time from which Hold.Left counts; zero: when the request was sent
	Conflicts []Conflict    // StatusBlocked: holds that overlap a part that does not fit, in any order; may be none for one who waits in turn
	Retry     time.Duration // StatusBlocked: when the first of the conflicts ends at the latest; 0 = there is none
	Place     int           // in the queue, from 1; 0 = not queued
	Full      bool          // StatusBlocked: not queued, since too many wait for a name
	Once      bool          // from Acquire: the claim was sent once, so it cannot arrive again; false = not known
	Expired   []Hold        // some expired holds found on the way, not reported yet
}

// StoreTrialTime is how long a grant to a claim that waited lasts unless it is
// confirmed, or the claim's TTL if that is less.
const StoreTrialTime = 2 * time.Second
