// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// AppendJSON appends the event to b as one line of JSON, without a line break: an
// object with id, time, type and outcome, and of the other fields those that are
// not empty: reason, actor_type, actor_id, actor_name, resource_type,
// resource_id, resource_name, on_behalf_of_type, on_behalf_of_id,
// on_behalf_of_name, tenant, session_id, correlation_id, trace_id,
// source_address, user_agent, stream, seq and details. The text of the details is kept, except that line breaks between its
// values become spaces.
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
