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

// slot is what the keys of one partition of a space have in common. Behind it
// stands a letter, and what it says; hashes, revisions and times are raw bytes:
//
//	d<hash>       string  a session: header and payload
//	x             zset    hash -> when it lapses, in ms: the expiry index
//	u<owner>      zset    hash -> when it lapses: the sessions of one owner
//	o             zset    owner -> until when u is there at least: the list of owners
//	e<hash><rev>  string  a lapsed session that is set aside until it is settled
//	c             zset    hash and revision -> when it can be claimed (again)
//	b             zset    hash and revision -> when it lapsed: the backlog
//	q             zset    hash, µs and size -> when it was put into quarantine
//	q<hash>…      string  a damaged record, as it was
//	m<hash>       string  nonce of a move to another partition, for two minutes
//	n<hash>       string  nonce of a Create that was sent more than once, as long
//	r             string  a revision that the clock has not passed yet; rare
//	w<hash>       zset    lease and inbox -> order: who waits for the lease
//	i<inbox>      string  a process that waits was seen; for three seconds
//	g<hash><name> string  a request for this lease was given up; for ten seconds
//
// d and e live until Deadline + Keep; x, u, c and b as long as their longest-living
// member, or up to an eighth longer; o as long as x; q as long as [WithQuarantine] sets.
//
// Scripts declare in KEYS the keys that every run may use. Those that only stored data
// name (o, members of x, c and u, the owner in a header, the quarantine) they make by
// appending to the base of KEYS[1].
type slot string

func (s *Store) slot(space string, partition int) slot {
	return slot(s.prefix + ":" + escape.Replace(space) + ":session:{" + strconv.Itoa(partition) + "}:")
}

func (s *Store) slotOf(space string, h session.Hash) slot { return s.slot(space, s.partition(h)) }

func (k slot) expiry() string                   { return string(k) + "x" }
func (k slot) claims() string                   { return string(k) + "c" }
func (k slot) backlog() string                  { return string(k) + "b" }
func (k slot) quarantine() string               { return string(k) + "q" }
func (k slot) record(h session.Hash) string     { return string(k) + "d" + string(h[:]) }
func (k slot) owner(o session.Hash) string      { return string(k) + "u" + string(o[:]) }
func (k slot) createNote(h session.Hash) string { return string(k) + "n" + string(h[:]) }
func (k slot) moveNote(h session.Hash) string   { return string(k) + "m" + string(h[:]) }
