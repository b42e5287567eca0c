// SPDX-License-Identifier: MIT

package seal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// Hook is the hook of a sink whose table is sealed:
//
//	sink := gormsink.New(db, gormsink.WithHook(seal.Hook))
//
// In the transaction of Erase it deletes the salts of the events that were changed,
// so that their old hashes say nothing, and puts a hash of what they are now into
// the note. It also keeps Purge and Erase apart from sealing: an event is sealed as
// it was before, and its salt deleted, or as it is after.
//
// An erasure that changes a note of Purge or Erase which is not sealed yet is refused
// with [audit.ErrUnavailable]; try it again after the next seal.
func Hook(tx *gorm.DB, s *gormsink.Sink, note *audit.Event, erased []audit.Event) error {
	seals, points := tables(s)
	if err := takeTurn(tx, points); err != nil {
		return err
	}
	if len(erased) == 0 {
		return nil
	}
	sealed := make(map[string]bool)
	for rest := erased; len(rest) > 0; {
		n := min(len(rest), rowsOnce)
		texts := make([]string, n)
		for i := range texts {
			texts[i] = rest[i].ID.String()
		}
		var found []string
		if err := tx.Raw("SELECT id FROM "+seals+" WHERE id IN ?", texts).Scan(&found).Error; err != nil {
			return err
		}
		for _, text := range found {
			sealed[text] = true
		}
		rest = rest[n:]
	}
	var hashes []tlog.Hash
	var list []erasure
	for _, e := range erased {
		if !sealed[e.ID.String()] {
			if isNote(e.Type) {
				return fmt.Errorf("seal: %w: a note of an earlier erasure is not sealed yet", audit.ErrUnavailable)
			}
			continue
		}
		s := newSecret()
		one := erasure{id: e.ID, note: note.ID, salt: s, hash: s.hash(e), at: int64(len(list))}
		list = append(list, one)
		added, err := tlog.StoredHashesForRecordHash(one.at, one.leaf(), reader(hashes))
		if err != nil {
			return err
		}
		hashes = append(hashes, added...)
	}
	if len(list) == 0 {
		return nil
	}
	n := int64(len(list))
	root, err := tlog.TreeHash(n, reader(hashes))
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.proof, err = tlog.ProveRecord(n, one.at, reader(hashes)); err != nil {
			return err
		}
		if err := tx.Exec("UPDATE "+seals+" SET salt = NULL, erased = ? WHERE id = ?", one.bytes(), one.id.String()).Error; err != nil {
			return err
		}
	}
	note.Details = audit.Fields(slog.Int("events", len(erased)), slog.Int64("sealed", n), slog.String("root", base64.StdEncoding.EncodeToString(root[:])))
	return nil
}

func reader(hashes []tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(at))
		for i, n := range at {
			list[i] = hashes[n]
		}
		return list, nil
	})
}

// erasure is what the seal of an erased event has instead of the salt: the hash of
// what is left of the event, and the proof that the note has this hash. Its text
// in the table is the note's id, the place, the salt, the hash and the proof.
type erasure struct {
	id, note audit.ID
	at       int64 // the place in the note's tree
	salt     secret
	hash     []byte
	proof    tlog.RecordProof
}

func (e *erasure) leaf() tlog.Hash { return tlog.RecordHash(append(e.id[:], e.hash...)) }

const erasureSize = 16 + 8 + saltSize + hashSize

func (e *erasure) bytes() []byte {
	b := append(make([]byte, 0, erasureSize), e.note[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.at))
	b = append(append(b, e.salt...), e.hash...)
	for _, h := range e.proof {
		b = append(b, h[:]...)
	}
	return b
}

// parseErasure reads the erasure of an event.
func parseErasure(id audit.ID, b []byte) (e erasure, ok bool) {
	if len(b) < erasureSize || (len(b)-erasureSize)%tlog.HashSize != 0 {
		return e, false
	}
	e.id, e.note = id, audit.ID(b[:16])
	e.at, b = int64(binary.BigEndian.Uint64(b[16:])), b[24:]
	e.salt, e.hash, b = b[:saltSize], b[saltSize:saltSize+hashSize], b[saltSize+hashSize:]
	for ; len(b) > 0; b = b[tlog.HashSize:] {
		e.proof = append(e.proof, tlog.Hash(b[:tlog.HashSize]))
	}
	return e, e.at >= 0
}

// noted reports whether the erasure is one of the note with these details.
func (e *erasure) noted(details string) bool {
	var scope struct {
		Sealed int64  `json:"sealed"`
		Root   []byte `json:"root"`
	}
	if json.Unmarshal([]byte(details), &scope) != nil || len(scope.Root) != tlog.HashSize || e.at >= scope.Sealed {
		return false
	}
	return tlog.CheckRecord(e.proof, scope.Sealed, tlog.Hash(scope.Root), e.at, e.leaf()) == nil
}
