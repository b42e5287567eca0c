// SPDX-License-Identifier: MIT

package session

import (
	"cmp"
	"context"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Config says how a [Manager] works. The zero value of each field but Name is
// its default. Managers that share a store and a Name share their sessions, and
// must have a codec that reads the others' data. Each session keeps the timeouts of
// the manager that created it.
type Config[T any] struct {
	// Name separates the manager's sessions from others in the same store, and
	// labels its metrics: 1 to 128 bytes without spaces, control
	// characters or braces.
	Name string

	// IdleTimeout ends a session that long after its last recorded activity;
	// default 30 min, or AbsoluteTimeout if that is shorter. Negative = none.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session that long after it was created, however
	// busy it is; default 24 h. Negative = none. One of the two must be set.
	AbsoluteTimeout time.Duration
	// BindKeepsAge lets [Manager.Bind] keep the age of a session, so that
	// AbsoluteTimeout counts from the first request of a visitor. By default it
	// counts from the login.
	BindKeepsAge bool
	// RotateGrace is how long the old id is served after [Manager.Rotate] and
	// [Manager.Bind]; default 10 s. Negative = not at all.
	RotateGrace time.Duration
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
	// default 200, largest 1000. With OnExpire no more than four for each of
	// CleanupWorkers are taken.
	CleanupBatch int
	// CleanupWorkers is how many calls of OnExpire run at once; default 8, largest
	// 64. It bounds the rate: 8 calls of 100 ms each are 80 sessions a second, and
	// of all processes together the sum.
	CleanupWorkers int
	// OnExpire is called for each session that a timeout ended, with its data;
	// see [Expired] for what is guaranteed. Up to CleanupWorkers calls run at
	// once. A call has 30 s, less where the store was slow to hand the session out,
	// and must return when ctx ends: one that has not 5 s later is left behind as
	// failed, and while CleanupWorkers of them are left, cleanup cycles call no more
	// and fail. After an error or a panic the session is handed out again in a later
	// cycle; after the fifth attempt that fails it is dropped, or quarantined if
	// OnCorrupt says so, and counted in Report.Dead. A cleanup of a manager of the same
	// Name without OnExpire removes sessions for which no manager calls it.
	OnExpire func(ctx context.Context, e Expired[T]) error
	// Grace is how long the record of an expired session waits for a cleanup; at
	// least CleanupInterval, default 1 h, or 3 times CleanupInterval if that is
	// longer. Then the session is lost to OnExpire. So a burst of expiries is
	// reported in full if the workers handle it within Grace - CleanupInterval.
	Grace time.Duration

	// OnCorrupt says what happens to records that cannot be read.
	OnCorrupt CorruptPolicy
	// MaxPerSubject limits the live sessions of one subject; default 100.
	// Negative = unlimited. Of a subject far over it, as after it was lowered, each
	// Create and Bind ends 32 sessions at most, in Redis among those that expire first,
	// and leaves the others for the next; Reject ends none.
	MaxPerSubject int
	// WhenFull says what happens to one more than MaxPerSubject; EvictIdlest when
	// neither is set.
	WhenFull FullPolicy
	// MaxSessions is how many sessions are expected at most. It is reported
	// for gauges and alerts, and refuses nothing. Default and negative = none.
	MaxSessions int64
	// MaxBytes limits the encoded data of a session; default 64 KiB. Negative
	// = unlimited.
	MaxBytes int

	// Lease is how long [Manager.Exclusive] and [Manager.Converse] keep others
	// waiting at most after the process that handles a session has died; default
	// 10 s, at least 1 s. It is renewed while a session is being handled.
	Lease time.Duration

	// Codec encodes T; default [JSON], for which New refuses types with unexported
	// fields: JSON would lose them. [Sealed] also encrypts.
	Codec Codec
	// IndexKey makes the hashes by which the store knows ids, subjects and
	// conversations keyed ones (HMAC-SHA256). Without it, a list of phone numbers
	// finds whose sessions are in the store, even if [Sealed] hides what is in them.
	// 16 bytes or more, the same in all processes and for ever: with another key no
	// session is found. nil = none.
	IndexKey []byte
	// Version is the version of T, from 0 up to 65535. It is stored with each session. An
	// instance leaves sessions of a later version alone: see [ReasonUndecodable]. So
	// raise it when older instances must not read or save what this one writes.
	// Without that, an older instance loses the fields that it does not know when
	// it saves a session.
	Version int
	// Upgrade decodes what an earlier version of T has encoded. The next save
	// writes Version. nil = Codec reads earlier versions as they are.
	Upgrade func(from int, data []byte) (T, error)
	// Timeout bounds each call of the store when ctx has no deadline; default
	// 250 ms. The cleanup and [Manager.Quarantined], for which no request waits, allow
	// ten times as much. Negative = none.
	Timeout time.Duration
	// Observer receives an event for every operation; nil = none. Several
	// are joined by [Observers].
	Observer Observer

	// Trace begins a span for each operation that the observer gets an event for,
	// a cleanup cycle too: with "session." before the name of its [Op], and Name.
	// The operation goes on with the context that it returns, also to the functions
	// of the caller, and then calls the function with its error. A panic is
	// contained and counted in [Stats.ObserverPanics]. nil = none, at no cost;
	// metrics/otel has one.
	Trace func(ctx context.Context, op, name string) (context.Context, func(error))
}

const (
	defaultIdle     = 30 * time.Minute
	defaultAbsolute = 24 * time.Hour
	defaultInterval = 10 * time.Minute
	defaultJitter   = 0.1
	defaultBatch    = 200
	maxBatch        = 1000
	defaultWorkers  = 8
	maxWorkers      = 64
	defaultSessions = 100
	defaultGrace    = time.Hour
	defaultMaxBytes = 64 << 10
	defaultTimeout  = 250 * time.Millisecond
	defaultLease    = 10 * time.Second
	defaultRotate   = 10 * time.Second
	maxDuration     = 50 * 365 * 24 * time.Hour // sums and multiples of it stay in range
	maxName         = 128
	maxVersion      = 1<<16 - 1
)

// withDefaults fills in the defaults, and joins all contradictions of c. In the
// result 0 stands for "none" and "unlimited".
func (c Config[T]) withDefaults() (Config[T], error) {
	r := c
	r.AbsoluteTimeout = setting(c.AbsoluteTimeout, defaultAbsolute)
	r.IdleTimeout = setting(c.IdleTimeout, defaultIdle)
	if c.IdleTimeout == 0 && r.AbsoluteTimeout > 0 {
		r.IdleTimeout = min(r.IdleTimeout, r.AbsoluteTimeout)
	}
	idle := cmp.Or(r.IdleTimeout, r.AbsoluteTimeout) // which is never the earlier one
	r.TouchEvery = setting(c.TouchEvery, max(time.Millisecond, min(idle/20, 30*time.Second)))
	configerr.Default(&r.CleanupInterval, defaultInterval)
	r.CleanupJitter = setting(c.CleanupJitter, defaultJitter)
	configerr.Default(&r.CleanupBatch, defaultBatch)
	configerr.Default(&r.CleanupWorkers, defaultWorkers)
	configerr.Default(&r.Grace, max(defaultGrace, 3*r.CleanupInterval))
	r.MaxPerSubject = setting(c.MaxPerSubject, defaultSessions)
	if c.MaxPerSubject == 0 && c.WhenFull == Reject {
		r.WhenFull = EvictIdlest
	}
	r.MaxSessions = max(0, c.MaxSessions)
	r.MaxBytes = setting(c.MaxBytes, defaultMaxBytes)
	r.Timeout = setting(c.Timeout, defaultTimeout)
	r.RotateGrace = setting(c.RotateGrace, defaultRotate)
	configerr.Default(&r.Lease, defaultLease)
	if c.Codec == nil {
		r.Codec = JSON{}
	}
	if configerr.IsNil(c.Observer) {
		r.Observer = nil
	}

	p := configerr.Collect(func(field string, value any, want string) error {
		return &ConfigError{Field: field, Value: value, Why: want}
	})
	p.Want(isName(c.Name), "Name", c.Name, "1 to 128 bytes of UTF-8 without spaces, control characters or braces")
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"IdleTimeout", c.IdleTimeout}, {"AbsoluteTimeout", c.AbsoluteTimeout},
		{"CleanupInterval", c.CleanupInterval}, {"Grace", c.Grace}, {"Timeout", c.Timeout}, {"RotateGrace", c.RotateGrace}, {"Lease", c.Lease},
	} {
		p.Want(d.value <= 0 || d.value >= time.Millisecond, d.field, d.value, "at least 1ms: stores count in milliseconds")
		p.Want(d.value <= maxDuration, d.field, d.value, "at most 50 years; a negative value turns off what can be off")
	}
	p.Want(c.IdleTimeout >= 0 || c.AbsoluteTimeout >= 0, "AbsoluteTimeout", c.AbsoluteTimeout, "it or IdleTimeout, or sessions would never end")
	p.Want(r.AbsoluteTimeout == 0 || idle <= r.AbsoluteTimeout, "IdleTimeout", idle, "at most AbsoluteTimeout ("+r.AbsoluteTimeout.String()+"), or it never takes effect")
	p.Want(c.TouchEvery <= 0 || c.TouchEvery < idle, "TouchEvery", c.TouchEvery, "less than the idle timeout ("+idle.String()+"), or sessions in use would end")
	p.Want(c.CleanupInterval >= 0, "CleanupInterval", c.CleanupInterval, "a positive time: the cleanup runs only when it is started")
	p.Want(c.CleanupJitter <= 1, "CleanupJitter", c.CleanupJitter, "a share of the interval, at most 1")
	p.Want(c.CleanupBatch >= 0 && c.CleanupBatch <= maxBatch, "CleanupBatch", c.CleanupBatch, "1 to 1000: larger batches hold up the store")
	p.Want(c.CleanupWorkers >= 0 && c.CleanupWorkers <= maxWorkers, "CleanupWorkers", c.CleanupWorkers, "1 to 64")
	p.Want(c.Grace >= 0 && (c.Grace < time.Millisecond || c.Grace >= r.CleanupInterval), "Grace", c.Grace, "at least CleanupInterval ("+r.CleanupInterval.String()+"), or expired sessions are lost before the cleanup comes")
	p.Want(c.Lease == 0 || c.Lease >= time.Second, "Lease", c.Lease, "at least 1s: it is renewed every third of it")
	p.Want(c.OnCorrupt <= QuarantineCorrupt, "OnCorrupt", uint8(c.OnCorrupt), "one of the policies")
	p.Want(c.WhenFull <= EvictIdlest, "WhenFull", uint8(c.WhenFull), "one of the policies")
	p.Want(c.WhenFull == Reject || c.WhenFull > EvictIdlest || c.MaxPerSubject >= 0, "WhenFull", c.WhenFull, "a MaxPerSubject that is not negative: without a limit nothing is ever full")
	p.Want(c.IndexKey == nil || len(c.IndexKey) >= 16, "IndexKey", len(c.IndexKey), "16 bytes or more")
	p.Want(c.Version >= 0 && c.Version <= maxVersion, "Version", c.Version, "0 to 65535")
	p.Want(c.Upgrade == nil || c.Version > 0, "Version", c.Version, "a version that is later than those that Upgrade reads")
	seal, codec := unsealed(r.Codec)
	if seal != nil {
		p.Want(seal.fault == "", "Codec", "Sealed", seal.fault)
	}
	if codec == Codec(JSON{}) {
		field := unstored(reflect.TypeFor[T](), map[reflect.Type]bool{})
		p.Want(field == "", "Codec", "JSON", "fields that are exported or tagged `json:\"-\"`: it would lose "+field)
	}
	p.Want(c.Codec == nil || !configerr.IsNil(c.Codec), "Codec", c.Codec, "a codec, not a nil pointer")
	return r, p.Err()
}

// setting replaces zero by the default, and "off" by zero.
func setting[N ~int | ~int64 | ~float64](v, def N) N {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

// isName reports whether stores and metrics can use it to distinguish managers.
func isName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '{' || r == '}' })
}
