// SPDX-License-Identifier: MIT

package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// entry is what a leaf of the tree says about an event. The time, the type and the
// tenant stand in it, so that what a purge was allowed to delete is known
// without the row.
type entry struct {
	ID                 audit.ID
	Occurred, Recorded int64 // microseconds since 1970
	Type, Tenant       string
	Scope              string // the details of a note of Purge or Erase, "" of others
	Hash               []byte // see secret.hash
}

// newEntry is the entry of a row.
func newEntry(r *gormsink.Row, s secret) entry {
	e := entry{ID: r.ID, Occurred: r.Time.UnixMicro(), Recorded: r.Recorded.UnixMicro(), Type: r.Type, Tenant: r.Tenant, Hash: s.hash(r.Event)}
	if isNote(r.Type) {
		e.Scope = r.Details.String()
	}
	return e
}

func isNote(eventType string) bool {
	return eventType == gormsink.TypePurged || eventType == gormsink.TypeErased
}

// leaf returns the hash of the leaf.
func (e *entry) leaf() tlog.Hash {
	b := append(make([]byte, 0, 256), e.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Occurred))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Recorded))
	for _, text := range []string{e.Type, e.Tenant, e.Scope} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return tlog.RecordHash(append(b, e.Hash...))
}

// secret is the salt of an event's hash. Without it, no one can find out by trying
// what was hashed.
type secret []byte

const (
	saltSize  = 16
	proofSize = 16 // of the salt's own hash
	hashSize  = proofSize + sha256.Size
)

func newSecret() secret {
	s := make(secret, saltSize)
	_, _ = rand.Read(s) // never fails
	return s
}

// hash returns the hash of the salt, which distinguishes a damaged salt from a changed
// event, and the salted hash of the event. The text of the details is hashed as it is.
func (s secret) hash(e audit.Event) []byte {
	details := e.Details.String()
	e.Details = audit.Details{}
	return s.hashText(e.AppendJSON(make([]byte, 0, 512)), details)
}

func (s secret) hashText(event []byte, details string) []byte {
	text := make([]byte, 0, len(s)+len(event)+1+len(details))
	text = append(append(append(append(text, s...), event...), '\n'), details...) // the event contains no new line
	sum := sha256.Sum256(text)
	return append(s.proof(), sum[:]...)
}

func (s secret) proof() []byte {
	sum := sha256.Sum256(s)
	return append(make([]byte, 0, hashSize), sum[:proofSize]...)
}

// frontier is a tree as the roots of its perfect subtrees, largest first: what it
// takes to append to it.
type frontier struct {
	size  int64
	roots []tlog.Hash
}

func (f *frontier) add(h tlog.Hash) {
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		h, f.roots = tlog.NodeHash(f.roots[last], h), f.roots[:last]
	}
	f.roots = append(f.roots, h)
	f.size++
}

func (f *frontier) root() tlog.Hash {
	if f.size == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	h := f.roots[len(f.roots)-1]
	for i := len(f.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.roots[i], h)
	}
	return h
}

// clone returns a frontier that shares nothing.
func (f *frontier) clone() frontier {
	return frontier{f.size, append([]tlog.Hash(nil), f.roots...)}
}

func (f *frontier) bytes() (b []byte) {
	for _, h := range f.roots {
		b = append(b, h[:]...)
	}
	return b
}

var errFrontier = errors.New("the frontier does not have the root")

// parseFrontier reads the frontier of a tree with that size and root.
func parseFrontier(size int64, root tlog.Hash, b []byte) (frontier, error) {
	f := frontier{size: size}
	if len(b)%len(root) != 0 {
		return f, errFrontier
	}
	for ; len(b) > 0; b = b[len(root):] {
		f.roots = append(f.roots, tlog.Hash(b[:len(root)]))
	}
	n := 0
	for left := size; left > 0; left &= left - 1 {
		n++
	}
	if len(f.roots) != n || f.root() != root {
		return f, errFrontier
	}
	return f, nil
}

// perfect returns the root of the perfect subtree of 2^level leaves that is number
// n of its level, from the frontier of an earlier tree and the leaves since.
func (f *frontier) perfect(level int, n int64, leaves []tlog.Hash) (tlog.Hash, error) {
	lo, hi := n<<level, (n+1)<<level
	if lo >= f.size && hi-lo == 1 && lo-f.size < int64(len(leaves)) {
		return leaves[lo-f.size], nil
	}
	at := int64(0)
	for _, root := range f.roots {
		width := int64(1) << (63 - bits.LeadingZeros64(uint64(f.size-at)))
		if at == lo && at+width == hi {
			return root, nil
		}
		at += width
	}
	if level == 0 {
		return tlog.Hash{}, errFrontier
	}
	left, err := f.perfect(level-1, 2*n, leaves)
	if err != nil {
		return left, err
	}
	right, err := f.perfect(level-1, 2*n+1, leaves)
	return tlog.NodeHash(left, right), err
}

// micro is the time of a number of microseconds.
func micro(n int64) time.Time { return time.UnixMicro(n).UTC() }
