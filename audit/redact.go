// SPDX-License-Identifier: MIT

package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Redaction is a rule of [Config.Redact] about fields that must not be stored as
// they are. Make one with [Omit] or [Pseudonymize].
//
// A field has the name that [Event.AppendJSON] gives it, such as "actor_id" or
// "session_id". "details" stands for all details, and "details.user.mail" for one
// of them, written as {"user":{"mail":…}} or as {"user.mail":…}. "*" stands for
// any key or index, such as in "details.conflicts.*.holder", and "**" for any
// number of them: "details.**.mail" finds mail at every depth. A rule covers
// everything below what it names, and keys stay. A pseudonym replaces a text,
// number or boolean; in an object or array it replaces each of them.
type Redaction struct {
	names   []string
	texts   []int     // places in Event.texts
	details []pattern // below "details"
	anyCase bool
	key     []byte // nil: omit
	keyID   string
	err     error
}

// Omit empties the fields; in details their values become null. [New] returns
// [ErrInvalid] for a field that no event has, or that an earlier rule has dealt
// with.
func Omit(fields ...string) Redaction { return Redaction{}.parsed(fields) }

// Pseudonymize replaces the values of the fields by [Redaction.Pseudonym]. Equal
// values get equal pseudonyms in all fields, so the trail still shows what one
// person did. keyID names the key, so that the key can be changed later: 1 to
// 64 bytes without quotes, backslashes, colons and spaces. [New] returns
// [ErrInvalid] for another keyID, for a key of fewer than 16 bytes, and for fields
// as with [Omit].
//
// Pseudonyms of a small set, such as room numbers, can be guessed by anyone who
// has the key, and by no one else. Keep the key apart from the trail.
func Pseudonymize(keyID string, key []byte, fields ...string) Redaction {
	r := Redaction{key: append([]byte{}, key...), keyID: keyID}
	switch {
	case len(key) < 16:
		r.err = fmt.Errorf("%w: a redaction with a key of %d bytes, less than 16", ErrInvalid, len(key))
	case keyID == "" || len(keyID) > 64 || strings.ContainsAny(keyID, ": \"\\") || safe(keyID) != keyID:
		r.err = fmt.Errorf("%w: a redaction whose key has no plain name", ErrInvalid)
	}
	return r.parsed(fields)
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

// AnyCase returns the rule for keys of details in upper, lower or mixed case.
func (r Redaction) AnyCase() Redaction {
	r.anyCase = true
	return r
}

// parsed refuses names that no event has: a misspelled name must not let a value
// through.
func (r Redaction) parsed(names []string) Redaction {
	r.names = slices.Clone(names)
	if len(names) == 0 {
		r.err = errors.Join(r.err, fmt.Errorf("%w: a redaction without fields", ErrInvalid))
	}
	known := new(Event).texts()
	for _, name := range names {
		parts := strings.Split(name, ".")
		text := slices.IndexFunc(known[:], func(f field) bool { return f.name == name })
		switch {
		case text >= 0:
			r.texts = append(r.texts, text)
		case parts[0] == "details" && len(parts) < 64 && !slices.Contains(parts, ""):
			r.details = append(r.details, pattern{parts: parts[1:]})
		default:
			r.err = errors.Join(r.err, fmt.Errorf("%w: a redaction of %q, which no event has", ErrInvalid, name))
		}
	}
	return r
}

// useless returns a field that an earlier rule has dealt with, so that a later
// one finds nothing, or "".
func useless(rules []Redaction) string {
	for i, later := range rules {
		for _, name := range later.names {
			for _, earlier := range rules[:i] {
				for _, done := range earlier.names {
					if name == done || earlier.key == nil && strings.HasPrefix(name, done+".") {
						return name
					}
				}
			}
		}
	}
	return ""
}

func (r Redaction) apply(e *Event) {
	texts := e.texts()
	for _, i := range r.texts {
		*texts[i].text = r.Pseudonym(*texts[i].text)
	}
	for _, path := range r.details {
		if r.key == nil && path.reached(path.spread(1)) { // all of them
			e.Details = Details{}
		}
		path.anyCase = r.anyCase
		e.Details = e.Details.rewrite(path, r.key == nil, r.json)
	}
}

// json returns what replaces a value in details.
func (r Redaction) json(value string, _ bool) (string, bool) {
	if r.key == nil {
		return "null", true
	}
	return strconv.Quote(r.Pseudonym(value)), true // plain ASCII
}
