// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// All yields the live sessions, as [Manager.BySubject] does those of a subject,
// but reads a part at a time: what begins or gets another id meanwhile may be left out,
// and one may be yielded twice. Config.Timeout bounds each round trip, unless ctx has a deadline, and only
// ctx all of them. In Redis two round trips for 64 sessions. Errors: [ErrUnavailable],
// which is the last that is yielded.
func (m *Manager[T]) All(ctx context.Context) iter.Seq2[*Session[T], error] {
	return func(yield func(*Session[T], error) bool) {
		for rec, err := range m.list(ctx, Hash{}) {
			if err != nil {
				yield(nil, unanswered(ctx, "list", err))
				return
			}
			if !yield(m.read(ctx, rec, listed(rec.Hash))) {
				return
			}
		}
	}
}

// DeleteAll ends all sessions that there are when it begins, but for those that get
// another id meanwhile, which may be left, and returns how many. Expired ones stay for the cleanup, and damaged ones until they are found. Config.Timeout
// bounds each round trip, and only ctx all of them. After an error, those that are
// counted have ended. In Redis three round trips for 64 sessions. Errors: [ErrUnavailable].
func (m *Manager[T]) DeleteAll(ctx context.Context) (n int, err error) {
	o, ctx := m.begin(ctx, OpDelete)
	defer func() { m.finish(o, err) }()
	var some []Hash
	end := func() error {
		r, err := m.remove(ctx, StoreRemove{Handles: some}, "")
		n, some = n+len(r.Removed), nil
		return err
	}
	for rec, err := range m.list(ctx, Hash{}) {
		if err != nil {
			return n, unanswered(ctx, "list", err)
		}
		if some = append(some, rec.Hash); len(some) == 64 {
			if err := end(); err != nil {
				return n, err
			}
		}
	}
	if err := end(); err != nil {
		return n, err
	}
	for h := range m.handlings(ctx) {
		h.deleted.Store(true)
	}
	return n, nil
}

// Export returns the live sessions of a subject as a JSON array: for each the hash
// of its id, its times, its conversation if it is one, and its data, for a person who
// asks what is stored about them. A session that cannot be decoded is missing, and then
// the error is its [*CorruptError], beside the others. Errors as for BySubject, where
// [ErrIncomplete] comes beside the others, too, and that of encoding/json for a T that it
// cannot encode.
func (m *Manager[T]) Export(ctx context.Context, subject string) ([]byte, error) {
	type exported struct {
		Session      string
		CreatedAt    time.Time
		LastActivity time.Time
		ExpiresAt    time.Time
		Channel      string `json:",omitempty"`
		Peer         string `json:",omitempty"`
		Data         T
	}
	var incomplete error
	all := []exported{}
	for s, err := range m.BySubject(ctx, subject) {
		if err != nil {
			incomplete = errors.Join(incomplete, err)
			continue
		}
		hash := m.index.id(s.ID)
		all = append(all, exported{
			hex.EncodeToString(hash[:]), s.CreatedAt, s.LastActivity, s.ExpiresAt,
			s.Conversation.Channel, s.Conversation.Peer, s.Data,
		})
	}
	if incomplete != nil && len(all) == 0 {
		return nil, incomplete
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return text, incomplete
}
