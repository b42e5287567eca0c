// SPDX-License-Identifier: MIT

package redissession

import (
	"context"

	"github.com/holdfast-go/holdfast/session"
)

// Load implements [session.Store] in one round trip. It does not wait for a
// lease: that is the manager's.
func (s *Store) Load(ctx context.Context, l session.LoadRequest) (session.Reply, error) {
	slot := s.slotOf(l.Space, l.Hash)
	args := []any{l.Hash[:], millis(l.Touch), millis(l.TouchEvery), flag(l.Bare), s.aside(l.Quarantine), s.quarantineMost}
	if l.Lease != "" {
		lease := nameLease(l.Lease)
		args = append(args, lease[:], millis(l.LeaseFor), flag(l.Held))
	}
	a, err := s.ask(ctx, loadScript, []string{slot.expiry(), slot.record(l.Hash)}, args...)
	if err != nil {
		return session.Reply{}, err
	}
	return s.reply(ctx, a, l.Handle, !l.Bare, l.Quarantine)
}
