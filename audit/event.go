// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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

// AppendJSON appends the event to b as one line of JSON, without a line break: an
// object with id, time, type and outcome, and of the other fields those that are
// not empty: reason, actor_type, actor_id, actor_name, resource_type,
// resource_id, resource_name, on_behalf_of_type, on_behalf_of_id,
// on_behalf_of_name, tenant, session_id, correlation_id, trace_id,
// source_address, user_agent, stream, seq and details. The text of the details is
// kept, except that line breaks between its values become spaces.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, e.ID.String()...)
	b = append(b, `","time":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","type":`...)
	b = appendQuoted(b, e.Type)
	b = append(b, `,"outcome":"`...)
	b = append(b, e.Outcome.String()...)
	b = append(b, '"')
	for _, f := range e.texts() {
		if *f.text != "" {
			b = append(b, ',', '"')
			b = append(b, f.name...)
			b = append(b, '"', ':')
			b = appendQuoted(b, *f.text)
		}
	}
	if !e.Stream.IsZero() {
		b = append(append(b, `,"stream":"`...), e.Stream.String()...)
		b = append(b, '"')
	}
	if e.Seq > 0 {
		b = strconv.AppendUint(append(b, `,"seq":`...), e.Seq, 10)
	}
	if e.Details.text != "" {
		b = append(b, `,"details":`...)
		begin := len(b)
		b = append(b, e.Details.text...)
		for i := begin; i < len(b); i++ { // inside strings JSON has them escaped
			if b[i] == '\n' || b[i] == '\r' {
				b[i] = ' '
			}
		}
	}
	return append(b, '}')
}

// MarshalJSON returns what [Event.AppendJSON] appends.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// UnmarshalJSON reads a line that [Event.AppendJSON] has written, of this version
// or another: unknown names are ignored, and a name that is missing leaves its
// field empty. Other texts are [ErrInvalid]; the error does not quote them.
func (e *Event) UnmarshalJSON(line []byte) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return fmt.Errorf("%w: an event that is no JSON object", ErrInvalid)
	}
	var read Event
	var outcome string
	wanted := map[string]any{"id": &read.ID, "time": &read.Time, "type": &read.Type, "outcome": &outcome, "stream": &read.Stream, "seq": &read.Seq, "details": &read.Details}
	for _, f := range read.texts() {
		wanted[f.name] = f.text
	}
	for name, text := range fields {
		if to, ok := wanted[name]; ok && json.Unmarshal(text, to) != nil {
			return fmt.Errorf("%w: an event whose %s makes no sense", ErrInvalid, name)
		}
	}
	if read.ID.IsZero() || read.Type == "" {
		return fmt.Errorf("%w: an event without an id or a type", ErrInvalid)
	}
	known := false
	if read.Outcome, known = ParseOutcome(outcome); !known {
		return fmt.Errorf("%w: an event with an unknown outcome", ErrInvalid)
	}
	read.Time = read.Time.UTC()
	*e = read
	return nil
}

// field is a text of an event, with its name in sinks.
type field struct {
	name string
	text *string
}

// texts lists the texts that may be empty, in the order of sinks.
func (e *Event) texts() [16]field {
	return [...]field{
		{"reason", &e.Reason},
		{"actor_type", &e.Actor.Type}, {"actor_id", &e.Actor.ID}, {"actor_name", &e.Actor.Name},
		{"resource_type", &e.Resource.Type}, {"resource_id", &e.Resource.ID}, {"resource_name", &e.Resource.Name},
		{"on_behalf_of_type", &e.OnBehalfOf.Type}, {"on_behalf_of_id", &e.OnBehalfOf.ID}, {"on_behalf_of_name", &e.OnBehalfOf.Name},
		{"tenant", &e.Tenant}, {"session_id", &e.Session}, {"correlation_id", &e.Correlation}, {"trace_id", &e.TraceID},
		{"source_address", &e.SourceAddress}, {"user_agent", &e.UserAgent},
	}
}
