// SPDX-License-Identifier: MIT

package redissession

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/rediscall"
	"github.com/holdfast-go/holdfast/session"
)

// noted is how long a note shows a write that comes late that it has been made,
// although its record is gone. TCP gives up on what no one waits for any more
// after about as long.
const noted = 2 * time.Minute

// template is the header of a write, as far as the client knows it.
func template(w session.StoreWrite) header {
	keep := w.Keep
	if keep <= 0 {
		keep = keepDefault
	}
	return header{
		rev:   w.Rev,
		nonce: w.Nonce,
		idle:  millis(w.Idle),
		keep:  uint32(min((millis(keep)+999)/1000, 1<<32-1)),
		crc:   checksum(w.Payload),
		lease: nameLease(w.Lease),
		owner: w.Owner,
	}
}

// Create implements [session.Store] in one round trip.
func (s *Store) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	h := template(w)
	h.absolute, h.leaseEnd = millis(w.Total), millis(w.LeaseFor)
	if h.idle == 0 && h.absolute == 0 {
		return session.StoreReply{}, errors.New("a record needs an idle timeout or an absolute one")
	}
	if h.leaseEnd == 0 {
		h.lease = leaseName{}
	}
	return s.create(ctx, w, h)
}

func (s *Store) create(ctx context.Context, w session.StoreWrite, h header) (session.StoreReply, error) {
	if err := s.placed(w.StoreHandle); err != nil {
		return session.StoreReply{}, err
	}
	if err := s.agree(ctx, w.Space); err != nil {
		return session.StoreReply{}, err
	}
	slot := s.slotOf(w.Space, w.Hash)
	keys := []string{slot.expiry(), slot.record(w.Hash), slot.createNote(w.Hash)}
	if w.Owner != (session.Hash{}) {
		keys = append(keys, slot.owner(w.Owner))
	}
	a, err := s.ask(ctx, createScript, keys, w.Hash[:], h.encode(), string(w.Payload), millis(w.TouchEvery),
		max(w.MaxPerOwner, 0), w.WhenFull.String(), s.aside(w.Quarantine), s.quarantineMost, new(rediscall.Tries), noted.Milliseconds(),
		s.inbox.way(h.lease, slot, w.Hash, w.Turn))
	if err != nil {
		return session.StoreReply{}, err
	}
	s.inbox.answered(h.lease, a.status)
	return s.written(ctx, a, w)
}

// written is the reply to w. Done came without the payload, which is w's.
func (s *Store) written(ctx context.Context, a answer, w session.StoreWrite) (session.StoreReply, error) {
	r, err := s.reply(ctx, a, w.StoreHandle, a.status != session.StatusDone, w.Quarantine)
	if err == nil && r.Status == session.StatusDone {
		r.Record.Payload = slices.Clone(w.Payload)
	}
	return r, err
}

// Save implements [session.Store] in one round trip. When the client has lost
// replies, and more has been saved meanwhile than the record remembers, the
// answer is an error: whether it was carried out is not known.
func (s *Store) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	if err := s.agree(ctx, w.Space); err != nil {
		return session.StoreReply{}, err
	}
	slot := s.slotOf(w.Space, w.Hash)
	a, err := s.ask(ctx, saveScript, []string{slot.expiry(), slot.record(w.Hash)},
		w.Hash[:], template(w).encode(), string(w.Payload), flag(w.Free), s.aside(w.Quarantine), s.quarantineMost, new(rediscall.Tries))
	if err != nil {
		return session.StoreReply{}, err
	}
	return s.written(ctx, a, w)
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}
