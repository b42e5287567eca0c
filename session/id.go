// SPDX-License-Identifier: MIT

package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// tokenLen is the length of 32 bytes in unpadded base64url.
const tokenLen = 43

// ID names a session. There are three kinds: one made by [Manager.Create],
// which a token stands for; a [Conversation]'s, which follows from channel and peer
// and has no token; and one met in a listing, whose token only its owner knows.
// Sessions can be read, saved and deleted by each of them.
//
// IDs of one kind are comparable with ==. An ID does not travel by accident:
// however it is printed, logged or marshalled, it is redacted, also within fields
// whose methods no printer may call. The zero ID names no session.
type ID struct{ hidden unique.Handle[string] }

// identity is what an ID stands for. Printers that walk through values print the
// address of a string behind a pointer, whatever the verb, but follow one to a
// struct or an array. A handle is such a pointer that still compares by value.
type identity struct {
	kind    idKind
	raw     [32]byte // of a listed id, only the stored hash
	subject string   // of a conversation
}

func (i identity) id() ID { return ID{unique.Make(string(i.kind) + string(i.raw[:]) + i.subject)} }

func (id ID) look() (i identity) {
	if !id.IsZero() {
		s := id.hidden.Value()
		i.kind = idKind(s[:1])
		i.subject = s[1+copy(i.raw[:], s[1:]):]
	}
	return i
}

type idKind string // one byte

const (
	tokenID        idKind = "t"
	conversationID idKind = "c"
	listedID       idKind = "l"
)

// newID returns a fresh id in the partition of the hash beside it: its first byte,
// random without one. The other 248 bits are always random.
func newID(beside Hash) ID {
	i := identity{kind: tokenID}
	rand.Read(i.raw[:]) // never fails: the runtime ends the program instead
	if beside != (Hash{}) {
		i.raw[0] = beside[0]
	}
	return i.id()
}

func listed(h Hash) ID {
	i := identity{kind: listedID}
	copy(i.raw[:], h[:])
	return i.id()
}

// ParseID reads a token as [ID.Token] gives it. Anything else is [ErrInvalid].
// Whether there is such a session only the store knows, and whatever a client
// sends, it never names a [Conversation]'s session.
func ParseID(token string) (ID, error) {
	i := identity{kind: tokenID}
	if len(token) != tokenLen {
		return ID{}, invalid("a token has %d characters, not %d", tokenLen, len(token))
	}
	n, err := base64.RawURLEncoding.Strict().Decode(i.raw[:], []byte(token))
	if err != nil || n != len(i.raw) { // the decoder skips line breaks, and then finds fewer bytes
		return ID{}, invalid("a token is base64url")
	}
	return i.id(), nil
}

// Token reveals the secret that stands for the session: 43 characters of
// base64url, for a cookie or a header. It is "" for ids that have none.
func (id ID) Token() string {
	i := id.look()
	if i.kind != tokenID {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(i.raw[:])
}

// IsZero reports whether id names no session.
func (id ID) IsZero() bool { return id == ID{} }

// String returns a redacted form, such as "session:5f3a9c01": enough to distinguish
// sessions in a log. That of a [Conversation] is the same everywhere: a list of
// peers finds who it may be.
func (id ID) String() string {
	if id.IsZero() {
		return "session:none"
	}
	i := id.look()
	sum := sha256.Sum256(append([]byte("holdfast session print\x00"), i.raw[:]...))
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
// there. It is no secret, and its id is never accepted from a client as a token.
//
// With a Subject, the conversation is one of that person's sessions, as with
// [ForSubject]: [Manager.BySubject] finds what was said, [Manager.DeleteSubject]
// erases it, and [Config.MaxPerSubject] counts it. The subject is a part of the name:
// a conversation without it, or with another, is another one.
type Conversation struct {
	Channel, Peer string
	Subject       string
}

// ID returns the id of the conversation's session, whether there is one or
// not.
func (c Conversation) ID() ID {
	h := sha256.New()
	io.WriteString(h, "holdfast session key\x00")
	h.Write(binary.AppendUvarint(nil, uint64(len(c.Channel)))) // so that ("a","bc") is not ("ab","c")
	io.WriteString(h, c.Channel)
	io.WriteString(h, c.Peer)
	i := identity{kind: conversationID, subject: c.Subject}
	if c.Subject != "" {
		h.Write(binary.AppendUvarint([]byte{0}, uint64(len(c.Subject)))) // no Peer has a NUL
		io.WriteString(h, c.Subject)
	}
	h.Sum(i.raw[:0])
	return i.id()
}

// hasher makes what the store of one manager knows ids and subjects by.
type hasher struct {
	space string
	keyed bool
	sum   func(text []byte) Hash // the first half; hides the key from printers
}

func newHasher(space string, key []byte) hasher {
	if key == nil {
		return hasher{space, false, func(text []byte) Hash { sum := sha256.Sum256(text); return Hash(sum[:16]) }}
	}
	key = bytes.Clone(key)
	return hasher{space, true, func(text []byte) Hash {
		mac := hmac.New(sha256.New, key)
		mac.Write(text)
		return Hash(mac.Sum(nil)[:16])
	}}
}

// id is what the store knows an id by. It cannot be turned back into a token, so
// reading the store does not allow taking over a session. The kind is part of what
// is hashed, so that no token ever leads to a conversation.
func (x hasher) id(id ID) Hash {
	var h Hash
	i := id.look()
	switch i.kind {
	case listedID:
		copy(h[:], i.raw[:])
	case tokenID:
		h = x.of("token", i.raw[:])
		h[0] = i.raw[0]
	case conversationID:
		h = x.of("conversation", i.raw[:])
		if i.subject != "" { // where all of the subject's are
			h[0] = x.subject(i.subject)[0]
		} else if !x.keyed {
			h[0] = i.raw[0]
		}
	}
	return h
}

// subject is what the store knows a subject by; zero for none.
func (x hasher) subject(subject string) Hash {
	if subject == "" {
		return Hash{}
	}
	return x.of("subject", []byte(subject))
}

// of is the first half of a SHA-256 or HMAC. Neither purpose nor space contain NUL.
func (x hasher) of(purpose string, b []byte) Hash {
	return x.sum([]byte("holdfast session " + purpose + "\x00" + x.space + "\x00" + string(b)))
}
