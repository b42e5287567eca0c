// SPDX-License-Identifier: MIT

package redissession

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// version is the format that is written; sizes has the header's length in
// every version that is read.
const version = 1

var sizes = map[byte]int{version: headerSize}

const (
	headerSize = 156
	timesSize  = 12 // of what a touch writes
)

var magic = [3]byte{'h', 'f', 's'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what precedes the payload of a record. All numbers are big-endian. Times
// are ms since 1970 by the server's clock.
//
//	offset length field
//	     0      3 magic "hfs"
//	     3      1 version, 1
//	     4      1 0, or of what a move leaves in its place: 1 moved, 2 frozen
//	     5      1 reserved, 0
//	     6      2 how often it was handed out by Claim
//	     8      8 revision: µs since 1970 at first, then rising; below 2^53
//	    16      8 nonce of the write that made it, 0 = none
//	    24      6 created
//	    30      6 absolute deadline, 0 = none
//	    36      6 idle timeout in ms, 0 = none
//	    42      6 last activity                    \ a touch writes these
//	    48      6 when it lapses                   / 12 bytes in place
//	    54      4 seconds that it is kept for Claim after it lapsed
//	    58      4 CRC-32C of the payload
//	    62      8 lease: first bytes of SHA-256 of its name, 0 = free
//	    70      6 end of the lease
//	    76     16 hash of the owner, 0 = none; moved and frozen: of the record now
//	    92     64 revision and nonce of the 4 writes before, newest first
//	   156      - payload
//
// Scripts read the header and never the payload; this package computes and compares
// the checksum. Only scripts write when a record lapses. A later version may only
// append to the header: its scripts find the fields of a version-1 record at their
// places, and the next Save writes the new version.
//
// As the template of an insertion, created is 0, absolute and leaseEnd are
// durations, and the server completes it; a moved record brings both times.
type header struct {
	kind                                byte // 0 = a record, moved or frozen
	attempts                            uint16
	rev, nonce                          uint64
	created, absolute, idle, last, ends int64
	keep, crc                           uint32
	lease                               leaseName
	leaseEnd                            int64
	owner                               session.Hash
	earlier                             [64]byte // only scripts read it
	newer                               bool     // of a version that is not read
}

// leaseName stands for the name of a lease; zero = none.
type leaseName [8]byte

func nameLease(name string) leaseName {
	if name == "" {
		return leaseName{}
	}
	sum := sha256.Sum256([]byte(name))
	return leaseName(sum[:8])
}

func (h header) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic[:]...)
	b = append(b, version, h.kind, 0)
	b = binary.BigEndian.AppendUint16(b, h.attempts)
	b = binary.BigEndian.AppendUint64(b, h.rev)
	b = binary.BigEndian.AppendUint64(b, h.nonce)
	for _, ms := range []int64{h.created, h.absolute, h.idle, h.last, h.ends} {
		b = appendUint48(b, ms)
	}
	b = binary.BigEndian.AppendUint32(b, h.keep)
	b = binary.BigEndian.AppendUint32(b, h.crc)
	b = append(b, h.lease[:]...)
	b = appendUint48(b, h.leaseEnd)
	b = append(b, h.owner[:]...)
	return append(b, h.earlier[:]...)
}

// decode splits a stored record. ok is false for bytes that are no record; the
// payload is not checked. A record of a later version has the fields of version 1
// in their places, and its payload is not known.
func decode(raw string) (h header, payload string, ok bool) {
	if len(raw) < 4 || raw[:3] != string(magic[:]) || raw[3] == 0 {
		return header{}, "", false
	}
	size, known := sizes[raw[3]]
	if !known {
		size = headerSize
	}
	if len(raw) < size {
		return header{}, "", false
	}
	b := []byte(raw[:headerSize])
	h = header{
		kind:     b[4],
		attempts: binary.BigEndian.Uint16(b[6:]),
		rev:      binary.BigEndian.Uint64(b[8:]),
		nonce:    binary.BigEndian.Uint64(b[16:]),
		created:  uint48(b[24:]),
		absolute: uint48(b[30:]),
		idle:     uint48(b[36:]),
		last:     uint48(b[42:]),
		ends:     uint48(b[48:]),
		keep:     binary.BigEndian.Uint32(b[54:]),
		crc:      binary.BigEndian.Uint32(b[58:]),
		lease:    leaseName(b[62:70]),
		leaseEnd: uint48(b[70:]),
		owner:    session.Hash(b[76:92]),
		earlier:  [64]byte(b[92:156]),
		newer:    !known,
	}
	if h.newer {
		return h, "", true
	}
	return h, raw[size:], true
}

// touch sets the times that a touch has written, if it has.
func (h *header) touch(times string) (ok bool) {
	if b := []byte(times); len(b) == timesSize {
		h.last, h.ends = uint48(b), uint48(b[6:])
	}
	return len(times) == 0 || len(times) == timesSize
}

func appendUint48(b []byte, n int64) []byte {
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], uint64(n))
	return append(b, wide[2:]...)
}

func uint48(b []byte) int64 {
	return int64(binary.BigEndian.Uint16(b))<<32 | int64(binary.BigEndian.Uint32(b[2:]))
}

func checksum[T string | []byte](payload T) uint32 {
	return crc32.Checksum([]byte(payload), castagnoli)
}

// record turns a header into what managers see.
func (h header) record(space string, hash session.Hash) session.StoreRecord {
	r := session.StoreRecord{
		StoreHandle:  session.StoreHandle{Space: space, Hash: hash, Owner: h.owner},
		Rev:          h.rev,
		CreatedAt:    time.UnixMilli(h.created),
		LastActivity: time.UnixMilli(h.last),
		Idle:         time.Duration(h.idle) * time.Millisecond,
		ExpiresAt:    time.UnixMilli(h.ends),
	}
	if h.kind != 0 {
		r.Owner, r.Next = session.Hash{}, h.owner
	}
	if h.absolute != 0 {
		r.Deadline = time.UnixMilli(h.absolute)
	}
	return r
}

// millis rounds up, so that a short duration is not none.
func millis(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Millisecond) + 1
}
