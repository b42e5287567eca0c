// SPDX-License-Identifier: MIT

package memsession

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// Store is a [session.StoreQuarantine] in memory. It is safe for concurrent use; several
// managers may share one. Its methods never block on anything but each other,
// and fail only when ctx has ended.
type Store struct {
	mu     sync.Mutex
	spaces map[string]*space
	rev    uint64
}

var _ session.StoreQuarantine = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{spaces: map[string]*space{}} }

// lock takes the store for one call on a space, which is made when it is
// missing: there are as many as managers.
func (s *Store) lock(ctx context.Context, name string) (*space, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	s.mu.Lock()
	sp := s.spaces[name]
	if sp == nil {
		sp = &space{store: s, byHash: map[session.Hash]*entry{}, byOwner: map[session.Hash]map[session.Hash]*entry{}, lines: map[session.Hash]*line{}, former: map[session.Hash]former{}}
		s.spaces[name] = sp
	}
	return sp, time.Now(), nil
}

// unlock ends a call. Only then those are called whose turn has come.
func (s *Store) unlock(sp *space) {
	later := sp.later
	sp.later = nil
	s.mu.Unlock()
	for _, call := range later {
		call()
	}
}

// nextRev returns a revision above all others: it is at least the time in
// microseconds, and rises with each write.
func (s *Store) nextRev(now time.Time) uint64 {
	s.rev = max(s.rev+1, uint64(now.UnixMicro()))
	return s.rev
}

// write stores w's payload in e.
func (s *Store) write(sp *space, e *entry, w session.StoreWrite, now time.Time) {
	e.Rev, e.keep = s.nextRev(now), w.Keep
	copy(e.writes[1:], e.writes[:])
	e.writes[0] = write{e.Rev, w.Nonce}
	e.Payload = bytes.Clone(w.Payload)
	sp.active(e, now)
}

// answer copies what e has now.
func answer(status session.StoreStatus, e *entry) session.StoreReply {
	return session.StoreReply{Status: status, Record: copied(e.StoreRecord, true)}
}

// copied returns a copy of a record, with its payload or without.
func copied(rec session.StoreRecord, payload bool) session.StoreRecord {
	if !payload {
		rec.Payload = nil
	}
	rec.Payload = bytes.Clone(rec.Payload)
	return rec
}

// repeated answers a write that has been made already, with the revision that
// it made.
func (e *entry) repeated(w session.StoreWrite) (r session.StoreReply, ok bool) {
	if e == nil {
		return r, false
	}
	rev, ok := e.wrote(w.Nonce)
	if !ok {
		return r, false
	}
	r = session.StoreReply{Status: session.StatusDone, Record: e.StoreRecord}
	r.Record.Rev, r.Record.Payload = rev, bytes.Clone(w.Payload)
	return r, true
}

// leased says that the lease of a record, if there is one, is not to be had.
func leased(e *entry, now time.Time) session.StoreReply {
	r := session.StoreReply{Status: session.StatusLeased}
	if e != nil {
		r.Retry = max(0, e.leaseEnd.Sub(now))
	}
	return r
}

// Create implements [session.Store].
func (s *Store) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	sp, now, err := s.lock(ctx, w.Space)
	if err != nil {
		return session.StoreReply{}, err
	}
	defer s.unlock(sp)
	sp.forget(now)
	e, why := sp.find(w.Hash, w.Quarantine, now)
	if r, again := e.repeated(w); again {
		return r, nil
	}
	switch {
	case why.Status == session.StatusBroken || why.Status == session.StatusMoved || why.Status == session.StatusFrozen:
		return why, nil
	case !sp.mayTake(w.Hash, w.Lease, w.Turn, now):
		return leased(e, now), nil
	case e != nil:
		e.take(w.Lease, w.LeaseFor, now)
		touched := sp.touch(e, true, w.TouchEvery, now)
		r := answer(session.StatusExists, e)
		r.Touched = touched
		return r, nil
	}
	evicted, ok := sp.room(w, nil, now)
	if !ok {
		return session.StoreReply{Status: session.StatusOverLimit}, nil
	}
	e = &entry{StoreRecord: session.StoreRecord{StoreHandle: w.StoreHandle, CreatedAt: now, Idle: w.Idle}}
	e.begin(w.Total, now)
	e.take(w.Lease, w.LeaseFor, now)
	sp.insert(e)
	s.write(sp, e, w, now)
	r := answer(session.StatusDone, e)
	r.Evicted = evicted
	return r, nil
}

// begin counts the age of e from now.
func (e *entry) begin(total time.Duration, now time.Time) {
	e.CreatedAt, e.Deadline = now, time.Time{}
	if total > 0 {
		e.Deadline = now.Add(total)
	}
}

// touch moves the idle deadline unless that was done a short while ago.
func (sp *space) touch(e *entry, wanted bool, every time.Duration, now time.Time) bool {
	if !wanted || now.Sub(e.LastActivity) < min(every, e.Idle/2) {
		return false
	}
	sp.active(e, now)
	return true
}

// Load implements [session.Store].
func (s *Store) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	sp, now, err := s.lock(ctx, l.Space)
	if err != nil {
		return session.StoreReply{}, err
	}
	defer s.unlock(sp)
	e, why := sp.find(l.Hash, l.Quarantine, now)
	if l.Lease != "" && l.LeaseFor <= 0 {
		sp.leave(l.Hash, l.Lease, now)
	}
	if why.Status == session.StatusFrozen && l.Lease == "" {
		why.Record = copied(sp.former[l.Hash].record, !l.Bare)
	}
	if e == nil {
		return why, nil
	}
	if l.Lease != "" && l.LeaseFor > 0 {
		if !e.leasedTo(l.Lease, now) && (l.Held || !sp.mayTake(l.Hash, l.Lease, l.Turn, now)) {
			return leased(e, now), nil
		}
		e.take(l.Lease, l.LeaseFor, now)
	}
	touched := sp.touch(e, l.Touch, l.TouchEvery, now)
	return session.StoreReply{Status: session.StatusDone, Touched: touched, Record: copied(e.StoreRecord, !l.Bare)}, nil
}

// Save implements [session.Store].
func (s *Store) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	sp, now, err := s.lock(ctx, w.Space)
	if err != nil {
		return session.StoreReply{}, err
	}
	defer s.unlock(sp)
	e, refused := sp.writable(w.Hash, w, now)
	if e == nil {
		return refused, nil
	}
	s.write(sp, e, w, now)
	if w.Free {
		e.lease = ""
		sp.serve(w.Hash, now)
	}
	return answer(session.StatusDone, e), nil
}

// writable returns the entry of h when w may change it. Otherwise the reply
// says why not; Done means that this very write has been made.
func (sp *space) writable(h session.Hash, w session.StoreWrite, now time.Time) (*entry, session.StoreReply) {
	e, why := sp.find(h, w.Quarantine, now)
	if r, again := e.repeated(w); again {
		return nil, r
	}
	switch {
	case e == nil:
		return nil, why
	case w.Lease != "" && !e.leasedTo(w.Lease, now), e.leasedToOthers(w.Lease, now):
		return nil, leased(e, now)
	case e.Rev != w.Rev:
		return nil, answer(session.StatusStale, e)
	}
	return e, session.StoreReply{}
}

// Move implements [session.Store], in one step.
func (s *Store) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	sp, now, err := s.lock(ctx, w.Space)
	if err != nil {
		return session.StoreReply{}, err
	}
	defer s.unlock(sp)
	target, why := sp.find(w.Hash, w.Quarantine, now)
	if r, again := target.repeated(w); again {
		return r, nil
	}
	switch {
	case target != nil:
		return answer(session.StatusExists, target), nil
	case why.Status == session.StatusBroken:
		return why, nil
	}
	old, refused := sp.writable(from.Hash, w, now)
	if old == nil {
		return refused, nil
	}
	evicted, ok := sp.room(w, old, now)
	if !ok {
		return session.StoreReply{Status: session.StatusOverLimit}, nil
	}
	sp.remove(old, false)
	sp.formerly(old, w, now)
	e := &entry{StoreRecord: session.StoreRecord{StoreHandle: w.StoreHandle, CreatedAt: old.CreatedAt, Deadline: old.Deadline, Idle: w.Idle}}
	if w.Restart {
		e.begin(w.Total, now)
	}
	sp.insert(e)
	s.write(sp, e, w, now)
	r := answer(session.StatusDone, e)
	r.Evicted = evicted
	return r, nil
}

// removeMost bounds what one call removes of an owner.
const removeMost = 1000

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, d session.StoreRemove) (r session.StoreRemoved, err error) {
	sp, now, err := s.lock(ctx, d.Space)
	if err != nil {
		return r, err
	}
	defer s.unlock(sp)
	var hashes []session.Hash
	for _, h := range d.Handles {
		hashes = append(hashes, sp.latest(h, now))
		if d.Owner == (session.Hash{}) {
			delete(sp.former, h)
		}
	}
	if d.Owner != (session.Hash{}) {
		except := hashes
		hashes = nil
		for h, e := range sp.byOwner[d.Owner] {
			if e.claimed() || slices.Contains(except, h) {
				continue
			}
			if r.More = len(hashes) == removeMost; r.More {
				break
			}
			hashes = append(hashes, h)
		}
	}
	for _, h := range hashes {
		e := sp.byHash[h]
		if e == nil || e.claimed() {
			continue
		}
		sp.remove(e, false)
		r.Removed = append(r.Removed, copied(e.StoreRecord, d.Payload))
	}
	return r, nil
}

// List implements [session.Store]. It looks again at each of those that there
// were at its start, and yields with the store unlocked.
func (s *Store) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return func(yield func(session.StoreRecord, error) bool) {
		sp, _, err := s.lock(ctx, l.Space)
		if err != nil {
			yield(session.StoreRecord{}, err)
			return
		}
		of := sp.byHash
		if l.Owner != (session.Hash{}) {
			of = sp.byOwner[l.Owner]
		}
		all := slices.SortedFunc(maps.Values(of), func(a, b *entry) int { return a.CreatedAt.Compare(b.CreatedAt) })
		s.mu.Unlock()
		for _, e := range all {
			rec, live, err := s.look(ctx, l.Space, e)
			if (live || err != nil) && !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// look copies e if it is still a live record.
func (s *Store) look(ctx context.Context, name string, e *entry) (rec session.StoreRecord, live bool, err error) {
	sp, now, err := s.lock(ctx, name)
	if err != nil {
		return rec, false, err
	}
	defer s.unlock(sp)
	if sp.byHash[e.Hash] != e || e.damaged || e.claimed() || e.lapsed(now) {
		return rec, false, nil
	}
	return answer(session.StatusDone, e).Record, true, nil
}

// Damage spoils the record at h as a fault of the memory would, so that tests
// can see what happens then: the next call that meets it finds it corrupted.
func (s *Store) Damage(h session.StoreHandle) {
	sp, _, _ := s.lock(context.Background(), h.Space)
	defer s.unlock(sp)
	if e := sp.byHash[h.Hash]; e != nil {
		e.damaged = true
	}
}
