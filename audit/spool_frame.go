// SPDX-License-Identifier: MIT

package audit

import (
	"encoding/binary"
	"time"
)

// Kinds of frames in a spool.
const (
	kindEvent byte = iota // recorded
	kindOwn               // the first or the last event of a stream
	kindHead              // at the start of a segment: the stream's first event, with the newest number
)

// frame is the payload of a frame: kind, time of acceptance, id, stream, number,
// time (microseconds), outcome, and the texts, each with its length. A later
// version may append texts.
type frame struct {
	Event
	kind byte
	at   time.Time
}

const fixedFrame = 1 + 8 + 16 + 16 + 8 + 8 + 1

func encode(b []byte, kind byte, e *Event, at time.Time) []byte {
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(at.UnixMicro()))
	b = append(b, e.ID[:]...)
	b = append(b, e.Stream[:]...)
	b = binary.LittleEndian.AppendUint64(b, e.Seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Time.UnixMicro()))
	b = append(b, byte(e.Outcome))
	for _, text := range [...]string{e.Type, e.Details.text} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	for _, f := range e.texts() {
		b = append(binary.AppendUvarint(b, uint64(len(*f.text))), *f.text...)
	}
	return b
}

// decode reads what encode has written; false for anything else.
func decode(payload []byte) (f frame, ok bool) {
	if len(payload) < fixedFrame {
		return f, false
	}
	f.kind = payload[0]
	f.at = time.UnixMicro(int64(binary.LittleEndian.Uint64(payload[1:])))
	copy(f.ID[:], payload[9:])
	copy(f.Stream[:], payload[25:])
	f.Seq = binary.LittleEndian.Uint64(payload[41:])
	f.Time = time.UnixMicro(int64(binary.LittleEndian.Uint64(payload[49:]))).UTC()
	f.Outcome = Outcome(payload[57])
	rest := payload[fixedFrame:]
	all := string(rest) // the texts share it
	next := func(text *string) bool {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return false
		}
		begin := len(all) - len(rest) + w
		*text = all[begin : begin+int(n)]
		rest = rest[w+int(n):]
		return true
	}
	ok = next(&f.Type) && next(&f.Details.text)
	for _, text := range f.texts() {
		ok = ok && next(text.text)
	}
	return f, ok && f.kind <= kindHead && f.Type != "" && !f.ID.IsZero() && f.Outcome <= Denied
}

// sent reports whether the sinks get the frame from the spool: a log writes the
// first and the last event of its own stream by itself.
func (f *frame) sent(stream ID) bool {
	return f.kind == kindEvent || f.kind == kindOwn && f.Stream != stream
}
