// SPDX-License-Identifier: MIT

package redissession

import (
	"context"

	"github.com/holdfast-go/holdfast/session"
)

// Load implements [session.Store] in one round trip. It does not wait for a
// lease: that is the manager's.
func (s *Store) Load(ctx context.Context, l session.Load) (session.Reply, error) {
	slot, lease := s.slotOf(l.Space, l.Hash), nameLease(l.Lease)
	a, err := s.ask(ctx, loadScript, []string{slot.expiry(), slot.record(l.Hash)},
		l.Hash[:], millis(l.Touch), millis(l.TouchEvery), lease[:], millis(l.LeaseFor),
		flag(l.Held), flag(l.Bare), s.aside(l.Quarantine), s.quarantineMost)
	if err != nil {
		return session.Reply{}, err
	}
	return s.reply(ctx, a, l.Handle, !l.Bare, l.Quarantine)
}
