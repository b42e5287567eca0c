// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"strconv"
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
	sealRows = 8000            // the most events of a checkpoint
	pageRows = 2000            // read at once by Verify
	rowsOnce = 500             // ids or checkpoints in one statement
	seldom   = 10              // of Grace: how often all of it is looked at
	lately   = 2 * time.Second // what a call looks at otherwise
)

// Seal appends the events that have no seal to the tree, with a signed checkpoint for
// each 8000 of them, and gives the newest checkpoint to the anchor. It returns how
// many events this call has sealed, also with an error.
//
// Several processes may seal at the same time: they take turns, each for one checkpoint
// in one transaction, and two checkpoints of one size are impossible, since the size
// is the key. Purge and Erase wait for the turn, too. Rows that cannot be read are left
// out. An error of the anchor, or of Certify while there is a good certificate, does
// not keep events from being sealed; the next call tries again. When the newest
// checkpoint is damaged or gone, Seal returns [ErrDamaged] and appends nothing.
func (t *Trail) Seal(ctx context.Context) (sealed int, err error) { return t.seal(ctx, 0) }

// seal leaves the work to others when the newest checkpoint is younger than recent.
func (t *Trail) seal(ctx context.Context, recent time.Duration) (sealed int, err error) {
	if t.cfg.Certify == nil {
		return 0, fmt.Errorf("seal: %w: without Config.Certify nothing can be sealed", audit.ErrInvalid)
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	var renewal error
	if t.key == nil || !time.Now().Before(t.key.renew) {
		var k *key
		if k, renewal = newKey(ctx, t.root, t.cfg.Certify); renewal == nil {
			t.key = k
		} else if t.key == nil || !time.Now().Before(t.key.until) {
			return 0, renewal
		}
	}
	began := time.Now()
	whole := began.Sub(t.whole) > t.cfg.Grace/seldom
	var anchored error
	var after time.Time
	for full := true; full; {
		var n int
		var c checkpoint
		if n, full, after, c, err = t.sealPage(ctx, began, whole, after, recent); err != nil {
			return sealed, err
		}
		recent = 0
		sealed += n
		t.count(func(s *Stats) { s.Sealed += uint64(n) })
		anchored = t.anchor(ctx, c)
	}
	if anchored == nil {
		t.count(func(s *Stats) { s.LastSeal = time.Now() })
	}
	return sealed, errors.Join(renewal, anchored)
}

// depth is how far the horizon is behind what is sealed: Grace, and the time until all
// of it is looked at again.
func (t *Trail) depth() time.Duration { return t.cfg.Grace + t.cfg.Grace/seldom*2 }

// back is how far a look goes back that is not at the whole. In the background that is
// a tenth of Every, each second time twice that, each fourth time four times that, and
// so on: what was committed late waits for about ten times as long as it was late, and
// few events are looked at again and again.
func (t *Trail) back(recent time.Duration) time.Duration {
	if recent == 0 {
		return lately
	}
	t.looks++
	return t.cfg.Every / 10 << min(bits.TrailingZeros(t.looks), 10)
}

// sealPage seals the next page in a transaction. It has the only turn from before it
// reads until it has committed, so that no other process seals, and none purges or
// erases what was read. It returns the newest checkpoint, and how far it has come.
func (t *Trail) sealPage(ctx context.Context, began time.Time, whole bool, after time.Time, recent time.Duration) (n int, full bool, last time.Time, c checkpoint, err error) {
	err = t.sink.Change(ctx, "seal", func(tx *gorm.DB) (err error) {
		if err = takeTurn(tx, t.points); err != nil {
			return err
		}
		if c, err = t.newest(tx); err != nil {
			return err
		}
		if age := time.Since(c.at); age >= 0 && age < recent {
			whole = false
			return nil
		}
		from := micro(c.horizon)
		if !whole && c.horizon > 0 {
			from = latest(from, from.Add(t.depth()-t.back(recent)))
		}
		from = latest(from, after)
		// What is older than the horizon is left out for ever, so that an event that
		// claims to be old is not sealed as if it had always been there.
		// A look into an index for each row: a join may read all seals there are.
		unsealed := "WHERE recorded_at >= ? AND (SELECT s.id FROM " + t.seals + " s WHERE s.id = " + t.sink.Table() + ".id) IS NULL ORDER BY recorded_at, id LIMIT ?"
		next, read := c.successor(), 0
		err = t.sink.Rows(tx, func(r gormsink.Row) {
			read, last = read+1, r.Recorded
			if r.Err == nil {
				next.add(&r)
			}
		}, unsealed, moment(tx, from), sealRows)
		if err != nil {
			return err
		}
		full = read == sealRows
		if n = int(next.tree.size - c.tree.size); n > 0 {
			return t.store(tx, &c, next)
		}
		full = full && !last.Before(from) // when nothing can be read, not even the last time, nothing follows
		last = last.Add(time.Microsecond)
		return nil
	})
	if err != nil {
		return 0, false, last, c, shown(err)
	}
	if t.seen = c; whole && !full {
		t.whole = began
	}
	return n, full, last, c, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// unsealed is the condition for events without a seal.
func (t *Trail) unsealed() string {
	return "NOT EXISTS (SELECT 1 FROM " + t.seals + " s WHERE s.id = " + t.sink.Table() + ".id)"
}

// takeTurn waits until no other transaction seals, purges or erases.
func takeTurn(tx *gorm.DB, points string) error {
	turned := tx.Exec("UPDATE " + points + " SET turn = turn + 1 WHERE size = 0")
	if turned.Error == nil && turned.RowsAffected != 1 {
		return damaged("the first row of %s is not there; has Migrate run?", points)
	}
	return turned.Error
}

// newest reads the newest checkpoint. The signature is checked, so that no damaged
// tree is continued; so is that the tree has only grown.
func (t *Trail) newest(tx *gorm.DB) (c checkpoint, err error) {
	var points []point
	if err := tx.Raw("SELECT size, note FROM " + t.points + " ORDER BY size DESC LIMIT 1").Scan(&points).Error; err != nil || len(points) == 0 {
		return c, err
	}
	p := points[0]
	switch {
	case p.Size == t.seen.tree.size && p.Note == t.seen.text:
		return t.seen, nil
	case p.Size < t.seen.tree.size:
		return c, damaged("checkpoint %d is gone", t.seen.tree.size)
	}
	if c, err = openPoint(t.root, p); err == nil && p.Size == t.seen.tree.size && c.said() != t.seen.said() {
		err = damaged("checkpoint %d is another one", p.Size) // more signatures are of witnesses
	}
	return c, err
}

// moment is a time as the column recorded_at has it.
func moment(tx *gorm.DB, at time.Time) any {
	if tx.Dialector.Name() == "postgres" {
		return at
	}
	return at.UnixMicro()
}

// page is the next checkpoint, with what the table of seals gets for it.
type page struct {
	checkpoint
	args   []any
	newest time.Time // when the last event was written
}

func (c *checkpoint) successor() *page {
	return &page{checkpoint: checkpoint{tree: c.tree.clone(), previous: c.tree.size}}
}

func (p *page) add(r *gormsink.Row) {
	s := newSecret()
	e := newEntry(r, s)
	p.args = append(p.args, p.tree.size, e.ID.String(), e.Occurred, e.Recorded, e.Type, e.Tenant, e.Scope, e.Hash, []byte(s))
	p.tree.add(e.leaf())
	p.newest = r.Recorded
}

// store signs and stores a page, which then is the newest checkpoint.
func (t *Trail) store(tx *gorm.DB, c *checkpoint, next *page) error {
	next.at = time.Now()
	if next.newest.After(next.at) {
		next.newest = next.at
	}
	next.horizon = max(c.horizon, next.newest.Add(-t.depth()).UnixMicro())
	if err := next.sign(t.key); err != nil {
		return ownError{fmt.Errorf("seal: sign: %w", err)}
	}
	if _, err := openCheckpoint(t.root, next.text); err != nil {
		return err // the clocks of this process and of the certificate differ
	}
	if err := insertSeals(tx, t.seals, next.args); err != nil {
		return err
	}
	*c = next.checkpoint
	return tx.Exec("INSERT INTO "+t.points+" (size, note, turn) VALUES (?, ?, 0)", next.tree.size, next.text).Error
}

const sealColumns = 9

// insertSeals inserts rows: in PostgreSQL by one statement with an array for each
// column, otherwise by statements of a power of two of rows, so that there are few
// different ones to prepare.
func insertSeals(tx *gorm.DB, table string, args []any) error {
	insert := "INSERT INTO " + table + " (idx, id, occurred, recorded, type, tenant, scope, hash, salt) "
	if tx.Dialector.Name() == "postgres" {
		arrays := make([]any, sealColumns)
		for i := range arrays {
			arrays[i] = array(args[i:])
		}
		return tx.Exec(insert+"SELECT * FROM unnest(?::bigint[], ?::uuid[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bytea[], ?::bytea[])", arrays...).Error
	}
	row := "(" + strings.Repeat("?,", sealColumns-1) + "?)"
	for n := 128; len(args) > 0; args = args[n*sealColumns:] {
		for n*sealColumns > len(args) {
			n /= 2
		}
		if err := tx.Exec(insert+"VALUES "+strings.Repeat(row+",", n-1)+row, args[:n*sealColumns]...).Error; err != nil {
			return err
		}
	}
	return nil
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// array is the literal of a column, as text, which every driver can send.
func array(args []any) string {
	b := []byte{'{'}
	for i := 0; i < len(args); i += sealColumns {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := args[i].(type) {
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case string:
			b = append(append(append(b, '"'), escape.Replace(v)...), '"')
		case []byte:
			b = append(hex.AppendEncode(append(b, `"\\x`...), v), '"')
		}
	}
	return string(append(b, '}'))
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

// anchors reads what the anchor has: what checkpoints say, by size.
func (t *Trail) anchors(ctx context.Context, bad func(why string)) (map[int64]tlog.Hash, error) {
	said := make(map[int64]tlog.Hash)
	if t.cfg.Anchors == nil {
		return said, nil
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
		if before, ok := said[c.tree.size]; ok && before != c.said() {
			bad(fmt.Sprintf("two anchors of size %d differ", c.tree.size))
		}
		said[c.tree.size] = c.said()
	}
	return said, nil
}
