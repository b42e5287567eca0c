// SPDX-License-Identifier: MIT

package lock

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Option sets something for one lease or one call. A call refuses values that
// make no sense with [ErrInvalid], and skips nil options and those for other calls,
// such as [Wait] at TryAcquire.
type Option func(*wish)

// wish is what the options of a call ask for.
type wish struct {
	holder, reason string
	ttl            time.Duration
	details        map[string]string
	renew          bool
	wait, keep     time.Duration
}

// Holder names the holder of a lease, or the caller of a forced release: up to
// 255 bytes, shown in every conflict. It gives no rights: the same holder
// conflicts with itself.
func Holder(id string) Option { return func(w *wish) { w.holder = id } }

// Reason stores why the lease is held, or why it is released by force, in up to
// 1024 bytes.
func Reason(text string) Option { return func(w *wish) { w.reason = text } }

// TTL sets how long the hold lasts unless it is extended, and how long the
// watchdog renews it for: from 1 ms to 10 years. Config.MaxHold limits it.
func TTL(d time.Duration) Option {
	return func(w *wish) {
		if w.ttl = d; d == 0 {
			w.ttl = -1 // zero was asked for, which is not the default
		}
	}
}

// Detail stores a key and a value with the hold: up to 16 keys and 4096 bytes
// in all.
func Detail(key, value string) Option {
	return func(w *wish) {
		if w.details == nil {
			w.details = make(map[string]string)
		}
		w.details[key] = value
	}
}

// AutoRenew has the manager's watchdog renew the lease at a third of its TTL
// until it is released or detached, the manager is closed, or MaxHold is
// reached. A program that forgets to release such a lease holds it forever;
// [Manager.Do] releases it.
func AutoRenew() Option { return func(w *wish) { w.renew = true } }

// Wait limits how long [Manager.Acquire] and [Manager.Do] wait, for others or for a
// store that does not answer, but not how long fn of Do runs; 0 is no limit. When it
// ends the wait, the error is a [*ConflictError], or [ErrUnavailable] if the store did
// not answer last.
func Wait(d time.Duration) Option { return func(w *wish) { w.wait = d } }

// KeepAtLeast leaves the hold in place until d after the grant even when it is
// released before, by a function that failed, too: for jobs that run once in a
// fleet, whose processes start at different times. The hold then ends without a
// report of lock.expired. TTL is at least d; 0 keeps nothing.
func KeepAtLeast(d time.Duration) Option { return func(w *wish) { w.keep = d } }

const (
	maxReason      = 1024
	maxDetails     = 16
	maxDetailBytes = 4096
)

func (m *Manager) wish(opts []Option) (wish, error) {
	w := wish{holder: m.cfg.Holder, ttl: m.cfg.TTL}
	for _, o := range opts {
		if o != nil {
			o(&w)
		}
	}
	if err := w.check(m.cfg.MaxHold); err != nil {
		return w, err
	}
	w.ttl = max(w.ttl, w.keep)
	return w, nil
}

func (w wish) check(maxHold time.Duration) error {
	if maxHold <= 0 {
		maxHold = maxTTL
	}
	switch {
	case w.wait < 0 || w.wait > maxTTL:
		return invalid("a Wait of %s, want none or up to 10 years", w.wait)
	case w.keep < 0 || w.keep > maxHold:
		return invalid("a KeepAtLeast of %s, want none or up to %s", w.keep, maxHold)
	case w.ttl < minTTL || w.ttl > maxTTL:
		if w.ttl == -1 { // TTL(0)
			w.ttl = 0
		}
		return invalid("a TTL of %s, want 1 ms to 10 years", w.ttl)
	case !isText(w.holder, maxHolder):
		return invalid("a holder that is not UTF-8, has a NUL, or is longer than %d bytes", maxHolder)
	case !isText(w.reason, maxReason):
		return invalid("a reason that is not UTF-8, has a NUL, or is longer than %d bytes", maxReason)
	case len(w.details) > maxDetails:
		return invalid("%d details, more than %d", len(w.details), maxDetails)
	}
	size := 0
	for k, v := range w.details {
		if k == "" || !isText(k, maxDetailBytes) || !isText(v, maxDetailBytes) {
			return invalid("a detail without a key, or not UTF-8, or with a NUL")
		}
		size += len(k) + len(v)
	}
	if size > maxDetailBytes {
		return invalid("%d bytes of details, more than %d", size, maxDetailBytes)
	}
	return nil
}

func isText(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
