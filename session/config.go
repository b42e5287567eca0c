// SPDX-License-Identifier: MIT

package session

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Config says how a [Manager] works. The zero value of each field but Name is
// its default. Managers that share a store and a Name share their sessions,
// and must have the same timeouts and a codec that reads the others' data.
type Config[T any] struct {
	// Name tells the manager's sessions apart from others in the same store,
	// and labels its metrics: 1 to 128 bytes without spaces, control
	// characters or braces.
	Name string

	// IdleTimeout ends a session that long after its last recorded activity;
	// default 30 min, or AbsoluteTimeout if that is shorter. Negative = none.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session that long after it was created, however
	// busy it is; default 24 h. Negative = none. One of the two must be set.
	AbsoluteTimeout time.Duration
	// TouchEvery is how old the recorded activity may become before reading
	// records it anew, so that most reads write nothing: a session ends
	// between IdleTimeout - TouchEvery and IdleTimeout after its last use.
	// Default IdleTimeout/20, at most 30 s. Negative = record each read.
	TouchEvery time.Duration

	// CleanupInterval is the time between cleanup cycles; default 10 min.
	CleanupInterval time.Duration
	// CleanupJitter makes each wait longer or shorter by up to this share of
	// it, in (0,1], so that replicas do not clean up in step; default 0.1.
	// Negative = none.
	CleanupJitter float64
	// CleanupBatch is how many sessions one call of the store takes at most;
	// default 200, largest 10 000. With OnExpire no more than 32 are taken.
	CleanupBatch int
	// OnExpire is told of each session that a timeout ended, with its data:
	// see [Expired] for what is promised. Up to 8 calls run at once. It has
	// 30 s, and must return when ctx ends: a call that has not 5 s later is
	// left behind as failed, and while 8 of them are left, cleanup cycles call
	// no more and fail. After an error or a panic the session is handed out
	// again in a later cycle; after the fifth attempt that fails it is dropped,
	// or quarantined if OnCorrupt says so, and counted in Report.Dead.
	OnExpire func(ctx context.Context, e Expired[T]) error
	// Grace is how long the record of an expired session waits for the
	// cleanup, should nobody clean up; at least CleanupInterval, default 1 h,
	// or 3 times CleanupInterval if that is longer. When it is over, the
	// session is lost to OnExpire.
	Grace time.Duration

	// OnCorrupt says what happens to records that cannot be read.
	OnCorrupt CorruptPolicy
	// MaxPerSubject limits the live sessions of one subject; default and
	// negative = unlimited.
	MaxPerSubject int
	// WhenFull says what happens to one more than MaxPerSubject.
	WhenFull FullPolicy
	// MaxSessions is how many sessions are expected at most. It is reported
	// for gauges and alerts, and refuses nothing. Default and negative = none.
	MaxSessions int64
	// MaxBytes limits the encoded data of a session; default 64 KiB. Negative
	// = unlimited.
	MaxBytes int

	// Codec encodes T; default [JSON].
	Codec Codec
	// Timeout bounds each call of the store when ctx has no deadline; default
	// 250 ms. Cleanup, which nobody waits for, allows ten times as much.
	// Negative = none.
	Timeout time.Duration
	// Observer is told of every operation; default nobody.
	Observer Observer
}

const (
	defaultIdle     = 30 * time.Minute
	defaultAbsolute = 24 * time.Hour
	defaultInterval = 10 * time.Minute
	defaultJitter   = 0.1
	defaultBatch    = 200
	maxBatch        = 10_000
	defaultGrace    = time.Hour
	defaultMaxBytes = 64 << 10
	defaultTimeout  = 250 * time.Millisecond
	maxDuration     = 50 * 365 * 24 * time.Hour // sums and multiples of it stay in range
	maxName         = 128
)

// resolved is a Config whose defaults are filled in: 0 stands for "none" and
// "unlimited" now.
func (c Config[T]) resolved() (Config[T], error) {
	r := c
	r.AbsoluteTimeout = orDefault(c.AbsoluteTimeout, defaultAbsolute)
	r.IdleTimeout = orDefault(c.IdleTimeout, defaultIdle)
	if c.IdleTimeout == 0 && r.AbsoluteTimeout > 0 {
		r.IdleTimeout = min(r.IdleTimeout, r.AbsoluteTimeout)
	}
	idle := r.IdleTimeout
	if r.IdleTimeout == 0 {
		r.IdleTimeout = r.AbsoluteTimeout // never the earlier one
	}
	r.TouchEvery = orDefault(c.TouchEvery, max(time.Millisecond, min(r.IdleTimeout/20, 30*time.Second)))
	r.CleanupInterval = orDefault(c.CleanupInterval, defaultInterval)
	r.CleanupJitter = orDefault(c.CleanupJitter, defaultJitter)
	r.CleanupBatch = orDefault(c.CleanupBatch, defaultBatch)
	r.Grace = orDefault(c.Grace, max(defaultGrace, 3*r.CleanupInterval))
	r.MaxPerSubject = max(0, c.MaxPerSubject)
	r.MaxSessions = max(0, c.MaxSessions)
	r.MaxBytes = orDefault(c.MaxBytes, defaultMaxBytes)
	r.Timeout = orDefault(c.Timeout, defaultTimeout)
	if c.Codec == nil {
		r.Codec = JSON{}
	}
	return r, c.problems(r, idle)
}

// problems reports every contradiction of c, whose resolved form is r. idle is
// the idle timeout that was asked for, 0 = none.
func (c Config[T]) problems(r Config[T], idle time.Duration) error {
	var all []error
	refuse := func(bad bool, field string, value any, why string) {
		if bad {
			all = append(all, &ConfigError{Field: field, Value: value, Why: why})
		}
	}
	refuse(!isName(c.Name), "Name", c.Name, "1 to 128 bytes of UTF-8 without spaces, control characters or braces")
	tooShort := func(d time.Duration) bool { return d > 0 && d < time.Millisecond }
	duration := func(field string, d time.Duration) {
		refuse(tooShort(d), field, d, "at least 1ms: stores count in milliseconds")
		refuse(d > maxDuration, field, d, "at most 50 years; where a field can be off, that is a negative value")
	}
	duration("IdleTimeout", c.IdleTimeout)
	duration("AbsoluteTimeout", c.AbsoluteTimeout)
	duration("CleanupInterval", c.CleanupInterval)
	duration("Grace", c.Grace)
	duration("Timeout", c.Timeout)
	refuse(c.IdleTimeout < 0 && c.AbsoluteTimeout < 0, "AbsoluteTimeout", c.AbsoluteTimeout, "it or IdleTimeout, or sessions would never end")
	refuse(idle > 0 && r.AbsoluteTimeout > 0 && idle > r.AbsoluteTimeout, "IdleTimeout", idle, "at most AbsoluteTimeout ("+r.AbsoluteTimeout.String()+"), or it never takes effect")
	refuse(c.TouchEvery > 0 && c.TouchEvery >= r.IdleTimeout, "TouchEvery", c.TouchEvery, "less than the idle timeout ("+r.IdleTimeout.String()+"), or sessions in use would end")
	refuse(c.CleanupInterval < 0, "CleanupInterval", c.CleanupInterval, "a time: who wants no cleanup does not start it")
	refuse(c.CleanupJitter > 1 || c.CleanupJitter != c.CleanupJitter, "CleanupJitter", c.CleanupJitter, "a share of the interval, at most 1")
	refuse(c.CleanupBatch < 0 || c.CleanupBatch > maxBatch, "CleanupBatch", c.CleanupBatch, "1 to 10000: larger batches hold up the store")
	refuse(c.Grace < 0 || (c.Grace >= time.Millisecond && c.Grace < r.CleanupInterval), "Grace", c.Grace, "at least CleanupInterval ("+r.CleanupInterval.String()+"), or expired sessions are lost before the cleanup comes")
	refuse(c.OnCorrupt > Quarantine, "OnCorrupt", uint8(c.OnCorrupt), "one of the policies")
	refuse(c.WhenFull > EvictIdlest, "WhenFull", uint8(c.WhenFull), "one of the policies")
	refuse(c.WhenFull > Reject && c.WhenFull <= EvictIdlest && c.MaxPerSubject <= 0, "WhenFull", c.WhenFull, "MaxPerSubject set, too: without a limit nothing is ever full")
	return errors.Join(all...)
}

// orDefault replaces zero by the default, and "off" by zero.
func orDefault[N ~int | ~int64 | ~float64](v, def N) N {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

// isName reports whether stores and metrics can tell managers apart by it.
func isName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '{' || r == '}' })
}
