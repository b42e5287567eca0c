// SPDX-License-Identifier: MIT

package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
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
		e.Details = e.Details.rewrite(path, r)
	}
}

// rewrite replaces the values at path: by null, an object or array as one value, or
// by pseudonyms, each value in it. A pseudonym is that of the text of a string, and of
// other values as they are written; null is kept. All other text is kept.
func (d Details) rewrite(path pattern, rule Redaction) Details {
	if d.text == "" {
		return d
	}
	r := rewriter{text: d.text, path: path, rule: rule}
	r.value(path.spread(1))
	if r.out == nil {
		return d
	}
	return Details{text: string(r.out) + d.text[r.copied:]}
}

// rewriter walks over valid JSON once.
type rewriter struct {
	text       string
	at, copied int // text before at has been read, text before copied is in out
	out        []byte
	path       pattern
	rule       Redaction
}

// value reads a value. at is where the keys before it have led.
func (r *rewriter) value(at places) {
	r.skip(" \t\r\n")
	begin, here := r.at, r.path.reached(at)
	switch r.text[r.at] {
	case '{', '[':
		if here && r.rule.key == nil {
			r.members(0)
			r.replace(begin, "")
		} else {
			r.members(at)
		}
	case '"':
		if s := r.quoted(); here {
			r.replace(begin, s)
		}
	default:
		r.at += strings.IndexAny(r.text[r.at:], ",]} \t\r\n")
		if s := r.text[begin:r.at]; here && s != "null" {
			r.replace(begin, s)
		}
	}
}

// members reads an object or array.
func (r *rewriter) members(at places) {
	object := r.text[r.at] == '{'
	r.at++
	for i := 0; ; i++ {
		r.skip(", \t\r\n")
		if c := r.text[r.at]; c == '}' || c == ']' {
			r.at++
			return
		}
		if object {
			key := r.quoted()
			r.skip(": \t\r\n")
			r.value(r.path.follow(at, key))
		} else {
			r.value(r.path.follow(at, strconv.Itoa(i)))
		}
	}
}

// quoted reads a string and returns its text.
func (r *rewriter) quoted() string {
	begin, plain := r.at, true
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
			plain = false
		}
	}
	r.at++
	if plain {
		return r.text[begin+1 : r.at-1]
	}
	var s string
	_ = json.Unmarshal([]byte(r.text[begin:r.at]), &s) // it is valid
	return s
}

func (r *rewriter) skip(what string) {
	for strings.IndexByte(what, r.text[r.at]) >= 0 {
		r.at++
	}
}

// replace replaces the value that began at begin and was just read.
func (r *rewriter) replace(begin int, value string) {
	r.out = append(r.out, r.text[r.copied:begin]...)
	r.copied = r.at
	if r.rule.key == nil {
		r.out = append(r.out, "null"...)
	} else {
		r.out = strconv.AppendQuote(r.out, r.rule.Pseudonym(value)) // plain ASCII
	}
}

// pattern is a path into details, such as before.**.email; see [Redaction].
type pattern struct {
	parts   []string
	anyCase bool
}

// places is a set of positions in a pattern, one bit each: how far the keys on
// the way to a value match. The position after the last part is kept once it is
// reached, so it covers everything below.
type places uint64

func (p pattern) reached(at places) bool { return at>>len(p.parts)&1 == 1 }

// follow returns the places after a key. A dot in a key separates parts as
// nesting does, but "*" also stands for a key with dots.
func (p pattern) follow(at places, key string) places {
	next := p.step(at, key)
	if at != 0 && strings.IndexByte(key, '.') >= 0 {
		for part := range strings.SplitSeq(key, ".") {
			at = p.step(at, part)
		}
		next |= at
	}
	return next
}

func (p pattern) step(at places, key string) places {
	next := at & (1 << len(p.parts))
	for i, part := range p.parts {
		switch {
		case at>>i&1 == 0:
		case part == "**":
			next |= 1 << i
		case part == "*" || part == key || p.anyCase && strings.EqualFold(part, key):
			next |= 1 << (i + 1)
		}
	}
	return p.spread(next)
}

// spread adds the places behind a "**", which also stands for no key.
func (p pattern) spread(at places) places {
	for i, part := range p.parts {
		if part == "**" {
			at |= at >> i & 1 << (i + 1)
		}
	}
	return at
}
