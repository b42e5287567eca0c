// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// TypeAnchor is the type of the events for [Config.Anchor]. The resource's ID is the
// origin; the details have the checkpoint, a signed note.
const TypeAnchor = "audit.checkpoint"

const (
	pageRows = 2000             // the most events of a checkpoint
	rowsOnce = 500              // ids in one statement
	seldom   = 10               // of Grace: how often all of it is looked at
	lately   = 10 * time.Second // what is looked at otherwise
)

// Seal appends the events that have no seal to the tree, with a signed checkpoint for
// each 2000 of them, and gives the newest checkpoint to the anchor. It returns how
// many events this call has sealed, also with an error.
//
// Several processes may seal at the same time: each checkpoint is one transaction,
// and of two that begin at the same size one is undone and begins again. Rows that
// cannot be read are left out. An error of the anchor does not keep events from
// being sealed; the next call tries again. When the newest checkpoint is damaged or
// gone, Seal returns [ErrDamaged] and appends nothing.
func (t *Trail) Seal(ctx context.Context) (sealed int, err error) {
	if t.cfg.Certify == nil {
		return 0, fmt.Errorf("seal: %w: without Config.Certify nothing can be sealed", audit.ErrInvalid)
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if t.key == nil || !time.Now().Before(t.key.renew) {
		k, err := newKey(ctx, t.root, t.cfg.Certify)
		switch {
		case err == nil:
			t.key = k
		case t.key == nil || !time.Now().Before(t.key.until):
			return 0, err
		}
	}
	began := time.Now()
	whole := began.Sub(t.whole) > t.cfg.Grace/seldom
	var anchored error
	for full := true; full; {
		h, err := t.head(ctx)
		if err != nil {
			return sealed, err
		}
		var rows []gormsink.Row
		rows, full, err = t.unsealed(ctx, h, whole)
		if err != nil {
			return sealed, err
		}
		if len(rows) > 0 {
			won, err := t.append(ctx, &h, rows)
			if err != nil {
				return sealed, err
			}
			if !won {
				full = true
				if err := pause(ctx); err != nil {
					return sealed, err
				}
				continue
			}
			sealed += len(rows)
			t.count(func(s *Stats) { s.Sealed += uint64(len(rows)) })
		}
		anchored = t.anchor(ctx, h.checkpoint)
	}
	if whole {
		t.whole = began
	}
	if anchored == nil {
		t.count(func(s *Stats) { s.LastSeal = time.Now() })
	}
	return sealed, anchored
}

// depth is how far the horizon is behind what is sealed: Grace, and the time until all
// of it is looked at again.
func (t *Trail) depth() time.Duration { return t.cfg.Grace + 2*t.cfg.Grace/seldom }

// pause lets another process go first.
func pause(ctx context.Context) error {
	timer := time.NewTimer(rand.N(50 * time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// head is where the next checkpoint begins.
type head struct {
	checkpoint
	turn int64 // changes with each seal, purge and erasure
}

// head reads the newest checkpoint. The signature is checked, so that no damaged
// tree is continued; so is that the tree has only grown.
func (t *Trail) head(ctx context.Context) (h head, err error) {
	var points []struct {
		Size int64
		Note string
		Turn int64
	}
	err = t.sink.Snapshot(ctx, "seal: newest checkpoint", func(tx *gorm.DB) error {
		return tx.Raw("SELECT size, note, turn FROM " + t.points + " WHERE size = 0 OR size = (SELECT MAX(size) FROM " + t.points + ") ORDER BY size").Scan(&points).Error
	})
	if err != nil {
		return h, err
	}
	if len(points) == 0 || points[0].Size != 0 {
		return h, damaged("the first row of %s is not there; has Migrate run?", t.points)
	}
	if len(points) == 2 && points[1].Size == t.seen.tree.size && points[1].Note == t.seen.text {
		h.checkpoint = t.seen
	} else if len(points) == 2 {
		if h.checkpoint, err = openCheckpoint(t.root, points[1].Note); err == nil && h.tree.size != points[1].Size {
			err = damaged("checkpoint %d has the place of %d", h.tree.size, points[1].Size)
		}
		if err != nil {
			return h, err
		}
	}
	if h.tree.size <= t.seen.tree.size && h.text != t.seen.text {
		return h, damaged("checkpoint %d is gone", t.seen.tree.size)
	}
	t.seen = h.checkpoint
	h.turn = points[0].Turn
	h.tree = h.tree.clone()
	return h, nil
}

// unsealed reads the next page of events without a seal, in the order of their
// writing. What is older than the horizon is left out for ever, so that an event
// that claims to be old is not sealed as if it had always been there.
func (t *Trail) unsealed(ctx context.Context, h head, whole bool) (page []gormsink.Row, full bool, err error) {
	from := micro(h.horizon)
	if recent := from.Add(t.depth() - lately); !whole && recent.After(from) && h.horizon > 0 {
		from = recent
	}
	err = t.sink.Snapshot(ctx, "seal: events without a seal", func(tx *gorm.DB) error {
		page = page[:0]
		where, args := "a.recorded_at >= ?", []any{moment(tx, from)}
		for len(page) == 0 {
			var texts []string
			query := "SELECT a.id FROM " + t.sink.Table() + " a LEFT JOIN " + t.seals + " s ON s.id = a.id WHERE s.id IS NULL AND " + where + " ORDER BY a.recorded_at, a.id LIMIT ?"
			if err := tx.Raw(query, append(args, pageRows)...).Scan(&texts).Error; err != nil {
				return err
			}
			full = len(texts) == pageRows
			rows, err := t.rows(tx, texts)
			if err != nil {
				return err
			}
			for _, text := range texts {
				if r, ok := rows[text]; ok && r.Err == nil {
					page = append(page, r)
				}
			}
			if !full {
				break
			}
			last := texts[len(texts)-1] // after a page of which nothing can be read
			at := moment(tx, rows[last].Recorded)
			where, args = "(a.recorded_at > ? OR a.recorded_at = ? AND a.id > ?)", []any{at, at, last}
		}
		return nil
	})
	return page, full, err
}

// moment is a time as the column recorded_at has it.
func moment(tx *gorm.DB, at time.Time) any {
	if tx.Dialector.Name() == "postgres" {
		return at
	}
	return at.UnixMicro()
}

// rows reads rows by the texts of their ids.
func (t *Trail) rows(tx *gorm.DB, texts []string) (map[string]gormsink.Row, error) {
	found := make(map[string]gormsink.Row, len(texts))
	for len(texts) > 0 {
		n := min(len(texts), rowsOnce)
		ids := make([]audit.ID, n)
		for i := range ids {
			ids[i], _ = audit.ParseID(texts[i]) // an id that is none finds nothing
		}
		rows, err := t.sink.Rows(tx, ids)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[r.ID.String()] = r
		}
		texts = texts[n:]
	}
	return found, nil
}

var errLost = errors.New("seal: another process was first")

// append seals the rows. It reports whether that succeeded, or the table has changed
// since h was read: another process has sealed, or rows were purged or erased.
func (t *Trail) append(ctx context.Context, h *head, rows []gormsink.Row) (won bool, err error) {
	next := checkpoint{tree: h.tree.clone(), previous: h.tree.size, at: time.Now(), horizon: h.horizon}
	var args []any
	for i := range rows {
		s := newSecret()
		e := newEntry(&rows[i], s)
		args = append(args, next.tree.size, e.ID.String(), e.Occurred, e.Recorded, e.Type, e.Tenant, e.Scope, e.Hash, []byte(s))
		next.tree.add(e.leaf())
	}
	newest := rows[len(rows)-1].Recorded
	if newest.After(next.at) {
		newest = next.at
	}
	next.horizon = max(h.horizon, newest.Add(-t.depth()).UnixMicro())
	if err := next.sign(t.key); err != nil {
		return false, fmt.Errorf("seal: sign: %w", err)
	}
	if _, err := openCheckpoint(t.root, next.text); err != nil {
		return false, err // the clocks of this process and of the certificate differ
	}
	err = t.sink.Change(ctx, "seal", func(tx *gorm.DB) error {
		turned := tx.Exec("UPDATE "+t.points+" SET turn = turn + 1 WHERE size = 0 AND turn = ?", h.turn)
		if turned.Error != nil {
			return turned.Error
		}
		if turned.RowsAffected != 1 {
			return errLost
		}
		if err := insertSeals(tx, t.seals, args); err != nil {
			return err
		}
		return tx.Exec("INSERT INTO "+t.points+" (size, note, turn) VALUES (?, ?, 0)", next.tree.size, next.text).Error
	})
	if errors.Is(err, errLost) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h.checkpoint, t.seen = next, next
	return true, nil
}

// insertSeals inserts rows in statements of a power of two, so that there are few
// different ones to prepare.
func insertSeals(tx *gorm.DB, table string, args []any) error {
	const columns = 9
	row := "(" + strings.Repeat("?,", columns-1) + "?)"
	for n := 128; len(args) > 0; {
		for n*columns > len(args) {
			n /= 2
		}
		err := tx.Exec("INSERT INTO "+table+" (idx, id, occurred, recorded, type, tenant, scope, hash, salt) VALUES "+strings.Repeat(row+",", n-1)+row, args[:n*columns]...).Error
		if err != nil {
			return err
		}
		args = args[n*columns:]
	}
	return nil
}

// anchor gives the anchor a checkpoint that it does not have yet.
func (t *Trail) anchor(ctx context.Context, c checkpoint) error {
	if t.cfg.Anchor == nil || c.tree.size == t.mirror {
		return nil
	}
	e := audit.Event{
		ID: audit.DerivedID(c.at, c.text), Time: c.at, Type: TypeAnchor, Outcome: audit.Success,
		Resource: audit.Entity{Type: "audit", ID: c.origin}, Details: audit.Fields(slog.String("checkpoint", c.text)),
	}
	if err := audit.Direct(t.cfg.Anchor).Record(ctx, e); err != nil {
		return fmt.Errorf("seal: the anchor: %w", err)
	}
	t.mirror = c.tree.size
	return nil
}

// anchors reads what the anchor has: roots by size.
func (t *Trail) anchors(ctx context.Context, bad func(why string)) (map[int64]tlog.Hash, error) {
	roots := make(map[int64]tlog.Hash)
	if t.cfg.Anchors == nil {
		return roots, nil
	}
	for e, err := range t.cfg.Anchors(ctx) {
		if _, unreadable := errors.AsType[*gormsink.RowError](err); unreadable {
			bad("an anchor cannot be read")
			continue
		} else if err != nil {
			return nil, fmt.Errorf("seal: the anchors: %w", err)
		}
		if e.Type != TypeAnchor || e.Resource.ID != t.root.Name() {
			continue
		}
		text, _ := e.Details.Get("checkpoint")
		note, _ := text.(string)
		c, err := openCheckpoint(t.root, note)
		if err != nil {
			bad("an anchor: " + err.Error())
			continue
		}
		if root, ok := roots[c.tree.size]; ok && root != c.tree.root() {
			bad(fmt.Sprintf("two anchors of size %d differ", c.tree.size))
		}
		roots[c.tree.size] = c.tree.root()
	}
	return roots, nil
}
