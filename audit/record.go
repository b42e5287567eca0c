// SPDX-License-Identifier: MIT

package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// Record redacts e, freezes it and queues it, in O(1) without rules. It allocates
// only when a text of e has to be changed or the queue grows. A nil error means
// accepted: the event will be in the sink, or be marked in the trail as dropped,
// or be named in the [*LossError] of Close.
//
// Errors: [ErrInvalid] and [ErrTooLarge] for an event that no sink could store,
// [ErrFull] for one that found no room (see [Config.WhenFull]), [ErrClosed]
// after Close, [ErrUnavailable] when the spool cannot be written. Refused events
// are counted, and marked in the trail except after Close. With a spool, Record
// returns when the event is as durable as [Spool] says. An event that has an id
// keeps it: recorded again, it is written again, and the sink stores it once.
func (l *Log) Record(ctx context.Context, e Event) error {
	now := time.Now()
	why, err := l.prepare(ctx, &e, now)
	if l.spool != nil {
		l.spool.folder.Probe()
	}

	l.mu.Lock()
	if n := size(&e); err == nil {
		why, err = l.admit(ctx, n)
		switch {
		case err != nil:
		case l.spool != nil:
			b, first := l.gather(&e, n, now)
			l.mu.Unlock()
			if err = l.commit(b, first); err == nil {
				return nil
			}
			why = SpoolFailed
			l.mu.Lock()
		default:
			l.accept(&e, n, now)
		}
	}
	if err != nil {
		l.refuse(ctx, &e, why, err, now)
	}
	l.mu.Unlock()
	return err
}

// prepare turns what the caller recorded into what is stored.
func (l *Log) prepare(ctx context.Context, e *Event, now time.Time) (DropReason, error) {
	if l == nil {
		return freeze(e, now, nil)
	}
	if l.cfg.Enrich != nil {
		*e = l.enrich(ctx, *e)
	}
	return freeze(e, now, l.cfg.Redact)
}

// enrich works on a copy: a panic half way leaves the event as it came.
func (l *Log) enrich(ctx context.Context, e Event) Event {
	rich, ok := e, false
	observe.Contain(&l.panics, func() {
		l.cfg.Enrich(ctx, &rich)
		ok = true
	})
	if ok {
		return rich
	}
	return e
}

// Bounds of an event. A longer text is cut and ends with its length and a hash,
// which keeps different texts different. Longer details are replaced by
// {"truncated":true,"bytes":n,"sha256":"…"}.
const (
	MaxType    = 128       // bytes of a type; a longer one is ErrTooLarge
	MaxText    = 1024      // bytes of every other text
	MaxDetails = 32 * 1024 // bytes of details

	// maxEvent is more than size returns for any frozen event.
	maxEvent = 64 * 1024
)

// freeze turns e into an event that every sink can store and read back
// unchanged: it has a type, a time in UTC microseconds, and texts of bounded
// size without NUL and invalid UTF-8. Rules are applied before anything is cut,
// so no hash is one of what they remove. It allocates only when a text changes.
func freeze(e *Event, now time.Time, rules []Redaction) (DropReason, error) {
	if e.Type == "" {
		return InvalidEvent, fmt.Errorf("%w: an event without a type", ErrInvalid)
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if year := e.Time.Year(); year < 1 || year > 9999 {
		return InvalidEvent, fmt.Errorf("%w: a time in the year %d", ErrInvalid, year)
	}
	if e.Outcome > Denied {
		e.Outcome = Unknown
	}
	if e.Type = safe(e.Type); len(e.Type) > MaxType {
		return EventTooLarge, fmt.Errorf("%w: a type of %d bytes, more than %d", ErrTooLarge, len(e.Type), MaxType)
	}
	texts := e.texts()
	for _, f := range texts {
		if !plain(*f.text) {
			*f.text = safe(*f.text)
		}
	}
	e.Details = e.Details.safe()
	for _, r := range rules {
		r.apply(e)
	}
	for _, f := range texts {
		if len(*f.text) > MaxText {
			*f.text = cut(*f.text)
		}
	}
	e.Details = e.Details.cut()
	return NotDropped, nil
}

// cut bounds details.
func (d Details) cut() Details {
	if len(d.text) <= MaxDetails {
		return d
	}
	return Details{text: fmt.Sprintf(`{"truncated":true,"bytes":%d,"sha256":"%x"}`, len(d.text), sha256.Sum256([]byte(d.text)))}
}

func plain(s string) bool { return s == "" || utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// safe replaces NUL and each invalid byte by U+FFFD: databases refuse them in a
// text, and with it the whole batch.
func safe(s string) string {
	if plain(s) {
		return s
	}
	return strings.ReplaceAll(string([]rune(s)), "\x00", "\uFFFD")
}

// cut shortens a text.
func cut(s string) string {
	sum := sha256.Sum256([]byte(s))
	mark := fmt.Sprintf("…(%d bytes, sha256 %x)", len(s), sum[:8])
	keep := MaxText - len(mark)
	for !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + mark
}

// size is roughly what e takes in memory.
func size(e *Event) int {
	const fixed = 448
	return fixed + len(e.Type) + len(e.Reason) +
		len(e.Actor.Type) + len(e.Actor.ID) + len(e.Actor.Name) +
		len(e.Resource.Type) + len(e.Resource.ID) + len(e.Resource.Name) +
		len(e.OnBehalfOf.Type) + len(e.OnBehalfOf.ID) + len(e.OnBehalfOf.Name) +
		len(e.Tenant) + len(e.Session) + len(e.Correlation) + len(e.TraceID) +
		len(e.SourceAddress) + len(e.UserAgent) + len(e.Details.text)
}

// Discard is a [Recorder] that drops every event and returns nil.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Record(context.Context, Event) error { return nil }

// Direct returns a [Recorder] without a queue: each Record is one write to
// sink, on the caller's goroutine and under its context. A nil error means that
// the event is stored; [ErrInvalid], [ErrTooLarge] and [ErrPermanent] mean that
// it was refused; after any other error it may or may not be stored. There is no
// retry: an event that is recorded again with the same [Event.ID] is stored once.
//
// A panic of the sink is returned as an error. A sink that ignores its context
// delays the caller. With a nil sink every Record returns [ErrInvalid].
func Direct(sink Sink) Recorder { return (*Log)(nil).Direct(sink) }

// Direct returns a recorder as [Direct] does, which applies the Enrich and Redact
// of the log's [Config] first. A nil log stands for none.
func (l *Log) Direct(sink Sink) Recorder { return direct{usable(sink, "Direct"), l} }

type direct struct {
	sink Sink
	log  *Log // for its Config; may be nil
}

func (d direct) Record(ctx context.Context, e Event) error {
	now := time.Now()
	if _, err := d.log.prepare(ctx, &e, now); err != nil {
		return err
	}
	if e.ID.IsZero() {
		e.ID, e.Stream, e.Seq = newID(now), ID{}, 0
	}
	if err := write(ctx, d.sink, []Event{e}); err != nil {
		return fmt.Errorf("audit: record %s: %w", e.Type, err)
	}
	return nil
}
