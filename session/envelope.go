// SPDX-License-Identifier: MIT

package session

import (
	"encoding/binary"
	"slices"
)

// envelopeV1 is the first byte of what the store keeps for a session. A later
// format gets another one, and its reader goes on reading this one.
const envelopeV1 = 1

// envelope is a payload with what only the manager may know of a session.
// Stored, it is its own version and the data's as a uvarint, then subject,
// channel and peer, each after its length as a uvarint, then the codec's bytes
// to the end.
type envelope struct {
	Version      int // Config.Version of the manager that wrote Data
	Subject      string
	Conversation Conversation
	Data         []byte
}

func (e envelope) append(b []byte) []byte {
	b = slices.Grow(b, 1+6+len(e.Subject)+len(e.Conversation.Channel)+len(e.Conversation.Peer)+len(e.Data))
	b = binary.AppendUvarint(append(b, envelopeV1), uint64(e.Version))
	for _, s := range []string{e.Subject, e.Conversation.Channel, e.Conversation.Peer} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, e.Data...)
}

// openEnvelope reads what append wrote; ok is false for anything else. Data
// shares b's memory.
func openEnvelope(b []byte) (e envelope, ok bool) {
	if len(b) == 0 || b[0] != envelopeV1 {
		return envelope{}, false
	}
	version, width := binary.Uvarint(b[1:])
	if width <= 0 || version > maxVersion {
		return envelope{}, false
	}
	e.Version, b = int(version), b[1+width:]
	for _, s := range []*string{&e.Subject, &e.Conversation.Channel, &e.Conversation.Peer} {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return envelope{}, false
		}
		*s = string(b[width : width+int(n)])
		b = b[width+int(n):]
	}
	e.Data = b
	return e, true
}
