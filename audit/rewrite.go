// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/json"
	"strconv"
	"strings"
)

// ReplaceText returns details in which every string value that equals old, at any
// depth, is replaced. Keys and all other text stay as they are.
func (d Details) ReplaceText(old, replacement string) Details {
	return d.rewrite(pattern{}, false, func(value string, isText bool) (string, bool) {
		return string(appendQuoted(nil, replacement)), isText && value == old
	})
}

// rewrite replaces the values at path by the JSON that change returns. An object
// or array at path is replaced as one value when whole is set, otherwise each
// value in it. All other text is kept. change gets the text of a string, and
// other values as they are written; null is kept.
func (d Details) rewrite(path pattern, whole bool, change func(value string, isText bool) (json string, ok bool)) Details {
	if d.text == "" {
		return d
	}
	r := rewriter{text: d.text, path: path, whole: whole, change: change}
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
	whole      bool
	change     func(value string, isText bool) (json string, ok bool)
}

// value reads a value. at is where the keys before it have led.
func (r *rewriter) value(at places) {
	r.skip(" \t\r\n")
	begin, here := r.at, r.path.reached(at)
	switch r.text[r.at] {
	case '{', '[':
		if here && r.whole {
			r.members(0)
		} else {
			r.members(at)
		}
		if here && r.whole {
			r.replace(begin, r.text[begin:r.at], false)
		}
	case '"':
		if s := r.quoted(); here {
			r.replace(begin, s, true)
		}
	default:
		end := strings.IndexAny(r.text[r.at:], ",]} \t\r\n")
		r.at += end
		if s := r.text[begin:r.at]; here && s != "null" {
			r.replace(begin, s, false)
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

// replace passes to change the value that began at begin and was just read.
func (r *rewriter) replace(begin int, value string, isText bool) {
	if text, ok := r.change(value, isText); ok {
		r.out = append(append(r.out, r.text[r.copied:begin]...), text...)
		r.copied = r.at
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
