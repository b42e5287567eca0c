// SPDX-License-Identifier: MIT

package memsession

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/holdfast-go/holdfast/session"
)

// Quarantined implements [session.StoreQuarantine]. It yields what there was at its start,
// with the store unlocked.
func (s *Store) Quarantined(ctx context.Context, name string) iter.Seq2[session.Quarantined, error] {
	return func(yield func(session.Quarantined, error) bool) {
		sp, _, err := s.lock(ctx, name)
		if err != nil {
			yield(session.Quarantined{}, err)
			return
		}
		all := slices.Clone(sp.quarantine)
		s.mu.Unlock()
		for _, a := range all {
			q := session.Quarantined{StoreRecord: a.StoreRecord, ID: a.id, At: a.at}
			q.Payload = bytes.Clone(q.Payload)
			if !yield(q, nil) {
				return
			}
		}
	}
}

// Restore implements [session.StoreQuarantine].
func (s *Store) Restore(ctx context.Context, name, id string) (session.StoreStatus, error) {
	sp, now, err := s.lock(ctx, name)
	if err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	i := slices.IndexFunc(sp.quarantine, func(a aside) bool { return a.id == id })
	if i < 0 {
		return session.StatusMissing, nil
	}
	a := sp.quarantine[i]
	lapsed := a.lapsed(now)
	if !lapsed && sp.byHash[a.Hash] != nil {
		return session.StatusExists, nil
	}
	sp.quarantine = slices.Delete(sp.quarantine, i, i+1)
	sp.kept -= a.size()
	a.damaged, a.attempts, a.lease = false, 0, ""
	if lapsed { // a newer one may be in its place
		sp.claims.put(a.entry, now)
		return session.StatusDone, nil
	}
	sp.insert(a.entry)
	sp.expiry.put(a.entry, a.ExpiresAt)
	return session.StatusDone, nil
}
