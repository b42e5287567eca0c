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

// Redaction is a rule about fields that a sink must not store as they are. Make
// one with [Omit] or [Pseudonymize].
//
// A field has the name that [Event.AppendJSON] gives it, such as "actor_id" or
// "session_id". "details" stands for all details, "details.mail" for one of
// them, and "*" for every key or element at its place:
// "details.conflicts.*.holder". A pseudonym replaces a text, number or boolean;
// in an object or array that a rule names it replaces each of them.
type Redaction struct {
	fields []string
	key    []byte // nil: omit
	keyID  string
	err    error
}

// Omit empties the fields; in details their values become null. [New] and every
// write return [ErrInvalid] for a field that no event has.
func Omit(fields ...string) Redaction { return Redaction{fields: fields}.checked() }

// Pseudonymize replaces the values of the fields by [Redaction.Pseudonym]. Equal
// values get equal pseudonyms in all fields, so the trail still shows what one
// person did. keyID names the key, so that the key can be changed later: 1 to
// 64 bytes without quotes, backslashes, colons and spaces. [New] and every write
// return [ErrInvalid] for another keyID, a key of fewer than 16 bytes, and a
// field that no event has.
//
// Pseudonyms of a small set, such as room numbers, can be guessed by anyone who
// has the key, and by no one else. Keep the key apart from the trail.
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

// Pseudonym returns what replaces value: "hmac:", the key's id, ":" and 32 hex
// digits of the value's HMAC-SHA256; "" for "" and for [Omit]. Use it to find a
// person in a trail with pseudonyms.
func (r Redaction) Pseudonym(value string) string {
	if r.key == nil || value == "" {
		return ""
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(value))
	return fmt.Sprintf("hmac:%s:%x", r.keyID, mac.Sum(nil)[:16])
}

// Redact returns a [Sink] that writes to s copies of the events, changed by the
// rules in their order.
//
// With a nil s or a rule that makes no sense, [New] and every write return
// [ErrInvalid].
func Redact(s Sink, rules ...Redaction) Sink {
	var errs []error
	for _, r := range rules {
		errs = append(errs, r.err)
	}
	if err := errors.Join(errs...); err != nil {
		return invalid{err}
	}
	return each(usable(s, "Redact"), func(s Sink) Sink {
		return selected{sink: s, change: func(e *Event) bool {
			for _, r := range rules {
				r.apply(e)
			}
			return true
		}}
	})
}

const detail = "details."

// checked finds fields that do not exist: a misspelled name must not let a
// value through.
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
	e.Details = e.Details.cut() // a pseudonym can be longer than the value
}

// json returns what replaces a value in details.
func (r Redaction) json(value string, _ bool) (string, bool) {
	if r.key == nil {
		return "null", true
	}
	return strconv.Quote(r.Pseudonym(value)), true // plain ASCII
}
