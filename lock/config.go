// SPDX-License-Identifier: MIT

package lock

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Config configures a [Manager]. The zero value of a field is its default;
// only Name has none.
type Config struct {
	// Name is the space of the manager's holds: managers with the same
	// name and store share them, in all processes. Up to 128 ASCII letters,
	// digits, and any of "_-.:/".
	Name string

	// TTL is how long a hold lasts unless it is extended: 30 s by default,
	// at least a millisecond.
	TTL time.Duration

	// MaxHold limits the time from the grant to the end, however often the
	// lease is extended or renewed. 0 or negative = unlimited. A lease
	// keeps the limit that it was acquired with.
	MaxHold time.Duration

	// MaxExtensions limits the calls of [Lease.Extend] for a hold, over all
	// processes; renewals by the watchdog do not count. 0 or negative =
	// unlimited.
	MaxExtensions int

	// Holder names the holder of leases acquired without [Holder].
	Holder string

	// GroupBy returns a name's conflict domain, which is also its place in a
	// Redis Cluster: resources of different groups never conflict and
	// cannot be in one [All]. nil = one group for all. Every process that
	// shares the space must use the same function. The group is 1 to 255
	// bytes of UTF-8 without NUL. A panic reaches the caller and leaves the
	// manager usable.
	GroupBy func(name string) string

	// Capacity returns how many units a name has; nil = 1. A number above
	// 2^31 - 1 counts as that. Every process must use the same function. A panic
	// reaches the caller, as from GroupBy.
	Capacity func(name string) int

	// Audit records each acquired, refused, extended, released and lost
	// lease; nil = no trail. A recorder that fails, hangs or panics never
	// changes the outcome of an operation and delays it by AuditTimeout at
	// most; it is counted in [Stats.AuditErrors].
	Audit        audit.Recorder
	AuditTimeout time.Duration // 100 ms by default

	// AuditRequired makes an acquire fail with [ErrAudit], and gives the
	// hold back, when its event could not be recorded. Releases are never
	// refused.
	AuditRequired bool

	// Observer receives an event for each operation; nil = none. Several
	// are joined by [Observers].
	Observer Observer

	// Trace begins a span for each acquire, extend, resume, release and
	// force_release: with "lock." before that name of its [Op], and Name. The
	// operation goes on with the context that it returns, also to the recorder and
	// the observer, and then calls the function with its error. A panic is
	// contained and counted in [Stats.ObserverPanics]. nil = none, at no cost;
	// metrics/otel has one.
	Trace func(ctx context.Context, op, name string) (context.Context, func(error))
}

const (
	defaultTTL          = 30 * time.Second
	defaultAuditTimeout = 100 * time.Millisecond
	minTTL              = time.Millisecond
	maxTTL              = 10 * 366 * 24 * time.Hour
	maxSpace            = 128
	maxHolder           = 255
)

// withDefaults returns cfg with its defaults, or every problem it has.
func (cfg Config) withDefaults() (Config, error) {
	p := configerr.Collect(func(field string, value any, want string) error {
		return &ConfigError{Field: field, Value: value, Why: want}
	})
	p.Want(isSpace(cfg.Name), "Name", cfg.Name, "1 to 128 ASCII letters, digits, or any of _-.:/")
	p.Want(cfg.TTL == 0 || cfg.TTL >= minTTL && cfg.TTL <= maxTTL, "TTL", cfg.TTL, "1 ms to 10 years")
	p.Want(cfg.MaxHold <= 0 || cfg.MaxHold >= minTTL, "MaxHold", cfg.MaxHold, "at least 1 ms; 0 = unlimited")
	p.Want(cfg.MaxHold <= maxTTL, "MaxHold", cfg.MaxHold, "at most 10 years; 0 = unlimited")
	p.Want(cfg.MaxHold < minTTL || cfg.TTL <= cfg.MaxHold, "MaxHold", cfg.MaxHold, fmt.Sprintf("at least TTL (%s)", cfg.TTL))
	p.Want(isText(cfg.Holder, maxHolder), "Holder", cfg.Holder, "valid UTF-8 without NUL, up to 255 bytes")
	p.Want(cfg.AuditTimeout >= 0, "AuditTimeout", cfg.AuditTimeout, "a time: it cannot be off")
	p.Want(!cfg.AuditRequired || !configerr.IsNil(cfg.Audit), "AuditRequired", true, "Audit set, too")

	if configerr.IsNil(cfg.Audit) {
		cfg.Audit = nil
	}
	if configerr.IsNil(cfg.Observer) {
		cfg.Observer = nil
	}
	ttl := defaultTTL
	if cfg.MaxHold > 0 {
		ttl = min(ttl, cfg.MaxHold)
	}
	configerr.Default(&cfg.TTL, ttl)
	configerr.Default(&cfg.AuditTimeout, defaultAuditTimeout)
	cfg.MaxHold = max(cfg.MaxHold, 0)
	cfg.MaxExtensions = max(cfg.MaxExtensions, 0)
	return cfg, p.Err()
}

func isSpace(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.', c == ':', c == '/':
		default:
			return false
		}
	}
	return name != "" && len(name) <= maxSpace
}
