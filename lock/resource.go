// SPDX-License-Identifier: MIT

package lock

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MinBound and MaxBound limit the bounds of a span: ±2^52, which every
	// store keeps exactly, Lua's floating-point numbers included.
	MinBound = -1 << 52
	MaxBound = 1 << 52

	// MaxName is the longest name of a resource, in bytes.
	MaxName = 255

	shownParts = 8
)

// Kind says what the bounds of a resource count.
type Kind uint8

const (
	Whole    Kind = iota // nothing: the whole name
	Numbers              // numbers of the caller's own
	Days                 // civil dates, as days since 1970-01-01
	Instants             // microseconds since 1970-01-01 00:00 UTC
)

// Resource is what gets locked: a name, or a half-open range [from, to) of a
// name, or several of those. It is a value and never changes. A resource that
// makes no sense is accepted here and refused with [ErrInvalid], and the
// reason, by whatever uses it.
//
// Two resources conflict when they share a name and their ranges overlap.
// Ranges of different kinds cannot be compared, so they conflict as if both
// were the whole name.
type Resource struct {
	part          // the only one, unless rest has more
	rest   []part // All: every part, the first included; sorted
	reason string // why it is invalid
}

type part struct {
	name     string
	kind     Kind
	from, to int64
	units    int
	shared   bool
}

// Key is the whole name: it conflicts with every span of it.
func Key(name string) Resource { return Of(Whole, name, MinBound, MaxBound) }

// Span is the range [from, to) of a name, in numbers of the caller's own,
// each within ±2^52.
func Span(name string, from, to int64) Resource { return Of(Numbers, name, from, to) }

// Nights is a stay: the nights from checkIn's civil date up to, but not
// including, checkOut's, so that a departure day is free for an arrival. Each
// date is the one that the time shows in its own Location, or at its own
// offset: a time as it was parsed or stored in UTC may show the day before.
// The time of day does not matter. [Dates] takes dates without a time.
func Nights(name string, checkIn, checkOut time.Time) Resource {
	return Of(Days, name, day(checkIn), day(checkOut))
}

// Dates is [Nights] for dates written as "2026-12-31". Any other text makes a
// resource that is refused with [ErrInvalid].
func Dates(name, checkIn, checkOut string) Resource {
	in, err := time.Parse(time.DateOnly, checkIn)
	out, also := time.Parse(time.DateOnly, checkOut)
	r := Nights(name, in, out)
	switch {
	case err != nil:
		r.reason = fmt.Sprintf("%q is no date like 2026-12-31", checkIn)
	case also != nil:
		r.reason = fmt.Sprintf("%q is no date like 2026-12-31", checkOut)
	}
	return r
}

// Between is the time from one instant up to, but not including, another.
// Instants count in whole microseconds; what is finer is cut off, so that
// ranges that touch still do. They reach from the year 1827 to 2112.
func Between(name string, from, to time.Time) Resource {
	return Of(Instants, name, micros(from), micros(to))
}

// micros cuts off what is out of bounds anyway, since UnixMicro would wrap.
func micros(t time.Time) int64 {
	const most = MaxBound / 1_000_000
	switch s := t.Unix(); {
	case s > most:
		return MaxBound + 1
	case s < -most-1:
		return MinBound - 1
	}
	return t.UnixMicro()
}

// Of is the range [from, to) of a name for any kind. Stores use it to name
// what they hold; [Key], [Span], [Nights] and [Between] read better.
func Of(kind Kind, name string, from, to int64) Resource {
	r := Resource{part: part{name: name, kind: kind, from: from, to: to, units: 1}}
	switch {
	case name == "":
		r.reason = "a resource without a name"
	case strings.ContainsRune(name, 0):
		r.reason = fmt.Sprintf("NUL in the name %q", name)
	case !utf8.ValidString(name):
		r.reason = fmt.Sprintf("the name %q is not UTF-8", name)
	case len(name) > MaxName:
		r.reason = fmt.Sprintf("a name of %d bytes, more than %d", len(name), MaxName)
	case kind > Instants:
		r.reason = fmt.Sprintf("unknown kind %d", kind)
	case from < MinBound || to > MaxBound:
		r.reason = fmt.Sprintf("bounds [%d, %d) outside ±2^52", from, to)
	case from >= to:
		r.reason = fmt.Sprintf("from %s is not before to %s", r.bound(from), r.bound(to))
	}
	return r
}

// All is several resources at once, all or nothing. They must not overlap one
// another and must belong to one group (Config.GroupBy).
func All(rs ...Resource) Resource {
	var all Resource
	for _, r := range rs {
		if r.parts() == nil {
			r.reason = cmp.Or(r.reason, "the zero Resource")
		}
		all.reason = cmp.Or(all.reason, r.reason)
		all.rest = append(all.rest, r.parts()...)
	}
	if len(all.rest) == 0 {
		return Resource{reason: cmp.Or(all.reason, "All of nothing")}
	}
	slices.SortStableFunc(all.rest, part.compare)
	all.part = all.rest[0]
	for i, p := range all.rest[1:] {
		if before := all.rest[i]; p.overlaps(before) && all.reason == "" {
			all.reason = fmt.Sprintf("%s overlaps %s", p, before)
		}
	}
	return all
}

// Units asks for n units of every part's capacity (Config.Capacity) instead
// of one.
func (r Resource) Units(n int) Resource {
	if n < 1 && r.reason == "" {
		r.reason = fmt.Sprintf("%d units", n)
	}
	for _, p := range r.parts() {
		if p.shared && r.reason == "" {
			r.reason = fmt.Sprintf("%d units of a shared resource", n)
		}
	}
	r.units = n
	r.rest = slices.Clone(r.rest)
	for i := range r.rest {
		r.rest[i].units = n
	}
	return r
}

// Shared asks for every part beside other shared holds of it, but beside no
// other: readers share, a writer is alone. A reader waits behind a writer who
// waits. Every process must ask for the same names in one of the two ways;
// Units of a shared resource is [ErrInvalid].
func (r Resource) Shared() Resource {
	for _, p := range r.parts() {
		if p.units > 1 && r.reason == "" {
			r.reason = fmt.Sprintf("%d units of a shared resource", p.units)
		}
	}
	r.shared = true
	r.rest = slices.Clone(r.rest)
	for i := range r.rest {
		r.rest[i].shared = true
	}
	return r
}

// IsShared reports whether it is [Resource.Shared]; of several parts, the
// first one.
func (r Resource) IsShared() bool { return r.shared }

// Name is what is locked; of several parts, the first one's.
func (r Resource) Name() string { return r.name }

// Kind says what the bounds count; of several parts, the first one's.
func (r Resource) Kind() Kind { return r.kind }

// Size is how many units are asked for; of several parts, the first one's.
func (r Resource) Size() int { return r.units }

// Bounds returns the range [from, to); of several parts, the first one's. The
// whole name goes from [MinBound] to [MaxBound].
func (r Resource) Bounds() (from, to int64) { return r.from, r.to }

// Times returns the range in time: for [Nights] the two dates at 00:00 UTC,
// for [Between] the two instants in UTC, and zero times for other kinds.
func (r Resource) Times() (from, to time.Time) {
	return r.time(r.from), r.time(r.to)
}

// Parts yields each part as a resource of its own, sorted by name and range.
func (r Resource) Parts() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for _, p := range r.parts() {
			if !yield(Resource{part: p, reason: r.reason}) {
				return
			}
		}
	}
}

// Overlaps reports whether r and other would conflict if one unit were all
// there is.
func (r Resource) Overlaps(other Resource) bool {
	for _, a := range r.parts() {
		for _, b := range other.parts() {
			if a.overlaps(b) {
				return true
			}
		}
	}
	return false
}

// String returns the parts, such as "room/101 [2026-12-12, 2026-12-15)": up to
// eight of them, and how many more there are.
func (r Resource) String() string {
	var text []string
	parts := r.parts()
	for _, p := range parts[:min(len(parts), shownParts)] {
		text = append(text, p.String())
	}
	if n := len(parts) - shownParts; n > 0 {
		text = append(text, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(text, ", ")
}

// check returns why r cannot be used, wrapping [ErrInvalid], or nil.
func (r Resource) check() error {
	switch {
	case r.reason != "":
		return fmt.Errorf("%w: %s", ErrInvalid, r.reason)
	case r.name == "":
		return fmt.Errorf("%w: the zero Resource", ErrInvalid)
	}
	return nil
}

func (r Resource) parts() []part {
	switch {
	case r.rest != nil:
		return r.rest
	case r.part == (part{}):
		return nil
	}
	return []part{r.part}
}

func (p part) overlaps(q part) bool {
	return p.name == q.name && (p.kind != q.kind || p.from < q.to && q.from < p.to)
}

func (p part) String() string {
	text := p.name
	if strconv.Quote(text) != `"`+text+`"` {
		text = strconv.Quote(text)
	}
	if p.kind != Whole {
		text += " [" + p.bound(p.from) + ", " + p.bound(p.to) + ")"
	}
	if p.units != 1 {
		text += " ×" + strconv.Itoa(p.units)
	}
	if p.shared {
		text += " shared"
	}
	return text
}

func (p part) bound(b int64) string {
	switch p.kind {
	case Days:
		return p.time(b).Format(time.DateOnly)
	case Instants:
		return p.time(b).Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(b, 10)
}

func (p part) time(b int64) time.Time {
	switch p.kind {
	case Days:
		return time.Unix(b*secondsPerDay, 0).UTC()
	case Instants:
		return time.UnixMicro(b).UTC()
	}
	return time.Time{}
}

const secondsPerDay = 24 * 60 * 60

// day numbers t's civil date. It goes through UTC, where every day has
// secondsPerDay, so no change of clocks can move it.
func day(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay
}

// compare orders resources by name, kind and range of their first parts.
func (r Resource) compare(other Resource) int { return r.part.compare(other.part) }

func (p part) compare(q part) int {
	return cmp.Or(cmp.Compare(p.name, q.name), cmp.Compare(p.kind, q.kind), cmp.Compare(p.from, q.from))
}
