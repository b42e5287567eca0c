// SPDX-License-Identifier: MIT

package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	freeUpdates = 3   // tries of one Update before it waits for its turn
	inlineOpen  = 512 // bytes that Open sends along before it knows that they are needed
	maxText     = 1024
	maxMoves    = 100 // of one session within Config.RotateGrace
)

// Create makes a session with a fresh id, whose [ID.Token] is for the client.
// One round trip. Errors: [ErrTooLarge], [ErrFull], [ErrInvalid], also for data
// that Config.Codec cannot decode once it has encoded it, [ErrUnavailable], and
// [ErrNotFound] when a reply was lost and the session ended before it was asked
// for again. After [ErrUnavailable] there may be a session whose token no one
// has; it ends when idle.
func (m *Manager[T]) Create(ctx context.Context, data T, opts ...CreateOption) (s *Session[T], err error) {
	o, ctx := m.begin(ctx, OpCreate)
	defer func() { m.finish(o, err) }()
	want := created(opts)
	idle, absolute, err := want.lifetime(m.cfg.IdleTimeout, m.cfg.AbsoluteTimeout)
	if err := errors.Join(checkSubject(want.subject), err); err != nil {
		return nil, err
	}
	id := newID(m.index.subject(want.subject))
	w, s, err := m.written(&Session[T]{ID: id, Data: data, Subject: want.subject})
	if err != nil {
		return nil, err
	}
	w.Idle, w.Total = idle, absolute
	w.MaxPerOwner, w.WhenFull = m.cfg.MaxPerSubject, m.cfg.WhenFull
	o.Bytes = len(w.Payload)
	r, err := m.ask(ctx, OpCreate, w.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Create(ctx, w) })
	if err != nil {
		return nil, err
	}
	if r.Status != StatusDone {
		return nil, m.refusal(ctx, OpCreate, r, id, "")
	}
	m.evicted(ctx, r, want.subject)
	s.took(r.Record)
	return s, nil
}

// Open finds the session of a conversation, or creates it with initial. One
// round trip; two when it creates one of more than 512 bytes. A damaged record
// in its place is removed and replaced. Errors: [ErrTooLarge], [ErrFull], [ErrInvalid],
// [ErrUnavailable], and a [*CorruptError] for a session that this instance
// cannot decode.
func (m *Manager[T]) Open(ctx context.Context, c Conversation, initial T) (s *Session[T], created bool, err error) {
	o, _ := m.begin(ctx, OpOpen)
	defer func() { m.finish(o, err) }()
	return m.open(o, c, &initial, "", nil)
}

// open does the work of Open and the first half of Converse's: with a lease it
// also takes that, and returns ErrBusy when it has to wait in line.
func (m *Manager[T]) open(o *operation, c Conversation, initial *T, lease string, turn func()) (s *Session[T], created bool, err error) {
	if err := checkConversation(c); err != nil {
		return nil, false, err
	}
	id := c.ID()
	w, fresh, err := m.written(&Session[T]{ID: id, Data: *initial, Conversation: c, Subject: c.Subject})
	if err != nil {
		return nil, false, err
	}
	if c.Subject != "" {
		w.MaxPerOwner, w.WhenFull = m.cfg.MaxPerSubject, m.cfg.WhenFull
	}
	if lease != "" {
		w.Lease, w.LeaseFor, w.Turn, w.TouchEvery = lease, m.cfg.Lease, turn, 0
	}
	o.Bytes = len(w.Payload)
	// Each turn but the last removes a damaged record. The number is limited,
	// since a fault may spoil every record that is written.
	for range 3 {
		s, err = m.openOnce(o, fresh, w)
		if corrupt, ok := errors.AsType[*CorruptError](err); !ok || corrupt.Reason == ReasonUndecodable {
			break
		}
	}
	return s, o.Fresh, err
}

// openOnce returns the session that is there, or fresh, which w creates.
func (m *Manager[T]) openOnce(o *operation, fresh *Session[T], w StoreWrite) (*Session[T], error) {
	id := fresh.ID
	r := StoreReply{Status: StatusMissing}
	var err error
	if len(w.Payload) > inlineOpen {
		l := m.loading(id)
		l.Lease, l.LeaseFor, l.Turn, l.TouchEvery = w.Lease, w.LeaseFor, w.Turn, w.TouchEvery
		if r, err = m.ask(o.ctx, o.Op, l.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Load(ctx, l) }); err != nil {
			return nil, err
		}
		if r.Status == StatusDone {
			r.Status = StatusExists
		}
	}
	if r.Status == StatusMissing || r.Status == StatusLapsed {
		if r, err = m.ask(o.ctx, o.Op, w.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Create(ctx, w) }); err != nil {
			return nil, err
		}
	}
	o.Touched, o.Fresh = r.Touched, r.Status == StatusDone
	switch r.Status {
	case StatusDone:
		m.evicted(o.ctx, r, fresh.Subject)
		fresh.took(r.Record)
		return fresh, nil
	case StatusExists:
		return m.read(o.ctx, r.Record, id)
	}
	return nil, m.refusal(o.ctx, o.Op, r, id, "")
}

// Get returns a session and records the activity, at most every
// Config.TouchEvery. One round trip. Errors: [ErrNotFound], [ErrExpired],
// [*CorruptError], [ErrInvalid], [ErrUnavailable].
func (m *Manager[T]) Get(ctx context.Context, id ID) (*Session[T], error) {
	return m.load(ctx, OpGet, id)
}

// Peek is Get without recording activity: looking does not keep a session
// alive. One round trip.
func (m *Manager[T]) Peek(ctx context.Context, id ID) (*Session[T], error) {
	return m.load(ctx, OpPeek, id)
}

func (m *Manager[T]) load(ctx context.Context, op Op, id ID) (s *Session[T], err error) {
	o, ctx := m.begin(ctx, op)
	defer func() { m.finish(o, err) }()
	l := m.loading(id)
	l.Touch = op == OpGet
	r, err := m.loaded(o, id, &l)
	if err != nil {
		return nil, err
	}
	return m.read(ctx, r.Record, id)
}

// loaded calls Load and turns every answer but Done into an error. l is then about
// where the session is now.
func (m *Manager[T]) loaded(o *operation, id ID, l *StoreLoad) (StoreReply, error) {
	if id.IsZero() {
		return StoreReply{}, invalid("the zero ID names no session")
	}
	r, err := m.follow(&l.StoreHandle, func() (StoreReply, error) {
		if l.Lease != "" && m.handled(o.ctx, l.Hash) {
			return StoreReply{}, errWithin
		}
		return m.ask(o.ctx, o.Op, l.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Load(ctx, *l) })
	})
	if err == nil && r.Status == StatusFrozen && (o.Op == OpGet || o.Op == OpPeek || o.Op == OpTouch) {
		r, err = m.thaw(o, r)
	}
	if err != nil {
		return StoreReply{}, err
	}
	o.Bytes, o.Touched = len(r.Record.Payload), r.Touched
	if r.Status != StatusDone {
		return StoreReply{}, m.refusal(o.ctx, o.Op, r, id, "")
	}
	return r, nil
}

// Touch records activity, at most every Config.TouchEvery, and returns when
// the session will expire. The data is neither read nor written. One round
// trip. Errors as for Get.
func (m *Manager[T]) Touch(ctx context.Context, id ID) (expires time.Time, err error) {
	o, _ := m.begin(ctx, OpTouch)
	defer func() { m.finish(o, err) }()
	l := m.loading(id)
	l.Bare = true
	r, err := m.loaded(o, id, &l)
	return r.Record.ExpiresAt, err
}

// Save writes s.Data if no other caller has saved since s was read, and updates
// the other fields of s. It never brings back a session that was deleted or has
// expired. One round trip. Errors: [*ConflictError] with the current session,
// [ErrNotFound], [ErrExpired], [ErrBusy] while another caller handles it
// exclusively, [ErrLeaseLost] when this caller did and has lost the lease,
// [ErrTooLarge], [ErrReadOnly], [*CorruptError], [ErrInvalid], [ErrUnavailable].
func (m *Manager[T]) Save(ctx context.Context, s *Session[T]) (err error) {
	o, ctx := m.begin(ctx, OpSave)
	defer func() { m.finish(o, err) }()
	return m.save(ctx, o, s, false)
}

// save is Save's work; free gives the session's lease back in the same step.
func (m *Manager[T]) save(ctx context.Context, o *operation, s *Session[T], free bool) error {
	if err := s.intact(); err != nil {
		return err
	}
	w, _, err := m.written(s)
	if err != nil {
		return err
	}
	w.Rev, w.Lease, w.Free = s.rev, s.lease, free
	o.Bytes = len(w.Payload)
	r, err := m.follow(&w.StoreHandle, func() (StoreReply, error) { // where it has moved, this revision is stale
		return m.ask(ctx, o.Op, w.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Save(ctx, w) })
	})
	if err != nil {
		return err
	}
	if r.Status != StatusDone {
		return m.refusal(ctx, o.Op, r, s.ID, s.lease)
	}
	s.took(r.Record)
	return nil
}

// Update reads the session, lets fn change its data, and saves the result. When
// another caller has saved in between, fn is called again with what that saved,
// until ctx ends. After the third conflict, or when another caller handles the
// session exclusively, it waits for its turn as Exclusive does. An error of fn is
// returned as it is, and nothing is saved. fn must have no effect but on its
// argument. Two round trips, one more for each conflict, and three in its turn.
// Errors as for Get and Save, [ErrBusy] when ctx ends before its turn, and
// [ErrInvalid] in the context of a function that handles the session.
func (m *Manager[T]) Update(ctx context.Context, id ID, fn func(*T) error) (s *Session[T], err error) {
	o, ctx := m.begin(ctx, OpUpdate)
	err = errAborted
	defer func() { m.finish(o, err) }()
	if fn == nil {
		return nil, errNoFunction
	}
	if m.handled(ctx, m.index.id(id)) {
		return nil, errWithin
	}
	return m.update(o, id, fn)
}

func (m *Manager[T]) update(o *operation, id ID, fn func(*T) error) (*Session[T], error) {
	l := m.loading(id)
	l.Touch = false // the save is the activity
	r, err := m.loaded(o, id, &l)
	if err != nil {
		return nil, err
	}
	s, err := m.read(o.ctx, r.Record, id)
	if err != nil {
		return nil, err
	}
	var conflict *ConflictError[T] // the latest
	for {
		if err := o.call(func() error { return fn(&s.Data) }); err != nil {
			return nil, err
		}
		if late := o.ctx.Err(); late != nil && conflict != nil { // others saved first, and nothing is sent any more
			return nil, fmt.Errorf("%w: %w", conflict, late)
		}
		err := m.save(o.ctx, o, s, false)
		again := errors.As(err, &conflict)
		switch {
		case err == nil:
			return s, nil
		case again && o.Attempts < freeUpdates:
			s = conflict.Current
		case again || errors.Is(err, ErrBusy):
			return m.updateInTurn(o, id, fn)
		default:
			return nil, err
		}
	}
}

// updateInTurn is for a session that others change or handle all the time.
func (m *Manager[T]) updateInTurn(o *operation, id ID, fn func(*T) error) (*Session[T], error) {
	var got *Session[T]
	err := m.inTurn(o, id, func(_ context.Context, s *Session[T]) error {
		got = s
		return fn(&s.Data)
	}, m.taking)
	if err != nil {
		return nil, err
	}
	return got, nil
}

// sleep waits for d, or for the end of ctx, whose error it returns then.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Delete ends a session, also by an id from before a Rotate while that is served; one
// that is not there is no error. It does not read the record, so it works on
// unreadable ones, too. One round trip. Errors: [ErrInvalid], [ErrUnavailable].
func (m *Manager[T]) Delete(ctx context.Context, id ID) (err error) {
	o, ctx := m.begin(ctx, OpDelete)
	defer func() { m.finish(o, err) }()
	if id.IsZero() {
		return invalid("the zero ID names no session")
	}
	hash := m.index.id(id)
	if _, err = m.remove(ctx, StoreRemove{Handles: []Hash{hash}}, ""); err != nil {
		return err
	}
	for h := range m.handlings(ctx) {
		if h.hash == hash {
			h.deleted.Store(true)
		}
	}
	return nil
}

// remove deletes sessions of a subject, or of any if that is empty, and reports
// each that ended by it.
func (m *Manager[T]) remove(ctx context.Context, d StoreRemove, subject string) (StoreRemoved, error) {
	d.Space, d.Payload = m.cfg.Name, m.cfg.Observer != nil && subject == ""
	limited, cancel := m.bounded(ctx, 1)
	defer cancel()
	r, err := m.store.Delete(limited, d)
	if err != nil {
		return r, unanswered(ctx, "delete", err)
	}
	for _, rec := range r.Removed {
		m.ended(ctx, ReasonDeleted, rec.Hash, cmp.Or(subject, m.subjectIn(rec)), 0)
	}
	for h := range m.handlings(ctx) {
		if slices.ContainsFunc(r.Removed, func(rec StoreRecord) bool { return rec.Hash == h.hash }) {
			h.deleted.Store(true)
		}
	}
	return r, nil
}

// evicted reports the sessions of a subject that made room for another.
func (m *Manager[T]) evicted(ctx context.Context, r StoreReply, subject string) {
	for _, h := range r.Evicted {
		m.ended(ctx, ReasonEvicted, h.Hash, subject, 0)
	}
}

// Count returns how many sessions are alive, exactly, from the store's index:
// it reads no session. Errors: [ErrUnavailable].
func (m *Manager[T]) Count(ctx context.Context) (int64, error) {
	limited, cancel := m.bounded(ctx, 1)
	defer cancel()
	c, err := m.store.Count(limited, m.cfg.Name)
	if err != nil {
		return 0, unanswered(ctx, "count", err)
	}
	return c.Active, nil
}

// checkText refuses a text that cannot name a subject or a peer. The error does
// not quote it: it may be personal data.
func checkText(what, s string) error {
	switch {
	case len(s) > maxText:
		return invalid("the %s is longer than %d bytes", what, maxText)
	case strings.ContainsRune(s, 0):
		return invalid("the %s contains a NUL", what)
	}
	return nil
}

func checkSubject(subject string) error { return checkText("subject", subject) }

func checkConversation(c Conversation) error {
	if c.Channel == "" || c.Peer == "" {
		return invalid("a Conversation needs a Channel and a Peer")
	}
	return errors.Join(checkText("channel", c.Channel), checkText("peer", c.Peer), checkSubject(c.Subject))
}
