// SPDX-License-Identifier: MIT

package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// tokenLen is the length of 32 bytes in unpadded base64url.
const tokenLen = 43

// ID names a session. There are three kinds: one made by [Manager.Create],
// which a token stands for; a [Conversation]'s, which follows from channel and peer
// and has no token; and one met in a listing, whose token
// only its owner knows. All of them can be read, saved and deleted by.
//
// IDs of one kind are comparable with ==. An ID does not travel by accident:
// however it is printed, logged or marshalled, it is redacted. The zero ID
// names no session.
type ID struct {
	kind idKind
	raw  [32]byte // of a listed id, only the stored hash
}

type idKind uint8

const (
	noID idKind = iota
	tokenID
	conversationID
	listedID
)

// newID returns a fresh id. Its first byte is the partition of its owner, and
// random without one; the other 248 bits are always random.
func newID(owner Hash) ID {
	id := ID{kind: tokenID}
	rand.Read(id.raw[:]) // never fails: the runtime ends the program instead
	if owner != (Hash{}) {
		id.raw[0] = owner[0]
	}
	return id
}

func listed(h Hash) ID {
	id := ID{kind: listedID}
	copy(id.raw[:], h[:])
	return id
}

// ParseID reads a token as [ID.Token] gives it. Anything else is [ErrInvalid].
// Whether there is such a session only the store knows, and whatever a client
// sends, it never names a [Conversation]'s session.
func ParseID(token string) (ID, error) {
	id := ID{kind: tokenID}
	if len(token) != tokenLen {
		return ID{}, invalid("a token has %d characters, not %d", tokenLen, len(token))
	}
	n, err := base64.RawURLEncoding.Strict().Decode(id.raw[:], []byte(token))
	if err != nil || n != len(id.raw) { // the decoder skips line breaks, and then finds fewer bytes
		return ID{}, invalid("a token is base64url")
	}
	return id, nil
}

// Token reveals the secret that stands for the session: 43 characters of
// base64url, for a cookie or a header. It is "" for ids that have none.
func (id ID) Token() string {
	if id.kind != tokenID {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id.raw[:])
}

// IsZero reports whether id names no session.
func (id ID) IsZero() bool { return id == ID{} }

// String returns a redacted form, such as "session:5f3a9c01": enough to tell
// sessions apart in a log, and of no other use.
func (id ID) String() string {
	if id.IsZero() {
		return "session:none"
	}
	sum := sha256.Sum256(append([]byte("holdfast session print\x00"), id.raw[:]...))
	return "session:" + hex.EncodeToString(sum[:4])
}

// Format prints the redacted form for every verb.
func (id ID) Format(f fmt.State, _ rune) { io.WriteString(f, id.String()) }

// LogValue returns the redacted form.
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// MarshalText returns the redacted form. There is no way back: to hand a
// session on, send [ID.Token] and read it with [ParseID].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Conversation names the one session of a conversation: Channel is where it
// takes place, such as "whatsapp" or a bot's account, and Peer is who talks
// there.
// It is no secret, and its id is never accepted from a client as a token.
type Conversation struct {
	Channel, Peer string
}

// ID returns the id of the conversation's session, whether there is one or
// not.
func (c Conversation) ID() ID {
	h := sha256.New()
	io.WriteString(h, "holdfast session key\x00")
	h.Write(binary.AppendUvarint(nil, uint64(len(c.Channel)))) // so that ("a","bc") is not ("ab","c")
	io.WriteString(h, c.Channel)
	io.WriteString(h, c.Peer)
	id := ID{kind: conversationID}
	h.Sum(id.raw[:0])
	return id
}

// hash is what the store knows an id by. It cannot be turned back into a token,
// so reading the store does not allow taking over a session. The kind is part of
// what is hashed, so that no token ever leads to a conversation.
func (id ID) hash(space string) Hash {
	var h Hash
	switch id.kind {
	case listedID:
		copy(h[:], id.raw[:])
	case tokenID:
		h = hashOf("token", space, id.raw[:])
		h[0] = id.raw[0]
	case conversationID:
		h = hashOf("conversation", space, id.raw[:])
		h[0] = id.raw[0]
	}
	return h
}

// subjectHash is what the store knows a subject by; zero for none.
func subjectHash(space, subject string) Hash {
	if subject == "" {
		return Hash{}
	}
	return hashOf("subject", space, []byte(subject))
}

// hashOf is the first half of a SHA-256. Neither purpose nor space contain NUL.
func hashOf(purpose, space string, b []byte) Hash {
	sum := sha256.Sum256(append([]byte("holdfast session "+purpose+"\x00"+space+"\x00"), b...))
	return Hash(sum[:16])
}
