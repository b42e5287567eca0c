// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// other gives for each operator and word of Lua the one that takes its place.
var other = map[string]string{
	"==": "~=", "~=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
	"and": "or", "or": "and", "not": "", "true": "false", "false": "true",
	"+": "-", "-": "+", "*": "/", "/": "*",
}

// luaToken matches one token of Lua: comments and strings as a whole, then
// names, numbers, and operators, the longest first.
var luaToken = regexp.MustCompile(`(?s)^(?:` +
	`(--\[\[.*?\]\]|--[^\n]*|\s+)|` +
	`("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\[.*?\]\])|` +
	`([A-Za-z_]\w*)|(0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|` +
	`(\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}\[\];:,.]))`)

// kinds are the groups of luaToken.
type kind int

const (
	space kind = iota + 1
	quoted
	word
	number
	symbol
)

type luaWord struct {
	kind
	text     string
	from, to int
	begins   bool // first on its line
}

func luaWords(file string, src []byte) (list []luaWord, err error) {
	begins := true
	for at := 0; at < len(src); {
		m := luaToken.FindSubmatchIndex(src[at:])
		if m == nil {
			return nil, fmt.Errorf("%s: no token of Lua at %.20q", file, src[at:])
		}
		k := space
		for m[2*k] < 0 {
			k++
		}
		text := string(src[at : at+m[1]])
		if k == space {
			begins = begins || strings.Contains(text, "\n")
		} else {
			list = append(list, luaWord{k, text, at, at + m[1], begins})
			begins = false
		}
		at += m[1]
	}
	return list, nil
}

// luaMutants flips operators and conditions, raises numbers by one and leaves
// calls undone.
func luaMutants(file string, src []byte) ([]mutant, error) {
	list, err := luaWords(file, src)
	if err != nil {
		return nil, err
	}
	e := &edits{file: file, src: src}
	for i, w := range list {
		before := luaWord{}
		if i > 0 {
			before = list[i-1]
		}
		to, flips := other[w.text]
		switch {
		case w.kind == quoted:
		case w.kind == number:
			if n, err := strconv.ParseInt(w.text, 10, 64); err == nil {
				e.add(w.from, w.to, strconv.FormatInt(n+1, 10), fmt.Sprintf("%d to %d", n, n+1))
			}
		case flips && (w.text != "-" || operand(before)):
			e.add(w.from, w.to, to, strings.TrimSpace(w.text+" to "+cmp.Or(to, "nothing")))
		case w.text == "if" || w.text == "elseif":
			if n := slices.IndexFunc(list[i:], func(w luaWord) bool { return w.text == "then" }); n > 0 && list[i+1].text != "not" {
				from, to := list[i+1].from, list[i+n-1].to
				e.add(from, to, "not ("+string(src[from:to])+")", "if to if not")
			}
		case w.kind == word && starts(before, w):
			if end := called(list[i:]); end > 0 {
				e.add(w.from, end, "if false then "+string(src[w.from:end])+" end", "not called")
			}
		}
	}
	return e.named(), nil
}

// operand reports whether a minus after the word subtracts.
func operand(w luaWord) bool {
	if w.kind == word {
		return !slices.Contains([]string{"return", "and", "or", "not", "then", "if", "in"}, w.text)
	}
	return w.kind == number || w.kind == quoted || slices.Contains([]string{")", "]", "}"}, w.text)
}

// starts reports whether a statement can start with w.
func starts(before, w luaWord) bool {
	opens := slices.Contains([]string{"then", "do", "else"}, before.text)
	return opens || w.begins && (before.text == "" || operand(before))
}

// called returns where the call ends that is the whole statement at the
// beginning of the list: a name, with dots, and one pair of brackets. It
// returns 0 when something else is there.
func called(list []luaWord) int {
	i := 1
	for i+1 < len(list) && list[i].text == "." {
		i += 2
	}
	if i >= len(list) || list[i].text != "(" {
		return 0
	}
	for depth := 0; i < len(list); i++ {
		switch list[i].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 {
			if i+1 == len(list) || list[i+1].begins || list[i+1].text == "end" {
				return list[i].to
			}
			return 0
		}
	}
	return 0
}
