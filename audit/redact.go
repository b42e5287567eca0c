// SPDX-License-Identifier: MIT

package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Redaction is a rule about fields that a sink must not get as they are. Make
// one with [Drop] or [Pseudonymize].
//
// A field has the name that [Event.AppendJSON] gives it, such as "actor_id" or
// "session_id". "details" are all of them, "details.mail" is one, and "*"
// stands for every key or element at its place: "details.conflicts.*.holder".
// Only texts, numbers and so on are replaced by a pseudonym; of an object or
// array that a rule names, each of them.
type Redaction struct {
	fields []string
	key    []byte // nil: drop
	keyID  string
	err    error
}

// Drop empties fields; in details their values become null.
func Drop(fields ...string) Redaction { return Redaction{fields: fields}.checked() }

// Pseudonymize replaces what is in the fields by [Redaction.Pseudonym]: the
// same value has the same pseudonym in all of them, so that one can still see
// what the same person did. keyID names the key, so that it can be changed.
//
// Whoever has the key, which has 16 bytes at least, can find out values by
// trying, so keep it apart from the trail. Without it nobody can, not even for
// values of which there are few.
func Pseudonymize(keyID string, key []byte, fields ...string) Redaction {
	r := Redaction{fields: fields, key: append([]byte{}, key...), keyID: keyID}
	switch {
	case len(key) < 16:
		r.err = fmt.Errorf("%w: a redaction with a key of %d bytes, less than 16", ErrInvalid, len(key))
	case keyID == "" || len(keyID) > 64 || strings.ContainsAny(keyID, ": \"\\") || safe(keyID) != keyID:
		r.err = fmt.Errorf("%w: a redaction whose key has no plain name", ErrInvalid)
	}
	return r.checked()
}

// Pseudonym is what stands for value, "hmac:", the key's id, ":" and 32 hex
// digits of its HMAC-SHA256, or "" for "" and for [Drop]. It is how a person is
// found in a trail that has pseudonyms.
func (r Redaction) Pseudonym(value string) string {
	if r.key == nil || value == "" {
		return ""
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(value))
	return fmt.Sprintf("hmac:%s:%x", r.keyID, mac.Sum(nil)[:16])
}

// Redact returns a [Sink] that hands on to s copies of the events that the
// rules have changed, one after the other. A rule that makes no sense, such as
// one with an unknown field, is an error of [New] and of every write.
//
// Without s it is nil, which [New] and [Direct] refuse.
func Redact(s Sink, rules ...Redaction) Sink {
	if s == nil {
		return nil
	}
	var errs []error
	for _, r := range rules {
		errs = append(errs, r.err)
	}
	return each(s, func(s Sink) Sink {
		return selected{sink: s, err: errors.Join(errs...), change: func(e *Event) bool {
			for _, r := range rules {
				r.apply(e)
			}
			return true
		}}
	})
}

const detail = "details."

// checked finds fields that do not exist: a slip of the pen must not let
// through what somebody meant to keep out.
func (r Redaction) checked() Redaction {
	known := map[string]bool{"details": true}
	for _, f := range new(Event).texts() {
		known[f.name] = true
	}
	for _, name := range r.fields {
		path, inDetails := strings.CutPrefix(name, detail)
		if !known[name] && (!inDetails || path == "") {
			r.err = errors.Join(r.err, fmt.Errorf("%w: a redaction of %q, which no event has", ErrInvalid, name))
		}
	}
	return r
}

func (r Redaction) apply(e *Event) {
	for _, name := range r.fields {
		path, inDetails := strings.CutPrefix(name, detail)
		switch {
		case name == "details" && r.key == nil:
			e.Details = Details{}
		case name == "details":
			e.Details = e.Details.rewrite(nil, false, r.json)
		case inDetails:
			e.Details = e.Details.rewrite(strings.Split(path, "."), r.key == nil, r.json)
		default:
			for _, f := range e.texts() {
				if f.name == name {
					*f.text = r.Pseudonym(*f.text)
				}
			}
		}
	}
	e.Details = e.Details.cut() // pseudonyms can be longer than what they stand for
}

// json is what stands for a value in details.
func (r Redaction) json(value string, _ bool) (string, bool) {
	if r.key == nil {
		return "null", true
	}
	return strconv.Quote(r.Pseudonym(value)), true // plain ASCII
}
