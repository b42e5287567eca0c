// SPDX-License-Identifier: MIT

package redislock

import "strings"

// The letters of a group's keys, in the order of KEYS in every script.
var letters = [...]string{
	"i", // index
	"l", // ledger
	"x", // expiry
	"u", // unrecorded
	"q", // queue
}

// escape keeps a name from ending its part of a key, and from beginning or
// ending a hash tag. plain undoes it.
var (
	escape = strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D")
	plain  = strings.NewReplacer("%25", "%", "%3A", ":", "%7B", "{", "%7D", "}")
)

// tag is the hash tag of a group. Redis ignores an empty one, so the empty
// group has a tag that escaping never yields.
func tag(group string) string {
	if group == "" {
		return "%"
	}
	return escape.Replace(group)
}

// space is what the keys of all groups of a space begin with.
func (s *Store) space(name string) string { return s.prefix + ":" + escape.Replace(name) + ":lock:{" }

// groupKeys are the keys of one group.
type groupKeys struct {
	space, group string
	keys         []string
}

// keys returns all keys of a group. They must not be changed. Those of the
// group asked for last are kept: most programs have one.
func (s *Store) keys(space, group string) []string {
	if last := s.last.Load(); last != nil && last.group == group && last.space == space {
		return last.keys
	}
	base := s.space(space) + tag(group) + "}:"
	keys := make([]string, len(letters))
	for i, letter := range letters {
		keys[i] = base + letter
	}
	s.last.Store(&groupKeys{space, group, keys})
	return keys
}
