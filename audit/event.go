// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"time"
)

// Event is one entry of the trail: who did what to what, when, and how it
// ended. Make it with the fields that are known; Record sets the rest.
type Event struct {
	ID       ID        // set by Record when zero; then never changed: sinks store an id once
	Time     time.Time // UTC, microseconds; set by Record when zero
	Type     string    // required, such as "lock.acquired"; at most [MaxType] bytes
	Outcome  Outcome
	Reason   string // short text or code, such as "max_reached"
	Actor    Entity // who; its ID is personal data
	Resource Entity // what

	Tenant, Session, Correlation, TraceID string

	Details Details // frozen JSON object, from [Fields] or [JSON]
}

// Entity names someone or something. Type and ID are for machines, Name for
// people.
type Entity struct{ Type, ID, Name string }

// Outcome tells how the recorded action ended.
type Outcome uint8

const (
	Unknown Outcome = iota
	Success
	Failure // it was tried and did not work
	Denied  // it was refused
)

// String returns "unknown", "success", "failure" or "denied".
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Denied:
		return "denied"
	default:
		return "unknown"
	}
}

// ParseOutcome reads what [Outcome.String] returns; false for anything else.
func ParseOutcome(text string) (o Outcome, ok bool) {
	for o = Unknown; o <= Denied; o++ {
		if o.String() == text {
			return o, true
		}
	}
	return Unknown, false
}

// Recorder takes events one by one. [*Log] queues them, [Direct] writes them
// at once, [Discard] drops them. Safe for concurrent use.
type Recorder interface {
	// Record takes e. A nil error means accepted by a [*Log] and stored by
	// [Direct]. ctx bounds waiting only: a cancelled one does not keep a
	// [*Log] with room in its queue from accepting. e is frozen here, so
	// nothing that the caller changes later reaches the trail.
	Record(ctx context.Context, e Event) error
}

// Sink stores batches of events. This is what gets plugged in.
type Sink interface {
	// Write stores the batch and returns nil when all of it is as durable
	// as the sink makes things. It must be idempotent on [Event.ID], since
	// a batch whose answer got lost is written again, and must not keep
	// batch after returning.
	//
	// An error that wraps [ErrPermanent] says that trying again is useless;
	// a [*BatchError] that everything but its Failed events is stored; any
	// other error that the whole batch may be tried again.
	Write(ctx context.Context, batch []Event) error
}
