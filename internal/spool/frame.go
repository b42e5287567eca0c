// SPDX-License-Identifier: MIT

package spool

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
)

const (
	frameHead  = 8 // CRC and length
	headerSize = 4096
	slotsAt    = 64
	slotSize   = 32
	version    = 1

	// MaxPayload bounds the payload of a frame, in bytes.
	MaxPayload = 1 << 20
	// MaxReaders bounds the readers of a folder.
	MaxReaders = (headerSize - slotsAt) / (2 * slotSize)
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	order      = binary.LittleEndian
	magic      = []byte("holdfast spool\n")
)

// Reserve appends the place of a frame's head to b; the payload follows, and
// then [Finish].
func Reserve(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 0) }

// Finish enters the length of a payload that is complete.
func Finish(frame []byte) { order.PutUint32(frame[4:], uint32(len(frame)-frameHead)) }

// chain enters the CRCs of frames that follow on sum, and returns the last.
func chain(frames []byte, sum uint32) uint32 {
	for len(frames) > 0 {
		end := frameHead + length(frames)
		sum = sumOf(frames[:end], sum)
		order.PutUint32(frames, sum)
		frames = frames[end:]
	}
	return sum
}

func length(frame []byte) int { return int(order.Uint32(frame[4:])) }

func sumOf(frame []byte, sum uint32) uint32 { return crc32.Update(sum, castagnoli, frame[4:]) }

// walk calls visit with the payload of each whole frame of data, and returns how
// many bytes those take and the last CRC. It ends at the first frame that is cut
// off, damaged or in a wrong place, or when visit returns false.
func walk(data []byte, sum uint32, visit func(payload []byte) bool) (int, uint32) {
	done := 0
	for rest := data; len(rest) > frameHead; rest = data[done:] {
		n := order.Uint32(rest[4:])
		if n == 0 || n > MaxPayload || int(n) > len(rest)-frameHead {
			break
		}
		frame := rest[:frameHead+int(n)]
		next := sumOf(frame, sum)
		if next != order.Uint32(frame) || !visit(frame[frameHead:]) {
			break
		}
		sum = next
		done += len(frame)
	}
	return done, sum
}

// newHeader returns the header of a new segment.
func newHeader() []byte {
	h := make([]byte, headerSize)
	copy(h, magic)
	h[len(magic)] = version
	_, _ = rand.Read(h[16:24]) // never fails
	order.PutUint32(h[24:], headerSum(h))
	return h
}

func headerSum(h []byte) uint32 { return crc32.Checksum(h[:24], castagnoli) }

// checkHeader reports whether h is whole, and of this version.
func checkHeader(h []byte) (whole, known bool) {
	if len(h) < headerSize || !bytes.HasPrefix(h, magic) || order.Uint32(h[24:]) != headerSum(h) {
		return false, false
	}
	return true, h[len(magic)] == version
}

// slot returns the place of a slot in the segment whose header has the CRC base,
// and its bytes.
func slot(base uint32, reader int, generation uint64, settled int) (at int64, s []byte) {
	s = make([]byte, slotSize)
	order.PutUint64(s, generation)
	order.PutUint64(s[8:], uint64(settled))
	order.PutUint32(s[16:], slotSum(base, reader, s))
	return int64(slotsAt + (2*reader+int(generation%2))*slotSize), s
}

func slotSum(base uint32, reader int, s []byte) uint32 {
	return crc32.Update(crc32.Update(base, castagnoli, []byte{byte(reader)}), castagnoli, s[:16])
}

// readSlots returns the newest slot of the reader that is whole; 0, 0 for none.
func readSlots(header []byte, reader int) (generation uint64, settled int) {
	base := headerSum(header)
	for i := range uint64(2) {
		s := header[slotsAt+(2*reader+int(i))*slotSize:][:slotSize]
		if g := order.Uint64(s); g > generation && g%2 == i && order.Uint32(s[16:]) == slotSum(base, reader, s) {
			generation, settled = g, int(min(order.Uint64(s[8:]), 1<<31-1))
		}
	}
	return generation, settled
}
