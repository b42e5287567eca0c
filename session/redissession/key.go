// SPDX-License-Identifier: MIT

package redissession

import (
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/session"
)

// escape keeps a name from ending its part of a key, and from bringing a hash
// tag of its own.
var escape = strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D")

// partition is where a hash lives: hashes of an owner's records begin with
// the owner's first byte, so a hash alone leads there.
func (s *Store) partition(h session.Hash) int { return int(h[0]) % s.partitions }

// slot is what the keys of one partition of a space have in common.
type slot string

func (s *Store) slot(space string, partition int) slot {
	return slot(s.prefix + ":" + escape.Replace(space) + ":session:{" + strconv.Itoa(partition) + "}:")
}

func (s *Store) slotOf(space string, h session.Hash) slot { return s.slot(space, s.partition(h)) }

func (k slot) expiry() string                   { return string(k) + "x" }
func (k slot) claims() string                   { return string(k) + "c" }
func (k slot) backlog() string                  { return string(k) + "b" }
func (k slot) owners() string                   { return string(k) + "o" }
func (k slot) quarantine() string               { return string(k) + "q" }
func (k slot) record(h session.Hash) string     { return string(k) + "d" + string(h[:]) }
func (k slot) owner(o session.Hash) string      { return string(k) + "u" + string(o[:]) }
func (k slot) createNote(h session.Hash) string { return string(k) + "n" + string(h[:]) }
func (k slot) moveNote(h session.Hash) string   { return string(k) + "m" + string(h[:]) }
