// SPDX-License-Identifier: MIT

package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/configerr"
	"github.com/holdfast-go/holdfast/internal/observe"
)

// Manager creates, finds and ends sessions with data of type T. It is safe for
// concurrent use. It has no background work unless [Manager.Run] or
// [Manager.Start] is called, and needs no closing. Only leases of calls that
// failed are given back in the background, for as long as Config.Lease at most,
// or until [Manager.Stop].
type Manager[T any] struct {
	store  Store
	cfg    Config[T] // with its defaults, and what Sealed wraps as its Codec
	seal   *sealed   // nil without Sealed
	loop   loop
	panics atomic.Uint64
	stuck  atomic.Int64 // calls of OnExpire that were left behind
	leftovers
	kind  *kind
	index hasher

	mu    sync.Mutex
	stats Stats // Interval, MaxSessions, Active, LastCycle, LastComplete
}

// New returns a manager of the sessions in store. It does no I/O. What is
// wrong with store and cfg is reported in one error, which joins a
// [*ConfigError] for each contradiction in cfg.
func New[T any](store Store, cfg Config[T]) (*Manager[T], error) {
	cfg, err := cfg.withDefaults()
	if configerr.IsNil(store) {
		err = errors.Join(invalid("New needs a store"), err)
	} else if _, ok := store.(StoreQuarantine); !ok && cfg.OnCorrupt == QuarantineCorrupt {
		err = errors.Join(err, &ConfigError{Field: "OnCorrupt", Value: cfg.OnCorrupt, Why: "a store that is a StoreQuarantine"})
	}
	if err != nil {
		return nil, err
	}
	m := &Manager[T]{store: store, cfg: cfg, kind: kindOf[T](store, cfg), index: newHasher(cfg.Name, cfg.IndexKey)}
	m.cfg.IndexKey = nil
	m.seal, m.cfg.Codec = unsealed(cfg.Codec)
	m.stats = Stats{Interval: cfg.CleanupInterval, MaxSessions: cfg.MaxSessions}
	m.emit(context.Background(), Event{Op: OpNew})
	return m, nil
}

// Name returns Config.Name.
func (m *Manager[T]) Name() string { return m.cfg.Name }

// Stats returns a snapshot. It does no I/O: Active is what the latest cleanup
// cycle counted. [Manager.Count] asks the store.
func (m *Manager[T]) Stats() Stats {
	m.mu.Lock()
	s := m.stats
	m.mu.Unlock()
	s.Running = m.loop.now() != nil
	s.ObserverPanics = m.panics.Load()
	return s
}

// emit passes an event to the observer, outside any lock.
func (m *Manager[T]) emit(ctx context.Context, e Event) {
	if m.cfg.Observer == nil {
		return
	}
	e.Source = m
	observe.Contain(&m.panics, func() { m.cfg.Observer.ObserveSession(ctx, e) })
}

// ended reports one session that has ended.
func (m *Manager[T]) ended(ctx context.Context, reason EndReason, session Hash, subject string, age time.Duration) {
	m.emit(ctx, Event{Op: OpEnded, Reason: reason, Session: session, Subject: subject, Age: age})
}

// Hash returns what [Event] and [Store] name a session of this manager by. The id
// cannot be found from it.
func (m *Manager[T]) Hash(id ID) Hash { return m.index.id(id) }

// operation is one call of a method, on its way to its event.
type operation struct {
	Event
	ctx        context.Context
	end        func(error) // of its span
	start      time.Time
	inFunction bool // the caller's function is at work, or has failed
}

// begin returns an operation and the context that it goes on with.
func (m *Manager[T]) begin(ctx context.Context, op Op) (*operation, context.Context) {
	o := &operation{Event: Event{Op: op}, start: time.Now()}
	o.ctx, o.end = observe.Span(ctx, &m.panics, m.cfg.Trace, "session", op.String(), m.cfg.Name)
	return o, o.ctx
}

// errAborted stands for the outcome of an operation whose user code panicked
// or ended its goroutine.
var errAborted = errors.New("session: the caller's function did not return")

// call runs a function of the caller.
func (o *operation) call(fn func() error) error {
	if o.Op == OpUpdate {
		o.Attempts++
	}
	o.inFunction = true
	err := fn()
	o.inFunction = err != nil
	return err
}

// finish emits the operation's event and ends its span.
func (m *Manager[T]) finish(o *operation, err error) {
	o.Took, o.Result, o.Err = time.Since(o.start), resultOf(o.inFunction, err), err
	m.emit(o.ctx, o.Event)
	o.end(err)
}

// bounded limits a call of the store to so many times Config.Timeout when the caller
// did not.
func (m *Manager[T]) bounded(ctx context.Context, times time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || m.cfg.Timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, times*min(m.cfg.Timeout, maxDuration/times))
}

// detached is for what has to be done although ctx has ended. It is bounded
// even when Timeout is off.
func (m *Manager[T]) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), m.limit())
}

// limit bounds a call of the store that must end, even when Timeout is off.
func (m *Manager[T]) limit() time.Duration { return cmp.Or(m.cfg.Timeout, defaultTimeout) }

// ask makes one call of the store that is about one record.
func (m *Manager[T]) ask(ctx context.Context, op Op, h StoreHandle, call func(context.Context) (StoreReply, error)) (StoreReply, error) {
	limited, cancel := m.bounded(ctx, 1)
	defer cancel()
	r, err := call(limited)
	if err != nil {
		return StoreReply{}, unanswered(ctx, op.String(), err)
	}
	if r.Status == StatusBroken {
		m.ended(ctx, r.Reason, h.Hash, "", 0)
	}
	return r, nil
}

// follow repeats a call at the place to which a session has moved, as long as its
// old place says so.
func (m *Manager[T]) follow(h *StoreHandle, call func() (StoreReply, error)) (StoreReply, error) {
	for range maxMoves {
		r, err := call()
		if err != nil || r.Status != StatusMoved {
			return r, err
		}
		h.Hash = r.Record.Next
	}
	return StoreReply{Status: StatusMissing}, nil
}

// thaw decides whether a frozen record may be shown: while its session lives, where
// it is now.
func (m *Manager[T]) thaw(o *operation, r StoreReply) (StoreReply, error) {
	next := r
	for range maxMoves {
		l := StoreLoad{StoreHandle: StoreHandle{Space: m.cfg.Name, Hash: next.Record.Next}, Bare: true}
		var err error
		next, err = m.ask(o.ctx, o.Op, l.StoreHandle, func(ctx context.Context) (StoreReply, error) { return m.store.Load(ctx, l) })
		switch {
		case err != nil:
			return StoreReply{}, err
		case next.Status == StatusDone:
			r.Status = StatusDone
			return r, nil
		case next.Status != StatusMoved && next.Status != StatusFrozen:
			return StoreReply{Status: StatusMissing}, nil
		}
	}
	return StoreReply{Status: StatusMissing}, nil
}

// unanswered is the error of a call of the store that failed. A store that
// cannot work at all, such as one without a client, says [ErrInvalid]. When the
// caller gave up, the store may well be available.
func unanswered(ctx context.Context, op string, err error) error {
	if errors.Is(err, ErrInvalid) {
		return refusedError{err}
	}
	if ctx.Err() == context.Canceled {
		if cause := context.Cause(ctx); cause != context.Canceled {
			return fmt.Errorf("session: %s: %w: %w", op, context.Canceled, cause)
		}
		return fmt.Errorf("session: %s: %w", op, context.Canceled)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, op, err)
}

// refusal is the error for an answer that is neither Done nor Exists.
func (m *Manager[T]) refusal(ctx context.Context, op Op, r StoreReply, id ID, lease string) error {
	switch r.Status {
	case StatusMissing:
		return fmt.Errorf("%w: %v", ErrNotFound, op)
	case StatusLapsed:
		return fmt.Errorf("%w: %v", ErrExpired, op)
	case StatusStale:
		current, err := m.read(ctx, r.Record, id)
		if err != nil {
			return err
		}
		return &ConflictError[T]{Current: current}
	case StatusLeased:
		if lease != "" {
			return fmt.Errorf("%w: %v", ErrLeaseLost, op)
		}
		return fmt.Errorf("%w: %v: it is handled exclusively for %v at most", ErrBusy, op, r.Retry)
	case StatusOverLimit:
		return fmt.Errorf("%w: MaxPerSubject is %d", ErrFull, m.cfg.MaxPerSubject)
	case StatusBroken:
		return &CorruptError{Reason: r.Reason}
	case StatusFrozen:
		return fmt.Errorf("%w: %v", ErrReadOnly, op)
	case StatusNewer:
		return m.undecodable(ctx)
	}
	return fmt.Errorf("session: %v: the store answered %v, which makes no sense here", op, r.Status)
}

// read decodes a record.
func (m *Manager[T]) read(ctx context.Context, rec StoreRecord, id ID) (*Session[T], error) {
	if rec.Hash != m.index.id(id) {
		id = listed(rec.Hash) // it has moved, and only its owner knows the new token
	}
	s, ok := m.opened(id, rec)
	if !ok {
		return nil, m.undecodable(ctx)
	}
	if rec.Next != (Hash{}) {
		s.Subject, s.owner = "", "" // frozen: who planted the old id learns no more than before
	}
	s.took(rec)
	return s, nil
}

// undecodable reports a record that this instance cannot decode. It is left as it
// is: other instances may read it well.
func (m *Manager[T]) undecodable(ctx context.Context) error {
	m.emit(ctx, Event{Op: OpUndecodable})
	return &CorruptError{Reason: ReasonUndecodable}
}

// opened decrypts and decodes a payload, which it may change. ok is false when it
// cannot be decoded.
func (m *Manager[T]) opened(id ID, rec StoreRecord) (s *Session[T], ok bool) {
	if m.seal == nil {
		return m.decoded(id, rec.Payload)
	}
	text, random, ok := m.seal.open(rec.Payload, m.cfg.Name, rec.Hash)
	if ok {
		s, ok = m.decoded(id, text)
	}
	if ok {
		s.random = random
	}
	return s, ok
}

func (m *Manager[T]) decoded(id ID, payload []byte) (s *Session[T], ok bool) {
	e, ok := openEnvelope(payload)
	if !ok || e.Version > m.cfg.Version {
		return nil, false
	}
	read := func() (v T, err error) { err = m.cfg.Codec.Decode(e.Data, &v); return v, err }
	if e.Version < m.cfg.Version && m.cfg.Upgrade != nil {
		read = func() (T, error) { return m.cfg.Upgrade(e.Version, e.Data) }
	}
	data, ok := decode(read)
	if e.Conversation != (Conversation{}) {
		e.Conversation.Subject = e.Subject
	}
	return &Session[T]{ID: id, Data: data, Subject: e.Subject, Conversation: e.Conversation, owner: e.Subject}, ok
}

// subjectIn returns whose session a record is, if it can be read.
func (m *Manager[T]) subjectIn(rec StoreRecord) string {
	payload := rec.Payload
	if m.seal != nil {
		payload, _, _ = m.seal.open(payload, m.cfg.Name, rec.Hash)
	}
	e, _ := openEnvelope(payload)
	return e.Subject
}

// handle is what the store knows an id and a subject by.
func (m *Manager[T]) handle(id ID, subject string) StoreHandle {
	return StoreHandle{Space: m.cfg.Name, Hash: m.index.id(id), Owner: m.index.subject(subject)}
}

// written prepares a write of s, and returns the session that a reader would
// decode from it: what cannot be read back is refused, and the caller's data,
// which may be a template, shares no map or slice with a session. The nonce
// makes a repeated call harmless.
func (m *Manager[T]) written(s *Session[T]) (StoreWrite, *Session[T], error) {
	if err := m.kind.claim(); err != nil {
		return StoreWrite{}, nil, err
	}
	b, err := encode(m.cfg.Codec, &s.Data)
	if err != nil {
		return StoreWrite{}, nil, err
	}
	if m.cfg.MaxBytes > 0 && len(b) > m.cfg.MaxBytes {
		return StoreWrite{}, nil, fmt.Errorf("%w: %d bytes, MaxBytes is %d", ErrTooLarge, len(b), m.cfg.MaxBytes)
	}
	payload := envelope{Version: m.cfg.Version, Subject: s.Subject, Conversation: s.Conversation, Data: b}.append(nil)
	back, ok := m.decoded(s.ID, slices.Clone(payload)) // a codec may decrypt in place
	if !ok {
		return StoreWrite{}, nil, invalid("the codec cannot decode what it has encoded of this %T", s.Data)
	}
	h := m.handle(s.ID, s.Subject)
	if m.seal != nil {
		if back.random = s.random; back.random == [16]byte{} {
			rand.Read(back.random[:])
		}
		payload = m.seal.seal(payload, back.random, h.Space, h.Hash)
	}
	return StoreWrite{
		StoreRecord: StoreRecord{StoreHandle: h, Payload: payload, Idle: cmp.Or(m.cfg.IdleTimeout, m.cfg.AbsoluteTimeout)},
		Nonce:       nonce(),
		Total:       m.cfg.AbsoluteTimeout,
		TouchEvery:  m.cfg.TouchEvery,
		Keep:        m.cfg.Grace,
		Quarantine:  m.cfg.OnCorrupt == QuarantineCorrupt,
	}, back, nil
}

// nonce returns a number that no other write of the same session has; never 0.
func nonce() uint64 { return mathrand.Uint64() | 1 }

// intact refuses a session that no manager has returned, or that was changed
// where it must not be.
func (s *Session[T]) intact() error {
	switch {
	case s == nil || s.ID.IsZero() || s.rev == 0:
		return invalid("it is no session that a manager has returned")
	case s.Subject != s.owner:
		return invalid("the subject of a session is changed by Bind only")
	case s.ID.look().kind == conversationID && s.ID != s.Conversation.ID():
		return invalid("the Conversation of a session cannot be changed")
	}
	return nil
}

// loading prepares a load that touches.
func (m *Manager[T]) loading(id ID) StoreLoad {
	return StoreLoad{
		StoreHandle: m.handle(id, ""), Touch: true, TouchEvery: m.cfg.TouchEvery,
		Quarantine: m.cfg.OnCorrupt == QuarantineCorrupt,
	}
}
