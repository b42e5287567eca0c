// SPDX-License-Identifier: MIT

package seal

import (
	"database/sql"
	"maps"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// leafRow is a row of the table of seals.
type leafRow struct {
	entry
	idx          int64
	text         string // of the id
	salt, erased []byte
}

// everything is the end of all seals, also of one with a place that is no number.
const everything = math.MaxInt64

// leaves calls do for the seals from a place on and before another one, page by page.
func (t *Trail) leaves(tx *gorm.DB, from, to int64, do func([]leafRow) error) error {
	for from < to {
		page, err := t.page(tx, from, to)
		if err != nil {
			return err
		}
		if len(page) > 0 {
			if err := do(page); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
		from = after(page[len(page)-1].idx)
	}
	return nil
}

// after is the place after another one, if there is any.
func after(place int64) int64 { return min(place, math.MaxInt64-1) + 1 }

func (t *Trail) page(tx *gorm.DB, from, to int64) (page []leafRow, err error) {
	where, args := " WHERE idx >= ?", []any{from}
	if to != everything {
		where, args = where+" AND idx < ?", append(args, to)
	}
	rows, err := tx.Raw("SELECT idx, id, occurred, recorded, type, tenant, scope, hash, salt, erased FROM "+t.seals+where+" ORDER BY idx LIMIT ?", append(args, pageRows)...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r leafRow
		var scope sql.NullString
		if err := rows.Scan(&r.idx, &r.text, &r.Occurred, &r.Recorded, &r.Type, &r.Tenant, &scope, &r.Hash, &r.salt, &r.erased); err != nil {
			return nil, err
		}
		r.Scope = scope.String
		r.ID, _ = audit.ParseID(r.text) // another id is another leaf
		page = append(page, r)
	}
	return page, rows.Err()
}

// walk is the first pass of Verify: it builds the tree anew from the seals, and
// compares it with the checkpoints and the anchors.
type walk struct {
	trail   *Trail
	tx      *gorm.DB
	report  *Report
	anchors map[int64]tlog.Hash

	tree     frontier
	broken   string     // why the tree cannot be built until the next good checkpoint
	good     checkpoint // the last one that could be read
	anchored int64      // the last one that the anchor has, too
	last     int64      // the size of the last one, good or not
	end      int64      // where the seals that were read end
	fresh    []leafRow  // notes since the last good checkpoint

	distrust spans
	trusted  purges
	doubtful purges // notes in damaged parts, or not sealed
}

func (w *walk) run() error {
	points := w.points()
	err := w.trail.leaves(w.tx, math.MinInt64, everything, func(page []leafRow) error {
		for i := range page {
			l := &page[i]
			if err := points.before(l.idx, w.check); err != nil {
				return err
			}
			w.add(l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := points.before(math.MaxInt64, w.check); err != nil {
		return err
	}
	if w.end > w.good.tree.size {
		w.report.damage(w.good.tree.size, w.end, "there is no good checkpoint after these seals")
		w.distrusted(w.good.tree.size, w.end, w.good.horizon, math.MaxInt64)
	}
	for _, size := range slices.Sorted(maps.Keys(w.anchors)) {
		if size > w.good.tree.size {
			w.report.damage(w.good.tree.size, size, "the seals up to checkpoint %d, which the anchor has, were cut off", size)
		} else {
			w.report.damage(size, size, "checkpoint %d, which the anchor has, is gone", size)
		}
	}
	w.report.Size = w.good.tree.size
	return nil
}

// add appends a seal to the tree.
func (w *walk) add(l *leafRow) {
	switch {
	case w.broken != "":
	case l.idx != w.tree.size:
		w.broken = "a seal is missing or too many"
	case l.ID.String() != l.text:
		w.broken = "an id that is none"
	default:
		w.tree.add(l.leaf())
	}
	w.end = after(l.idx)
	if isNote(l.Type) {
		w.fresh = append(w.fresh, *l)
	}
}

// check compares the tree with a checkpoint. The tree after a damaged part is that of
// the next good checkpoint.
func (w *walk) check(p point) {
	c, err := openPoint(w.trail.root, p)
	before := w.last
	w.last = p.Size
	if err != nil {
		w.report.damage(p.Size, p.Size, "checkpoint %d: %v", p.Size, err)
		return
	}
	if c.previous != before {
		w.report.damage(min(c.previous, before), p.Size, "a checkpoint before %d is gone or too many", p.Size)
	}
	from := w.good.tree.size
	if w.broken == "" && (w.tree.size != p.Size || w.tree.root() != c.tree.root()) {
		w.broken = "the seals do not have the root of the checkpoint"
	}
	if w.broken != "" {
		w.report.damage(from, p.Size, "checkpoint %d: %s", p.Size, w.broken)
		w.distrusted(from, p.Size, w.good.horizon, c.at.Add(w.trail.cfg.Grace).UnixMicro())
		w.broken, w.tree = "", c.tree.clone()
	}
	w.settle(w.trusted, false)
	w.good = c
	if said, ok := w.anchors[p.Size]; ok {
		delete(w.anchors, p.Size)
		if said != c.said() {
			w.report.damage(w.anchored, p.Size, "checkpoint %d is not the one that the anchor has", p.Size)
			w.distrusted(w.anchored, p.Size, 0, c.at.Add(w.trail.cfg.Grace).UnixMicro())
		}
		w.anchored = p.Size
	}
}

// distrusted notes a part that proves nothing.
func (w *walk) distrusted(from, to, since, until int64) {
	w.distrust = append(w.distrust, span{from, to, since, until})
	w.settle(w.doubtful, true)
}

// settle files the notes since the last good checkpoint. The place of a damaged one
// says nothing.
func (w *walk) settle(as purges, anywhere bool) {
	for _, l := range w.fresh {
		if anywhere {
			l.idx = unsealed
		}
		if l.Type == gormsink.TypePurged {
			as.add(l.idx, l.Scope)
		}
	}
	w.fresh = w.fresh[:0]
}

// pointReader reads the checkpoints in the order of their sizes.
type pointReader struct {
	walk *walk
	page []point
	next int64
	done bool
}

func (w *walk) points() *pointReader { return &pointReader{walk: w, next: math.MinInt64} }

// before calls do for the checkpoints that end at a place or before.
func (r *pointReader) before(idx int64, do func(point)) error {
	for {
		if len(r.page) == 0 && !r.done {
			first := r.next == math.MinInt64
			if err := r.walk.tx.Raw("SELECT size, note FROM "+r.walk.trail.points+" WHERE size >= ? ORDER BY size LIMIT ?", r.next, rowsOnce).Scan(&r.page).Error; err != nil {
				return err
			}
			if len(r.page) > 0 {
				r.next = after(r.page[len(r.page)-1].Size)
			}
			r.done = len(r.page) < rowsOnce || r.next == math.MaxInt64
			if first {
				if len(r.page) > 0 && r.page[0] == (point{}) {
					r.page = r.page[1:]
				} else {
					r.walk.report.damage(0, 0, "the first row of the checkpoints is gone")
				}
			}
		}
		if len(r.page) == 0 || r.page[0].Size > idx {
			return nil
		}
		do(r.page[0])
		r.page = r.page[1:]
	}
}
