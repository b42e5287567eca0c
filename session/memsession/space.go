// SPDX-License-Identifier: MIT

package memsession

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// maxQuarantine bounds the payloads in the quarantine of a space, of which each
// counts as 256 bytes more; beyond it the oldest go.
const maxQuarantine = 16 << 20

// space holds the records of one manager name. An entry is in exactly one of
// the two queues; byHash and byOwner name the newest entry of each hash, so
// that an entry that has been replaced is found by its queue only.
type space struct {
	store   *Store
	byHash  map[session.Hash]*entry
	byOwner map[session.Hash]map[session.Hash]*entry
	expiry  queue // not claimed yet; due when they lapse
	claims  queue // claimed; due when the claim runs out or the retry is due

	former map[session.Hash]former // what hashes answer after a Move
	moved  []session.Hash          // those of former, in the order of the moves
	lines  map[session.Hash]*line
	later  []func() // to be called when the store is unlocked

	quarantine []aside
	kept       int // bytes in the quarantine
}

// aside is one entry in quarantine.
type aside struct {
	*entry
	id string
	at time.Time
}

func (a aside) size() int { return len(a.Payload) + 256 }

// remembered is how many writes of a record are recognised when they are
// repeated.
const remembered = 5

type write struct{ rev, nonce uint64 }

// entry is one record. Its payload is never written to: a Save puts another
// slice in its place.
type entry struct {
	session.StoreRecord
	writes   [remembered]write // the latest ones, newest first
	keep     time.Duration
	lease    string
	leaseEnd time.Time
	damaged  bool
	attempts int // how often it was claimed

	at    time.Time
	queue *queue
	place int
}

func (e *entry) lapsed(now time.Time) bool { return !now.Before(e.ExpiresAt) }

func (e *entry) claimed() bool { return e.attempts > 0 }

// wrote reports whether a write with this nonce is one of the latest, and which
// revision it made: then it is being repeated.
func (e *entry) wrote(nonce uint64) (rev uint64, ok bool) {
	for _, w := range e.writes {
		if nonce != 0 && w.nonce == nonce {
			return w.rev, true
		}
	}
	return 0, false
}

// leasedTo reports whether the lease is held under that name.
func (e *entry) leasedTo(name string, now time.Time) bool {
	return e != nil && e.lease == name && name != "" && now.Before(e.leaseEnd)
}

// leasedToOthers reports whether another caller holds the lease.
func (e *entry) leasedToOthers(name string, now time.Time) bool {
	return e.lease != "" && e.lease != name && now.Before(e.leaseEnd)
}

func (e *entry) take(name string, length time.Duration, now time.Time) {
	if name != "" {
		e.lease, e.leaseEnd = name, now.Add(length)
	}
}

// active moves the idle deadline, never past the absolute one.
func (sp *space) active(e *entry, now time.Time) {
	e.LastActivity, e.ExpiresAt = now, now.Add(e.Idle)
	if !e.Deadline.IsZero() && e.Deadline.Before(e.ExpiresAt) {
		e.ExpiresAt = e.Deadline
	}
	sp.expiry.put(e, e.ExpiresAt)
}

// insert makes e the entry of its hash. An expired one in its place stays in
// its queue, and is claimed from there.
func (sp *space) insert(e *entry) {
	if old := sp.byHash[e.Hash]; old != nil {
		sp.unname(old)
	}
	sp.byHash[e.Hash] = e
	if e.Owner == (session.Hash{}) {
		return
	}
	owned := sp.byOwner[e.Owner]
	if owned == nil {
		owned = map[session.Hash]*entry{}
		sp.byOwner[e.Owner] = owned
	}
	owned[e.Hash] = e
}

// unname removes e from the maps, but not from its queue.
func (sp *space) unname(e *entry) {
	if sp.byHash[e.Hash] != e {
		return
	}
	delete(sp.byHash, e.Hash)
	owned := sp.byOwner[e.Owner]
	delete(owned, e.Hash)
	if len(owned) == 0 {
		delete(sp.byOwner, e.Owner)
	}
}

// remove ends e, keeping it aside when asked to.
func (sp *space) remove(e *entry, quarantine bool) {
	sp.unname(e)
	e.leave()
	sp.serve(e.Hash, time.Now())
	if !quarantine {
		return
	}
	a := aside{e, fmt.Sprintf("%x-%x", e.Hash, e.Rev), time.Now()}
	sp.quarantine = append(sp.quarantine, a)
	for sp.kept += a.size(); sp.kept > maxQuarantine; sp.quarantine = sp.quarantine[1:] {
		sp.kept -= sp.quarantine[0].size()
	}
}

// former is what a hash answers for a while after its record has moved.
type former struct {
	record session.StoreRecord
	frozen bool
}

func (f former) lives(now time.Time) bool { return now.Before(f.record.ExpiresAt) }

// formerly lets the hash of e answer after w has moved it.
func (sp *space) formerly(e *entry, w session.StoreWrite, now time.Time) {
	for len(sp.moved) > 0 && !sp.former[sp.moved[0]].lives(now) {
		delete(sp.former, sp.moved[0])
		sp.moved = sp.moved[1:]
	}
	if w.Grace <= 0 {
		return
	}
	f := former{e.StoreRecord, w.Freeze}
	f.record.Owner, f.record.Next = session.Hash{}, w.Hash
	if ends := now.Add(w.Grace); ends.Before(f.record.ExpiresAt) {
		f.record.ExpiresAt = ends
	}
	f.record.Deadline = f.record.ExpiresAt
	sp.former[e.Hash] = f
	sp.moved = append(sp.moved, e.Hash)
}

// latest returns the hash that h has moved to, or h.
func (sp *space) latest(h session.Hash, now time.Time) session.Hash {
	for f := sp.former[h]; f.lives(now) && !f.frozen; f = sp.former[h] {
		h = f.record.Next
	}
	return h
}

// find returns the live entry of a hash, or the answer that says why there is
// none.
func (sp *space) find(h session.Hash, quarantine bool, now time.Time) (*entry, session.StoreReply) {
	e := sp.byHash[h]
	f := sp.former[h]
	switch {
	case e == nil && f.lives(now) && f.frozen:
		return nil, session.StoreReply{Status: session.StatusFrozen}
	case e == nil && f.lives(now):
		return nil, session.StoreReply{Status: session.StatusMoved, Record: session.StoreRecord{StoreHandle: f.record.StoreHandle, Next: f.record.Next}}
	case e == nil:
		return nil, session.StoreReply{Status: session.StatusMissing}
	case e.damaged && !e.claimed():
		sp.remove(e, quarantine)
		return nil, session.StoreReply{Status: session.StatusBroken, Reason: session.ReasonCorrupted}
	case e.lapsed(now) || e.claimed():
		return nil, session.StoreReply{Status: session.StatusLapsed}
	}
	return e, session.StoreReply{}
}

// evictMost bounds what one call ends of an owner who is far over the limit.
const evictMost = 32

// room makes room for one more record of w's owner, or reports that there is
// none. moving is the record that w replaces, if any.
func (sp *space) room(w session.StoreWrite, moving *entry, now time.Time) (evicted []session.StoreHandle, ok bool) {
	if w.MaxPerOwner <= 0 || w.Owner == (session.Hash{}) {
		return nil, true
	}
	var live []*entry
	for _, e := range sp.byOwner[w.Owner] {
		if e != moving && !e.lapsed(now) && !e.claimed() {
			live = append(live, e)
		}
	}
	over := min(len(live)-w.MaxPerOwner+1, evictMost)
	if over <= 0 || w.WhenFull == session.Reject {
		return nil, over <= 0
	}
	slices.SortFunc(live, func(a, b *entry) int {
		x, y := a.CreatedAt, b.CreatedAt
		if w.WhenFull == session.EvictIdlest {
			x, y = a.LastActivity, b.LastActivity
		}
		return cmp.Or(x.Compare(y), cmp.Compare(a.Rev, b.Rev))
	})
	for _, e := range live[:over] {
		evicted = append(evicted, e.StoreHandle)
		sp.remove(e, false)
	}
	return evicted, true
}
