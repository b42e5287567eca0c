// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ID identifies an event; sinks store an ID once. The ids of [NewID] are UUIDs of
// version 7 (RFC 9562): they are ordered by the time of their creation, strictly
// within a process, and between processes as far as their clocks agree.
type ID [16]byte

// lastTick is the newest tick in use: milliseconds since 1970 in the upper 48 of
// 60 bits, 1/4096 ms in the lower 12. It only grows, and so do ids, even when the
// clock is set back or a millisecond has more than 4096 ids.
var lastTick atomic.Uint64

// NewID returns a new id, greater than all earlier ones of this process. It takes
// no lock and does not allocate.
func NewID() ID { return newID(time.Now()) }

func newID(now time.Time) ID {
	tick := tickOf(now)
	for {
		last := lastTick.Load()
		tick = max(tick, last+1)
		if lastTick.CompareAndSwap(last, tick) {
			return layout(tick, 7, rand.Uint64())
		}
	}
}

// DerivedID returns an id computed from at (to the millisecond) and key: equal
// for equal arguments, different for others. Use it for an event that may be
// reported more than once and must be stored once. The ids are ordered by at.
// They are UUIDs of version 8, so none equals one of [NewID].
func DerivedID(at time.Time, key string) ID {
	sum := sha256.Sum256([]byte(key))
	ms := tickOf(at) &^ 0xfff
	return layout(ms|uint64(binary.BigEndian.Uint16(sum[:])&0xfff), 8, binary.BigEndian.Uint64(sum[2:]))
}

// tickOf returns t in 1/4096 ms since 1970, 0 for earlier times.
func tickOf(t time.Time) uint64 {
	ms := uint64(max(0, t.UnixMilli())) & (1<<48 - 1)
	return ms<<12 | uint64(t.Nanosecond()%1_000_000)<<12/1_000_000
}

func layout(tick uint64, version byte, tail uint64) (id ID) {
	binary.BigEndian.PutUint64(id[:], tick>>12<<16|uint64(version)<<12|tick&0xfff)
	binary.BigEndian.PutUint64(id[8:], tail&^(3<<62)|1<<63)
	return id
}

// beside returns a new id with the time of id.
func (id ID) beside() ID {
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&^(3<<62)|1<<63)
	return id
}

// IsZero reports whether the id has not been set.
func (id ID) IsZero() bool { return id == ID{} }

// Compare returns -1, 0 or +1. Ids have the order of their bytes and texts.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// String returns the usual form of a UUID, such as
// "01890a5d-ac96-774b-bcce-b302099a8057".
func (id ID) String() string {
	text := id.text()
	return string(text[:])
}

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) {
	text := id.text()
	return text[:], nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseID].
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// ParseID reads the text of a UUID of any version, as [ID.String] returns it, in
// lower or upper case. For any other text it returns [ErrInvalid].
func ParseID(text string) (ID, error) {
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		var id ID
		plain := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
		if _, err := hex.Decode(id[:], []byte(plain)); err == nil {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("%w: not the id of an event", ErrInvalid)
}

func (id ID) text() (text [36]byte) {
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return text
}
