// SPDX-License-Identifier: MIT

package session

import "time"

// Session is one session as it was when it was read or written. The caller may
// change Data, and only that, and pass the session to [Manager.Save]. It is not
// safe for concurrent use.
type Session[T any] struct {
	ID           ID
	Data         T
	Subject      string       // set by ForSubject or Bind; "" = none
	Conversation Conversation // the zero value if it is none

	// By the store's clock. LastActivity is at most Config.TouchEvery behind.
	CreatedAt, LastActivity time.Time
	// ExpiresAt is when it ends unless it is used, and at the latest.
	ExpiresAt time.Time

	rev      uint64
	owner    string    // Subject as it is stored
	lease    string    // set while Exclusive or Converse handles it
	created  time.Time // CreatedAt as it is stored
	deadline time.Time // the absolute one
	idle     time.Duration
	random   [16]byte // what Sealed binds it to
}

// Expired is a session that a timeout ended, as [Config.OnExpire] receives it.
//
// Each is passed to OnExpire at least once, in one process at a time, and only
// when the session has ended: no touch or Save brings it back. It is passed again
// when the process dies before the call has returned and the store has recorded
// that; ID is the same then. One that Delete or DeleteSubject has removed before the
// cleanup came is not passed.
type Expired[T any] struct {
	ID           string // names this very end of this very session; for making the follow-up idempotent
	Data         T
	Subject      string
	Conversation Conversation // the zero value if it is none
	Reason       EndReason    // Idle or Absolute

	CreatedAt, LastActivity, ExpiresAt time.Time
	Attempt                            int // from 1
}

func (s *Session[T]) took(rec StoreRecord) {
	s.rev, s.created, s.deadline, s.idle = rec.Rev, rec.CreatedAt, rec.Deadline, rec.Idle
	s.CreatedAt, s.LastActivity, s.ExpiresAt = rec.CreatedAt, rec.LastActivity, rec.ExpiresAt
}

// CreateOption is an option of [Manager.Create] and [Manager.Bind].
type CreateOption func(*createOptions)

type createOptions struct {
	subject        string
	idle, absolute time.Duration
	config         bool // instead of the session's own timeouts
}

func created(opts []CreateOption) (o createOptions) {
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// ForSubject makes the session one of subject's, such as a user's id: found by
// [Manager.BySubject], ended by [Manager.DeleteSubject], limited by
// [Config.MaxPerSubject]. At most 1024 bytes. It stands in the record in clear unless
// [Sealed] encrypts that; the indexes of stores only have a hash of it.
func ForSubject(subject string) CreateOption {
	return func(o *createOptions) { o.subject = subject }
}

// Lifetime gives one session timeouts of its own, as for "remember me". 0 = the one
// that it would have without the option: Config's, and at Bind the session's own.
// Negative = none, but not for both. The timeouts are stored with the session: all
// managers keep to them, whatever their Config says.
func Lifetime(idle, absolute time.Duration) CreateOption {
	return func(o *createOptions) { o.idle, o.absolute, o.config = idle, absolute, false }
}

// DefaultLifetime gives one session the timeouts of Config, also at Bind, where it
// would keep its own without the option.
func DefaultLifetime() CreateOption {
	return func(o *createOptions) { o.idle, o.absolute, o.config = 0, 0, true }
}

// lifetime is what the options make of the timeouts that a session has without
// them; 0 = none.
func (o createOptions) lifetime(idle, absolute time.Duration) (time.Duration, time.Duration, error) {
	own := setting(o.absolute, absolute)
	if o.idle == 0 && own > 0 {
		idle = min(idle, own)
	}
	idle = setting(o.idle, idle)
	for _, d := range []time.Duration{idle, own} {
		if d > maxDuration || (d > 0 && d < time.Millisecond) {
			return 0, 0, invalid("a timeout of %v, not 1ms to 50 years", d)
		}
	}
	switch {
	case idle == 0 && own == 0:
		return 0, 0, invalid("a session without timeouts would never end")
	case idle == 0:
		idle = own
	case own > 0 && idle > own:
		return 0, 0, invalid("the idle timeout of %v never takes effect: the absolute one is %v", idle, own)
	}
	return idle, own, nil
}
