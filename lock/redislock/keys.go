// SPDX-License-Identifier: MIT

package redislock

import "strings"

// The letters of a group's keys, in the order of KEYS in every script.
var letters = [...]string{
	"i", // index
	"l", // ledger
	"x", // expiry
	"u", // untold
	"q", // queue
}

// unbraced keeps a name from ending a hash tag, or from beginning one.
var unbraced = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

// tag is the hash tag of a group. Redis ignores an empty one, so the empty
// group has a tag that escaping never yields.
func tag(group string) string {
	if group == "" {
		return "%"
	}
	return unbraced.Replace(group)
}

// keys returns all keys of a group.
func (s *Store) keys(space, group string) []string {
	base := s.prefix + ":" + unbraced.Replace(space) + ":lock:{" + tag(group) + "}:"
	keys := make([]string, len(letters))
	for i, letter := range letters {
		keys[i] = base + letter
	}
	return keys
}
