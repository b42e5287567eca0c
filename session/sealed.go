// SPDX-License-Identifier: MIT

package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast-go/holdfast/internal/configerr"
)

// Sealed returns a [Codec] that encrypts all that a record contains: the data as
// codec encodes it, the subject and the conversation. It is for Config.Codec
// itself, not for use inside another codec. Keys have 32 bytes, and should be
// random. The first encrypts, all decrypt. To replace a key, first add the new one at
// the end in all processes, then move it to the front, and remove the old one when
// no session that it has encrypted lives; each save uses the first.
//
// Each record is encrypted by AES-256-GCM with a key of its own, which HKDF derives
// from the first key and a random of the record that lasts as long as the session,
// also through Rotate and Bind. The bytes are bound to Config.Name, the place of the
// record and that random: a record that was changed or moved is [ReasonUndecodable], and
// so is one that was written without Sealed or under a key that is missing. What is
// not hidden: hashes of ids and subjects (see Config.IndexKey), times, sizes, and
// the first 4 bytes of a hash of the key. Who can write to the store can still
// bring back an older record of the same session in its place.
//
// 49 bytes and a few microseconds for each record.
func Sealed(codec Codec, keys ...[]byte) Codec {
	s := &sealed{codec: codec}
	if _, twice := codec.(*sealed); twice || configerr.IsNil(codec) {
		s.fault = "a codec of data in Sealed"
	}
	if len(keys) == 0 {
		s.fault = "at least one key in Sealed"
	}
	for _, key := range keys {
		if len(key) != 32 {
			s.fault = fmt.Sprintf("keys of 32 bytes in Sealed, not %d", len(key))
		}
		sum := sha256.Sum256(append([]byte("holdfast session key\x00"), key...))
		s.keys = append(s.keys, sealKey{[4]byte(sum[:4]), cipherOf(slices.Clone(key))})
	}
	return s
}

type sealed struct {
	codec Codec
	keys  []sealKey
	fault string // what is wanted instead
}

type sealKey struct {
	id [4]byte
	of func(random [16]byte) cipher.AEAD // hides the key from printers
}

var errHidden = errors.New("session: Sealed has to be Config.Codec itself")

// Encode fails: only a codec that hides s calls it, and then nothing would be
// encrypted.
func (*sealed) Encode(any) ([]byte, error) { return nil, errHidden }

// Decode fails as Encode does.
func (*sealed) Decode([]byte, any) error { return errHidden }

// Format hides the keys from every verb.
func (*sealed) Format(f fmt.State, _ rune) { io.WriteString(f, "session.Sealed") }

// unsealed splits a codec into Sealed, if it is that, and the codec of the data.
func unsealed(c Codec) (*sealed, Codec) {
	if s, ok := c.(*sealed); ok {
		return s, s.codec
	}
	return nil, c
}

// envelopeSealed is the first byte of a record that Sealed has encrypted. Behind it
// are the random, the key's id, and what GCM makes of the envelope: its nonce, the
// ciphertext and its tag.
const (
	envelopeSealed = 2
	sealedHead     = 1 + 16 + 4
)

func (s *sealed) seal(text []byte, random [16]byte, name string, h Hash) []byte {
	key := s.keys[0]
	head := slices.Concat([]byte{envelopeSealed}, random[:], key.id[:])
	return key.of(random).Seal(head, nil, text, bound(head, name, h))
}

// open returns what seal was given. It leaves b as it is.
func (s *sealed) open(b []byte, name string, h Hash) (text []byte, random [16]byte, ok bool) {
	if len(b) < sealedHead || b[0] != envelopeSealed {
		return nil, random, false
	}
	head, body := b[:sealedHead], b[sealedHead:]
	copy(random[:], head[1:])
	for _, key := range s.keys {
		if !bytes.Equal(key.id[:], head[17:]) {
			continue
		}
		if text, err := key.of(random).Open(nil, nil, body, bound(head, name, h)); err == nil {
			return text, random, true
		}
	}
	return nil, random, false
}

// cipherOf returns the ciphers of the records under a key. So a key encrypts no more
// than the writes of one session, and random nonces never come near to repeating.
func cipherOf(key []byte) func(random [16]byte) cipher.AEAD {
	return func(random [16]byte) cipher.AEAD {
		own := must(hkdf.Expand(sha256.New, key, "holdfast session record\x00"+string(random[:]), 32))
		return must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(own))))
	}
}

// must is for calls that fail only for lengths other than ours.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// bound is what the bytes of a record are bound to, besides its key. A name contains
// no NUL.
func bound(head []byte, name string, h Hash) []byte {
	return slices.Concat(head, h[:], []byte(name))
}
