// SPDX-License-Identifier: MIT

package redissession

import (
	"context"

	"github.com/holdfast-go/holdfast/session"
)

// Move implements [session.Store]: in one step within a partition. Between
// partitions it creates the new record, then deletes the old one at its
// revision, and takes the new one back when that is refused. So a failure in
// between leaves the old record as it was, and a new one that no caller knows and
// that lapses by itself; what made room for the copy stays evicted. It takes
// two round trips when w repeats CreatedAt and Deadline of from, otherwise
// three.
func (s *Store) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	if err := s.placed(w.StoreHandle); err != nil {
		return session.StoreReply{}, err
	}
	if err := s.agree(ctx, w.Space); err != nil {
		return session.StoreReply{}, err
	}
	if s.partition(from.Hash) == s.partition(w.Hash) {
		return s.moveWithin(ctx, from, w)
	}
	if w.Restart || !w.CreatedAt.IsZero() {
		return s.moveAcross(ctx, from, w)
	}
	r, err := s.Load(ctx, session.StoreLoad{StoreHandle: from, Quarantine: w.Quarantine})
	switch {
	case err == nil && (r.Status == session.StatusMissing || r.Status == session.StatusFrozen):
		return s.movedBefore(ctx, from, w)
	case err != nil || r.Status != session.StatusDone:
		return r, err
	case r.Record.Rev != w.Rev:
		return session.StoreReply{Status: session.StatusStale, Record: r.Record}, nil
	}
	w.CreatedAt, w.Deadline = r.Record.CreatedAt, r.Record.Deadline
	return s.moveAcross(ctx, from, w)
}

func (s *Store) moveWithin(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	slot := s.slotOf(w.Space, w.Hash)
	keys := []string{slot.expiry(), slot.record(w.Hash), slot.record(from.Hash)}
	if w.Owner != (session.Hash{}) {
		keys = append(keys, slot.owner(w.Owner))
	}
	h := template(w)
	h.absolute = millis(w.Total)
	a, err := s.ask(ctx, moveScript, keys, w.Hash[:], h.encode(), string(w.Payload), from.Hash[:],
		max(w.MaxPerOwner, 0), w.WhenFull.String(), s.aside(w.Quarantine), s.quarantineMost, flag(w.Restart),
		millis(w.Grace), flag(w.Freeze))
	if err != nil {
		return session.StoreReply{}, err
	}
	if a.status == session.StatusStale || a.status == session.StatusMoved {
		return s.reply(ctx, a, from, true, w.Quarantine)
	}
	return s.written(ctx, a, w)
}

func (s *Store) moveAcross(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	h := template(w)
	h.lease = leaseName{}
	if w.Restart {
		h.absolute = millis(w.Total)
	} else {
		h.created = w.CreatedAt.UnixMilli()
		if !w.Deadline.IsZero() {
			h.absolute = w.Deadline.UnixMilli()
		}
	}
	created, err := s.create(ctx, w, h)
	if err != nil || created.Status != session.StatusDone {
		return created, err
	}
	gone, err := s.retire(ctx, from, w)
	if err != nil || gone.Status == session.StatusDone {
		return created, err
	}
	_, err = s.deleteHandles(ctx, session.StoreRemove{Space: w.Space, Handles: []session.Hash{w.Hash}}, created.Record.Rev, false)
	gone.Evicted = created.Evicted
	return gone, err
}

// retire deletes from after its copy was created.
func (s *Store) retire(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	slot := s.slotOf(from.Space, from.Hash)
	a, err := s.ask(ctx, retireScript, []string{slot.expiry(), slot.record(from.Hash), slot.moveNote(from.Hash)},
		from.Hash[:], template(w).encode(), noted.Milliseconds(), s.aside(w.Quarantine), s.quarantineMost,
		w.Hash[:], millis(w.Grace), flag(w.Freeze))
	if err != nil {
		return session.StoreReply{}, err
	}
	return s.reply(ctx, a, from, true, w.Quarantine)
}

// movedBefore answers a move whose from is missing: Done when this very move
// has deleted it.
func (s *Store) movedBefore(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	gone, err := s.retire(ctx, from, w)
	if err != nil || gone.Status != session.StatusDone {
		return gone, err
	}
	return s.Load(ctx, session.StoreLoad{StoreHandle: w.StoreHandle, Quarantine: w.Quarantine})
}
