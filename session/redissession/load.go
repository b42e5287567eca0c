// SPDX-License-Identifier: MIT

package redissession

import (
	"context"

	"github.com/holdfast-go/holdfast/session"
)

// Load implements [session.Store] in one round trip.
func (s *Store) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	if err := s.agree(ctx, l.Space); err != nil {
		return session.StoreReply{}, err
	}
	slot := s.slotOf(l.Space, l.Hash)
	var every any = ""
	if l.Touch {
		every = millis(l.TouchEvery)
	}
	args := []any{string(l.Hash[:]), every, flag(l.Bare), s.aside(l.Quarantine), s.quarantineMost}
	lease := nameLease(l.Lease)
	var wait string
	if l.Lease != "" {
		if wait = s.inbox.way(lease, slot, l.Hash, l.Turn); l.LeaseFor <= 0 {
			s.inbox.leave(lease)
			wait = s.inbox.name
		}
		args = append(args, lease[:], millis(l.LeaseFor), flag(l.Held), wait)
	}
	a, err := s.ask(ctx, loadScript, []string{slot.expiry(), slot.record(l.Hash)}, args...)
	if err != nil {
		return session.StoreReply{}, err
	}
	s.inbox.answered(lease, a.status)
	return s.reply(ctx, a, l.StoreHandle, !l.Bare, l.Quarantine)
}
