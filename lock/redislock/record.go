// SPDX-License-Identifier: MIT

package redislock

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

const (
	version = "1"             // that is written
	offset  = 1 << 52         // makes bounds positive, so that their bytes sort as they do
	bound   = 7               // bytes of a bound
	sole    = '='             // the kind of a key that has its name for itself
	extent  = 1 + 2*bound + 4 // bytes of kind, from, to, units
)

// digit is how the format writes the kind of a part, unless it is a lone key.
func digit(r lock.Resource) byte { return '0' + byte(r.Kind()) }

// appendExtent appends the kind, bounds and units of a single part. A shared
// one has no units.
func appendExtent(b []byte, kind byte, r lock.Resource) []byte {
	from, to := r.Bounds()
	b = append(b, kind)
	b = appendBound(b, from)
	b = appendBound(b, to)
	if r.IsShared() {
		return binary.BigEndian.AppendUint32(b, 0)
	}
	return binary.BigEndian.AppendUint32(b, uint32(r.Size()))
}

func appendBound(b []byte, n int64) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], uint64(n+offset))
	return append(b, all[8-bound:]...)
}

// member is a part's place in the index, without the id of its hold.
func member(kind byte, r lock.Resource) string {
	b := make([]byte, 0, len(r.Name())+1+extent)
	b = append(b, r.Name()...)
	b = append(b, 0)
	return string(appendExtent(b, kind, r))
}

// partOf is the part that a member stands for, with or without an id behind it.
// Names have no NUL.
func partOf(m string) (lock.Resource, error) {
	name, rest, found := strings.Cut(m, "\x00")
	if !found || len(rest) < extent {
		return lock.Resource{}, errMalformed
	}
	return resource(name, rest[:extent])
}

// resource is a part from its name and extent.
func resource(name, ext string) (lock.Resource, error) {
	kind := ext[0] - '0'
	if ext[0] == sole {
		kind = byte(lock.Whole)
	}
	from, to := readBound(ext[1:1+bound]), readBound(ext[1+bound:1+2*bound])
	units := binary.BigEndian.Uint32([]byte(ext[1+2*bound:]))
	if kind > 9 || units > math.MaxInt32 {
		return lock.Resource{}, errMalformed
	}
	r := lock.Of(lock.Kind(kind), name, from, to)
	if units == 0 {
		return r.Shared(), nil
	}
	return r.Units(int(units)), nil
}

func readBound(b string) int64 {
	var n int64
	for i := range len(b) {
		n = n<<8 | int64(b[i])
	}
	return n - offset
}

// head is the first piece of a claim's record, tail the last; acquire.lua
// puts between them what only the server knows. kind is that of the first part. A
// key that has its name for itself is written as in its slot, with its id.
func head(c lock.StoreClaim, kind byte, parts []lock.Resource) string {
	b := make([]byte, 0, 2*len(c.Token)+len(parts)*(extent+24))
	b = appendField(append(b, version...), c.Token)
	if kind == sole {
		return string(appendField(append(b, sole), c.ID))
	}
	b = appendNumber(b, len(parts))
	for _, p := range parts {
		b = appendField(b, p.Name())
		b = appendExtent(b, digit(p), p)
	}
	return string(b)
}

func tail(c lock.StoreClaim) string {
	b := make([]byte, 0, len(c.Holder)+len(c.Reason)+8)
	b = appendField(b, c.Holder)
	b = appendField(b, c.Reason)
	b = appendNumber(b, len(c.Details))
	if len(c.Details) == 0 {
		return string(b)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Details)) {
		b = appendField(b, k)
		b = appendField(b, c.Details[k])
	}
	return string(b)
}

func appendNumber(b []byte, n int) []byte { return appendPrefix(b, n, ',') }

func appendField(b []byte, s string) []byte { return append(appendPrefix(b, len(s), ':'), s...) }

// appendPrefix leaves a zero out: most numbers of most records are.
func appendPrefix(b []byte, n int, separator byte) []byte {
	if n != 0 {
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, separator)
}

var errMalformed = errors.New("malformed record")

// bodies read what follows the parts of a record, by the version it begins
// with. A program reads the version that it writes and the one before, in Go
// and in record.lua.
type bodies map[string]func(*reader, *lock.Hold)

var known = bodies{version: (*reader).body}

func decode(record string) (lock.Hold, error) { return known.decode(record) }

// decode reads a record without its token, as the scripts return it. The hold
// has no ID, ExpiresAt or Left, which are kept elsewhere.
func (b bodies) decode(record string) (lock.Hold, error) {
	if record == "" || b[record[:1]] == nil {
		return lock.Hold{}, fmt.Errorf("%w: version %.1q", errMalformed, record)
	}
	r := reader{rest: record[1:]}
	parts := r.parts()
	var h lock.Hold
	b[record[:1]](&r, &h)
	if r.bad || r.rest != "" || len(parts) == 0 {
		return lock.Hold{}, errMalformed
	}
	h.Resource = lock.All(parts...)
	return h, nil
}

// body reads the body of version 1.
func (r *reader) body(h *lock.Hold) {
	r.stamp(h)
	r.number() // the latest end, which only the scripts need
	h.Extensions = int(min(r.number(), math.MaxInt32))
	r.number() // until when it is kept at least
	r.field()  // the last extension's nonce
	h.Unconfirmed = strings.HasPrefix(r.field(), "?")
	h.Holder, h.Reason = r.field(), r.field()
	for range r.count() {
		if h.Details == nil {
			h.Details = make(map[string]string)
		}
		k := r.field()
		h.Details[k] = r.field()
		if r.bad {
			break
		}
	}
}

// reader consumes a record. After the first mistake it yields zero values.
type reader struct {
	rest string
	bad  bool
}

// prefix returns the number up to the separator; nothing means 0.
func (r *reader) prefix(separator string) int64 {
	digits, rest, found := strings.Cut(r.rest, separator)
	n, err := strconv.ParseInt(cmp.Or(digits, "0"), 10, 64)
	if r.bad || !found || err != nil || n < 0 {
		r.bad = true
		return 0
	}
	r.rest = rest
	return n
}

func (r *reader) number() int64 { return r.prefix(",") }

// count is a number of things that take at least one byte each.
func (r *reader) count() int64 {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) take(n int64) string {
	if r.bad || n > int64(len(r.rest)) {
		r.bad = true
		return ""
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// stamp is what the server adds to a hold: its fence, and how far that is
// ahead of the time.
func (r *reader) stamp(h *lock.Hold) {
	h.Fence = uint64(r.number())
	h.AcquiredAt = time.UnixMilli(int64(h.Fence/1000) - r.number()).UTC()
}

func (r *reader) field() string { return r.take(r.prefix(":")) }

// parts reads those of a claim, or the name of a lone key.
func (r *reader) parts() (parts []lock.Resource) {
	if name, lone := strings.CutPrefix(r.rest, string(sole)); lone {
		r.rest = name
		return append(parts, lock.Key(r.field()))
	}
	for range r.count() {
		parts = append(parts, r.part())
		if r.bad {
			break
		}
	}
	return parts
}

func (r *reader) part() lock.Resource {
	name, ext := r.field(), r.take(extent)
	if r.bad {
		return lock.Resource{}
	}
	p, err := resource(name, ext)
	r.bad = err != nil
	return p
}
