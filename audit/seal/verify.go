// SPDX-License-Identifier: MIT

package seal

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// Verify compares the table with the seals, the seals with the checkpoints, and those
// with the anchors, while others write, seal, purge and erase. A finding is no
// error: look at [Report.Findings]. An error means that the database or the anchors
// could not be read.
//
// It is one transaction that reads a snapshot: the seals twice and each row once, in
// pages of 2000. Memory does not grow with the number of events, but takes about 100
// bytes for each anchor.
func (t *Trail) Verify(ctx context.Context) (Report, error) {
	report := Report{}
	bad := func(why string) { report.damage(0, 0, "%s", why) }
	anchors, err := t.anchors(ctx, bad) // before the seals, which have at least these
	if err != nil {
		return report, err
	}
	err = t.sink.Snapshot(ctx, "verify", func(tx *gorm.DB) error {
		w := &walk{trail: t, tx: tx, report: &report, anchors: anchors, trusted: make(purges), doubtful: make(purges)}
		if err := w.run(); err != nil {
			return err
		}
		v := &verification{walk: w, spans: w.distrust.merged(), notes: make(map[audit.ID]string)}
		if err := v.readUnsealed(); err != nil {
			return err
		}
		if err := v.readNotes(); err != nil {
			return err
		}
		return t.leaves(tx, 0, w.good.tree.size, v.judgePage)
	})
	if err == nil {
		t.count(func(s *Stats) { s.LastVerify, s.LastFindings = time.Now(), report.Findings() })
	}
	return report, err
}

// verification is the second pass: it compares the rows with the seals.
type verification struct {
	*walk
	spans spans               // merged
	notes map[audit.ID]string // details of the notes that are not sealed, or whose seals are damaged
}

// readUnsealed counts the events without a seal.
func (v *verification) readUnsealed() error {
	rows, err := v.tx.Raw("SELECT id, recorded_at FROM " + v.trail.sink.Table() + " WHERE " + v.trail.unsealed()).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	r := v.report
	for rows.Next() {
		var text string
		var at any
		if err := rows.Scan(&text, &at); err != nil {
			return err
		}
		recorded := microsOf(at)
		id, _ := audit.ParseID(text)
		switch {
		case recorded >= v.good.horizon:
			if r.Unsealed++; r.OldestUnsealed.IsZero() || recorded < r.OldestUnsealed.UnixMicro() {
				r.OldestUnsealed = micro(recorded)
			}
		case v.distrust.window(recorded):
			r.Unjudged++
		default:
			r.Inserted.add(id)
		}
	}
	return rows.Err()
}

// readNotes reads the notes that are not sealed yet, or whose seals are damaged. They
// explain nothing for good.
func (v *verification) readNotes() error {
	for i, s := range append(spans{{}}, v.spans...) {
		where, args := v.trail.unsealed(), []any{}
		if i > 0 {
			where, args = "id IN (SELECT id FROM "+v.trail.seals+" WHERE idx >= ? AND idx < ?)", []any{s.from, s.to}
		}
		read := func(r gormsink.Row) {
			if at := r.Recorded.UnixMicro(); i == 0 && at < v.good.horizon && !v.distrust.window(at) {
				return // it was inserted
			}
			v.notes[r.ID] = r.Details.String()
			if r.Type == gormsink.TypePurged {
				v.doubtful.add(unsealed, r.Details.String())
			}
		}
		args = append([]any{[]string{gormsink.TypePurged, gormsink.TypeErased}}, args...)
		if err := v.trail.sink.Rows(v.tx, read, "WHERE type IN ? AND "+where, args...); err != nil {
			return err
		}
	}
	return nil
}

// judgePage judges the events of a page of seals.
func (v *verification) judgePage(page []leafRow) error {
	var notes []string
	for i := range page {
		if e, ok := parseErasure(page[i].ID, page[i].erased); ok {
			notes = append(notes, e.note.String())
		}
	}
	rows := make(map[audit.ID]*gormsink.Row, len(page))
	err := v.trail.sink.Rows(v.tx, func(r gormsink.Row) { rows[r.ID] = &r },
		"WHERE id IN (SELECT id FROM "+v.trail.seals+" WHERE idx >= ? AND idx <= ?)", page[0].idx, page[len(page)-1].idx)
	if err != nil {
		return err
	}
	scopes, err := v.scopes(notes)
	if err != nil {
		return err
	}
	for i := range page {
		l := &page[i]
		if v.spans.has(l.idx) {
			v.report.Unjudged++
			continue
		}
		v.judge(l, rows[l.ID], scopes)
	}
	return nil
}

// scope is what the seal of a note has.
type scope struct {
	Idx     int64
	ID      string
	Scope   string
	trusted bool
}

// scopes reads the seals of notes.
func (v *verification) scopes(notes []string) (map[audit.ID]scope, error) {
	found := make(map[audit.ID]scope)
	for len(notes) > 0 {
		n := min(len(notes), rowsOnce)
		var list []scope
		if err := v.tx.Raw("SELECT idx, id, scope FROM "+v.trail.seals+" WHERE type = ? AND id IN ?", gormsink.TypeErased, notes[:n]).Scan(&list).Error; err != nil {
			return nil, err
		}
		for _, s := range list {
			id, _ := audit.ParseID(s.ID)
			s.trusted = s.Idx < v.good.tree.size && !v.spans.has(s.Idx)
			found[id] = s
		}
		notes = notes[n:]
	}
	return found, nil
}

// judge counts an event.
func (v *verification) judge(l *leafRow, row *gormsink.Row, scopes map[audit.ID]scope) {
	r := v.report
	salt, hash, sure := secret(l.salt), l.Hash, true
	erased := l.salt == nil
	if erased || l.erased != nil {
		e, ok := parseErasure(l.ID, l.erased)
		note, noted := scopes[e.note]
		if details, ok := v.notes[e.note]; ok {
			note, noted = scope{Idx: unsealed, Scope: details}, true
		}
		sure = note.trusted
		switch {
		case !ok || !erased || !noted || note.Idx <= l.idx:
			r.damage(l.idx, l.idx+1, "the seal has neither its salt nor an erasure with a note")
			return
		case !e.noted(note.Scope) && sure:
			r.damage(l.idx, l.idx+1, "the erasure is not the one of its note")
			return
		case !e.noted(note.Scope):
			r.Pending++
			return
		}
		salt, hash = e.salt, e.hash
	}
	if !bytes.HasPrefix(hash, salt.proof()) {
		r.damage(l.idx, l.idx+1, "the salt is another one")
		return
	}
	switch {
	case row == nil && v.trusted.allow(l.idx, &l.entry):
		r.Purged++
	case row == nil && v.doubtful.allow(l.idx, &l.entry):
		r.Pending++
	case row == nil:
		r.Removed.add(l.ID)
	case row.Err != nil || !same(l, row) || !bytes.Equal(hash, salt.hash(row.Event)):
		r.Changed.add(l.ID)
	case !sure:
		r.Pending++
	case erased:
		r.Erased++
	default:
		r.Intact++
	}
}

func same(l *leafRow, row *gormsink.Row) bool {
	return l.Occurred == row.Time.UnixMicro() && l.Recorded == row.Recorded.UnixMicro() && l.Type == row.Type && l.Tenant == row.Tenant
}

// microsOf reads a column of time.
func microsOf(v any) int64 {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMicro()
	case int64:
		return v
	case []byte:
		n, _ := strconv.ParseInt(string(v), 10, 64)
		return n
	}
	return 0
}
