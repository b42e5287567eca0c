// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// ErrNoProof says that an event cannot be proved: it is not in the table, not sealed
// yet, or erased.
var ErrNoProof = errors.New("seal: no proof")

const proofHead = "c2sp.org/tlog-proof@v1"

// extra is what a proof says about the event.
type extra struct {
	Event    string `json:"event"` // without its details
	Details  string `json:"details,omitempty"`
	Recorded int64  `json:"recorded"` // microseconds since 1970
	Salt     []byte `json:"salt"`
}

// Prove returns a proof that the event was sealed as it is now, for [CheckProof]: a
// text in the form of C2SP's tlog-proof, with the event, its salt and the first
// checkpoint that covers it. Who has the proof can read the event. It reads the
// seals of that checkpoint, at most 8000.
//
// [ErrNoProof] is returned for an event that is not in the table, not sealed or
// erased, and [ErrDamaged] when the event or its seal was changed.
func (t *Trail) Prove(ctx context.Context, id audit.ID) (proof string, err error) {
	err = t.sink.Snapshot(ctx, "prove", func(tx *gorm.DB) (err error) {
		proof, err = t.prove(tx, id)
		return err
	})
	if err != nil {
		return "", shown(err)
	}
	if _, err := CheckProof(t.cfg.Root, proof); err != nil {
		return "", err
	}
	return proof, nil
}

func (t *Trail) prove(tx *gorm.DB, id audit.ID) (proof string, err error) {
	var rows []gormsink.Row
	if err := t.sink.Rows(tx, func(r gormsink.Row) { rows = append(rows, r) }, "WHERE id = ?", id.String()); err != nil {
		return "", err
	}
	var places []int64
	if err := tx.Raw("SELECT idx FROM "+t.seals+" WHERE id = ?", id.String()).Scan(&places).Error; err != nil {
		return "", err
	}
	if len(rows) != 1 || rows[0].Err != nil || len(places) != 1 {
		return "", own(ErrNoProof, "event %s is not in the table or not sealed", id)
	}
	idx := places[0]
	var points []point
	query := "SELECT size, note FROM " + t.points + " WHERE size >= (SELECT MAX(size) FROM " + t.points + " WHERE size <= ?) ORDER BY size LIMIT 2"
	if err := tx.Raw(query, idx).Scan(&points).Error; err != nil {
		return "", err
	}
	if len(points) != 2 {
		return "", damaged("there is no checkpoint after event %s", id)
	}
	c, err := openPoint(t.root, points[0])
	if err != nil {
		return "", err
	}
	before := c.tree
	var leaves []tlog.Hash
	var salt []byte
	err = t.leaves(tx, before.size, points[1].Size, func(page []leafRow) error {
		for i := range page {
			leaves = append(leaves, page[i].leaf())
			if page[i].idx == idx {
				salt = page[i].salt
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if salt == nil {
		return "", own(ErrNoProof, "event %s was erased", id)
	}
	path, err := tlog.ProveRecord(points[1].Size, idx, tlog.HashReaderFunc(func(at []int64) (list []tlog.Hash, err error) {
		for _, index := range at {
			level, n := tlog.SplitStoredHashIndex(index)
			h, err := before.perfect(level, n, leaves)
			if err != nil {
				return nil, damaged("the seals before checkpoint %d: %v", points[1].Size, err)
			}
			list = append(list, h)
		}
		return list, nil
	}))
	if err != nil {
		return "", err
	}
	return writeProof(&rows[0], salt, idx, path, points[1].Note)
}

func writeProof(row *gormsink.Row, salt secret, idx int64, path tlog.RecordProof, checkpoint string) (string, error) {
	e := row.Event
	e.Details = audit.Details{}
	about, err := json.Marshal(extra{Event: string(e.AppendJSON(nil)), Details: row.Details.String(), Recorded: row.Recorded.UnixMicro(), Salt: salt})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHead, base64.StdEncoding.EncodeToString(about), idx)
	for _, h := range path {
		fmt.Fprintln(&b, h)
	}
	return b.String() + "\n" + checkpoint, nil
}

// Proved is what a proof proves.
type Proved struct {
	Event    audit.Event
	Recorded time.Time // when it was written
	Sealed   time.Time // by the clock of the process that sealed it
	Index    int64     // its place in the tree
	Size     int64     // of the tree that the checkpoint is about
	// Checkpoint is the signed note, to be compared with what an anchor has.
	Checkpoint string
}

// CheckProof reads a proof of [Trail.Prove] and checks it with the public root key of
// the trail. It needs nothing else. A proof that is none returns [ErrDamaged].
func CheckProof(root, proof string) (Proved, error) {
	v, err := note.NewVerifier(root)
	if err != nil {
		return Proved{}, fmt.Errorf("seal: %w: the root key: %w", audit.ErrInvalid, err)
	}
	head, signed, _ := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != proofHead {
		return Proved{}, damaged("no proof of an event")
	}
	c, err := openCheckpoint(v, signed)
	if err != nil {
		return Proved{}, err
	}
	about, err := unbase64(lines[1], "extra ")
	if err != nil {
		return Proved{}, err
	}
	idx, err := number(lines[2], "index ")
	if err != nil {
		return Proved{}, err
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Proved{}, damaged("a hash of a proof")
		}
		path = append(path, h)
	}
	var x extra
	var e audit.Event
	if json.Unmarshal(about, &x) != nil || json.Unmarshal([]byte(x.Event), &e) != nil {
		return Proved{}, damaged("the event of a proof")
	}
	if e.Details, err = audit.ParseDetails(x.Details); err != nil {
		return Proved{}, damaged("the details of a proof")
	}
	leaf := entry{ID: e.ID, Occurred: e.Time.UnixMicro(), Recorded: x.Recorded, Type: e.Type, Tenant: e.Tenant, Hash: secret(x.Salt).hashText([]byte(x.Event), x.Details)}
	if isNote(e.Type) {
		leaf.Scope = x.Details
	}
	if idx >= c.tree.size || tlog.CheckRecord(path, c.tree.size, c.tree.root(), idx, leaf.leaf()) != nil {
		return Proved{}, damaged("the event is not the one that was sealed")
	}
	return Proved{Event: e, Recorded: micro(x.Recorded), Sealed: c.at, Index: idx, Size: c.tree.size, Checkpoint: signed}, nil
}
