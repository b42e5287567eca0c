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
	return d.rewrite(nil, false, func(value string, isText bool) (string, bool) {
		return string(appendQuoted(nil, replacement)), isText && value == old
	})
}

// rewrite replaces the values at path by the JSON that change returns; "*" in
// path stands for any key or index. An object or array at path is replaced as
// one value when whole is set, otherwise each value in it. All other text is
// kept. change gets the text of a string, and other values as they are written;
// null is kept.
func (d Details) rewrite(path []string, whole bool, change func(value string, isText bool) (json string, ok bool)) Details {
	if d.text == "" || d.bad != "" {
		return d
	}
	r := rewriter{text: d.text, whole: whole, change: change}
	r.value(path, true)
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
	whole      bool
	change     func(value string, isText bool) (json string, ok bool)
}

// value reads a value. on says that the keys before it matched, so path is the
// rest of the way.
func (r *rewriter) value(path []string, on bool) {
	r.skip(" \t\r\n")
	begin, here := r.at, on && len(path) == 0
	switch r.text[r.at] {
	case '{', '[':
		r.members(path, on && !(here && r.whole))
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
func (r *rewriter) members(path []string, on bool) {
	object := r.text[r.at] == '{'
	r.at++
	for i := 0; ; i++ {
		r.skip(", \t\r\n")
		if c := r.text[r.at]; c == '}' || c == ']' {
			r.at++
			return
		}
		key := strconv.Itoa(i)
		if object {
			key = r.quoted()
			r.skip(": \t\r\n")
		}
		switch {
		case len(path) == 0:
			r.value(nil, on)
		default:
			r.value(path[1:], on && (path[0] == "*" || path[0] == key))
		}
	}
}

// quoted reads a string and returns its text.
func (r *rewriter) quoted() string {
	begin := r.at
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	r.at++
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
