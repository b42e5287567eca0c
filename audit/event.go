// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"time"
)

// Event is one entry of the trail: who did what to what, when, and how it
// ended. The caller fills in what it knows; Record sets the id and the time.
type Event struct {
	ID       ID        // set by Record when zero; then never changed: sinks store an id once
	Time     time.Time // UTC, microseconds; set by Record when zero
	Type     string    // required, such as "lock.acquired"; at most [MaxType] bytes
	Outcome  Outcome
	Reason   string // short text or code, such as "max_reached"
	Actor    Entity // who; its ID is personal data
	Resource Entity // what
	// OnBehalfOf is whom the actor acted for, such as a guest for whom a clerk
	// did something.
	OnBehalfOf Entity

	Tenant, Session, Correlation, TraceID string
	// SourceAddress is where the request came from, such as an IP address, and
	// UserAgent with what; both are personal data.
	SourceAddress, UserAgent string

	Details Details // frozen JSON object, from [Fields] or [JSON]

	// Stream and Seq are set by a [Log], for each event that comes without an
	// id: the id of the log's run, and its number in that run, from 1. A mark of
	// missing events has the stream and no number.
	Stream ID
	Seq    uint64
}

// Entity names someone or something. Type and ID are for machines, Name for
// people.
type Entity struct{ Type, ID, Name string }

// Outcome is how the recorded action ended.
type Outcome uint8

const (
	Unknown Outcome = iota
	Success
	Failure // the action was tried and failed
	Denied  // the action was refused
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
	// Record takes e. A nil error means that a [*Log] has accepted the event,
	// or that [Direct] has stored it. ctx bounds waiting only: a [*Log] with
	// room in its queue accepts an event under a cancelled context, too. What
	// the caller changes after the call does not reach the trail.
	Record(ctx context.Context, e Event) error
}
