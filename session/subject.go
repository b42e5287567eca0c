// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// BySubject yields the live sessions of a subject. Their ids have no token, which
// only its owner knows, and can be used to delete, save and read. One that
// cannot be decoded yields its [*CorruptError] and does not keep the others
// back. All are read before the first is yielded. Config.Timeout bounds each round trip,
// unless ctx has a deadline, and only ctx all of them. Errors: [ErrInvalid] for an
// empty subject, [ErrUnavailable]; and [ErrIncomplete] after all that were found.
func (m *Manager[T]) BySubject(ctx context.Context, subject string) iter.Seq2[*Session[T], error] {
	return func(yield func(*Session[T], error) bool) {
		records, err := m.records(ctx, subject)
		if err != nil && !errors.Is(err, ErrIncomplete) {
			yield(nil, err)
			return
		}
		for _, rec := range records {
			if !yield(m.read(ctx, rec, listed(rec.Hash))) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// records reads all records of a subject before any is handed on, so that no
// code of the caller runs while the store is at work.
func (m *Manager[T]) records(ctx context.Context, subject string) ([]StoreRecord, error) {
	if err := needSubject(subject); err != nil {
		return nil, err
	}
	var all []StoreRecord
	seen := map[Hash]bool{} // a store may yield one twice
	for rec, err := range m.list(ctx, m.index.subject(subject)) {
		switch {
		case errors.Is(err, ErrIncomplete):
			return all, err
		case err != nil:
			return nil, unanswered(ctx, "list", err)
		}
		if !seen[rec.Hash] {
			seen[rec.Hash] = true
			all = append(all, rec)
		}
	}
	return all, nil
}

// list reads the records of an owner, or of all if that is zero, for as long as it takes.
func (m *Manager[T]) list(ctx context.Context, owner Hash) iter.Seq2[StoreRecord, error] {
	l := StoreList{Space: m.cfg.Name, Owner: owner, Within: m.cfg.Timeout}
	if _, has := ctx.Deadline(); has {
		l.Within = 0
	}
	return m.store.List(ctx, l)
}

// DeleteSubject ends all sessions of a subject but the exceptions, and returns
// how many there were: "log out everywhere", or "everywhere else" with the
// current one's id. One round trip for each 64 sessions, with a pause as long
// after each, so that others are not held up; Config.Timeout bounds each trip, and
// only ctx all of them. Those that are counted have ended, also when an error
// follows. Expired sessions that wait for the cleanup or for OnExpire may stay until
// Config.Grace has passed, and those in quarantine for as long as that keeps them.
// Errors: [ErrInvalid] for an empty subject, [ErrUnavailable], [ErrIncomplete] when
// sessions may be left that the store could not find.
func (m *Manager[T]) DeleteSubject(ctx context.Context, subject string, except ...ID) (n int, err error) {
	o, ctx := m.begin(ctx, OpDelete)
	defer func() { m.finish(o, err) }()
	if err := needSubject(subject); err != nil {
		return 0, err
	}
	d := StoreRemove{Owner: m.index.subject(subject)}
	for _, id := range except {
		d.Handles = append(d.Handles, m.index.id(id))
	}
	incomplete := false
	for more := true; more; {
		start := time.Now()
		r, err := m.remove(ctx, d, subject)
		if err != nil {
			return n, err
		}
		n += len(r.Removed)
		incomplete = incomplete || r.Incomplete
		if more = r.More; more {
			if err := sleep(ctx, time.Since(start)); err != nil {
				return n, unanswered(ctx, "delete", err)
			}
		}
	}
	if incomplete {
		return n, fmt.Errorf("%w: delete", ErrIncomplete)
	}
	for h := range m.handlings(ctx) {
		if h.subject == d.Owner && len(except) == 0 { // one may be spared under an earlier id
			h.deleted.Store(true)
		}
	}
	return n, nil
}

// Rotate gives s a new id and saves its data, in one step. Do it whenever the rights
// behind a session change. For Config.RotateGrace the old id leads to the same session,
// so that requests that are under way with the old token are not logged out; their
// sessions have an id without a token, so leave the client's cookie alone. Then, or
// when the session ends, the old token is worthless. The session keeps its age, its
// timeouts and its subject. Errors as for Save, and [ErrInvalid] for a conversation,
// whose id follows from its [Conversation]. When two rotate at once, one gets a
// [*ConflictError].
func (m *Manager[T]) Rotate(ctx context.Context, s *Session[T]) (err error) {
	o, _ := m.begin(ctx, OpRotate)
	defer func() { m.finish(o, err) }()
	if err := s.intact(); err != nil {
		return err
	}
	return m.move(o, s, s.Subject, StoreWrite{StoreRecord: StoreRecord{Idle: s.idle}})
}

// Bind makes s a session of subject, as at login: with a new id, like Rotate, but the
// old one never leads to the login. For Config.RotateGrace it shows, read only, the data
// from before and no subject, as long as the login lives: one that was planted or
// stolen is of no use. Its age begins anew, unless
// Config.BindKeepsAge is set: a login does not end with the visit that it began in.
// Its timeouts stay unless opts has a [Lifetime] or [DefaultLifetime]. Errors as for
// Rotate, [ErrFull] by Config.MaxPerSubject, and [ErrInvalid] for an empty subject.
func (m *Manager[T]) Bind(ctx context.Context, s *Session[T], subject string, opts ...CreateOption) (err error) {
	o, _ := m.begin(ctx, OpBind)
	defer func() { m.finish(o, err) }()
	if err := errors.Join(s.intact(), needSubject(subject)); err != nil {
		return err
	}
	own, want := time.Duration(0), created(opts)
	if !s.deadline.IsZero() {
		own = s.deadline.Sub(s.created)
	}
	idle := s.idle
	if m.cfg.IdleTimeout == 0 && idle == own {
		idle = 0 // it has none, as Config says
	}
	restart := !m.cfg.BindKeepsAge || want.absolute != 0
	if want.config {
		restart = restart || own != m.cfg.AbsoluteTimeout
		idle, own = m.cfg.IdleTimeout, m.cfg.AbsoluteTimeout
	}
	idle, absolute, err := want.lifetime(idle, own)
	switch {
	case err != nil:
		return err
	case want.subject != "":
		return invalid("Bind has the subject already")
	}
	w := StoreWrite{StoreRecord: StoreRecord{Idle: idle}, Total: absolute, Restart: restart, Freeze: true}
	return m.move(o, s, subject, w)
}

// move saves s under another id. times says how long it lasts there.
func (m *Manager[T]) move(o *operation, s *Session[T], subject string, times StoreWrite) error {
	switch {
	case s.Conversation != (Conversation{}):
		return invalid("a conversation's id follows from its Conversation, and cannot change")
	case s.lease != "":
		return invalid("a session cannot be moved while it is handled exclusively")
	}
	beside := m.index.subject(subject)
	if subject == "" {
		beside = m.index.id(s.ID) // in its partition a store moves it in one step
	}
	id := newID(beside)
	w, _, err := m.written(&Session[T]{ID: id, Data: s.Data, Subject: subject, random: s.random})
	if err != nil {
		return err
	}
	w.Rev, w.MaxPerOwner, w.WhenFull = s.rev, m.cfg.MaxPerSubject, m.cfg.WhenFull
	w.CreatedAt, w.Deadline = s.created, s.deadline
	w.Idle, w.Total, w.Restart, w.Freeze = times.Idle, times.Total, times.Restart, times.Freeze
	w.Grace = m.cfg.RotateGrace
	o.Bytes = len(w.Payload)
	from := m.handle(s.ID, s.Subject)
	r, err := m.follow(&from, func() (StoreReply, error) { // where it has moved, this revision is stale
		return m.ask(o.ctx, o.Op, w.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Move(ctx, from, w) })
	})
	if err != nil {
		return err
	}
	if r.Status != StatusDone {
		return m.refusal(o.ctx, o.Op, r, s.ID, "")
	}
	m.evicted(o.ctx, r, subject)
	m.ended(o.ctx, ReasonRotated, from.Hash, s.Subject, r.Record.LastActivity.Sub(s.created))
	s.ID, s.Subject, s.owner = id, subject, subject
	s.took(r.Record)
	return nil
}

// Unbind makes s a session of no subject, as at a logout that leaves the cart: with a
// new id, like Rotate, and for Config.RotateGrace the old one leads to it. It keeps its
// age and its timeouts. Errors as for Rotate.
func (m *Manager[T]) Unbind(ctx context.Context, s *Session[T]) (err error) {
	o, _ := m.begin(ctx, OpRotate)
	defer func() { m.finish(o, err) }()
	if err := s.intact(); err != nil {
		return err
	}
	return m.move(o, s, "", StoreWrite{StoreRecord: StoreRecord{Idle: s.idle}})
}

func needSubject(subject string) error {
	if subject == "" {
		return invalid("the subject is empty")
	}
	return checkSubject(subject)
}
