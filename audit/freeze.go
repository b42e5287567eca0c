// SPDX-License-Identifier: MIT

package audit

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

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
		*f.text = safe(*f.text)
	}
	e.Details = e.Details.safe()
	for _, r := range rules {
		r.apply(e)
	}
	for _, f := range texts {
		*f.text = cut(*f.text)
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

// safe replaces NUL and each invalid byte by U+FFFD: databases refuse them in a
// text, and with it the whole batch.
func safe(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(string([]rune(s)), "\x00", "\uFFFD")
}

// cut bounds a text.
func cut(s string) string {
	if len(s) <= MaxText {
		return s
	}
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
