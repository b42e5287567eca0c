// SPDX-License-Identifier: MIT

package seal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// expect is what a report must have: exactly these events, and damage at one of the
// places, -1 for anywhere.
type expect struct {
	changed, removed, inserted []audit.ID
	damaged                    []int64
}

// fits compares a report with what is expected of it.
func (e expect) fits(r Report) bool {
	same := func(got Events, want []audit.ID) bool {
		slices.SortFunc(want, audit.ID.Compare)
		ids := slices.Clone(got.IDs)
		slices.SortFunc(ids, audit.ID.Compare)
		return got.N == int64(len(want)) && slices.Equal(ids, want)
	}
	if !same(r.Changed, e.changed) || !same(r.Removed, e.removed) || !same(r.Inserted, e.inserted) || (len(e.damaged) == 0) != (r.DamagedParts == 0) {
		return false
	}
	for _, place := range e.damaged {
		if !slices.ContainsFunc(r.Damaged, func(d Damage) bool {
			return place < 0 || d.From <= place && (place < d.To || place == d.From)
		}) {
			return false
		}
	}
	return true
}

// one returns a random row of a query, nil when there is none.
func (r *rig) one(query string, args ...any) map[string]any {
	r.Helper()
	list := r.list(query, args...)
	if len(list) == 0 {
		return nil
	}
	return list[r.rand.IntN(len(list))]
}

// list returns the rows of a query, by column.
func (r *rig) list(query string, args ...any) (list []map[string]any) {
	r.Helper()
	rows, err := r.db.Raw(query, args...).Rows()
	must(r, err)
	defer rows.Close()
	names, err := rows.Columns()
	must(r, err)
	for rows.Next() {
		values, places := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		must(r, rows.Scan(places...))
		row := make(map[string]any)
		for i, name := range names {
			row[name] = values[i]
		}
		list = append(list, row)
	}
	must(r, rows.Err())
	return list
}

func id(v any) audit.ID {
	id, err := audit.ParseID(fmt.Sprint(v))
	if err != nil {
		panic(err)
	}
	return id
}

const sealedRows = "SELECT a.*, s.idx FROM lock_audit a JOIN lock_audit_seal s ON s.id = a.id"

// tampering is a way to change a sealed trail. It returns nil when the trail has
// nothing of the kind.
type tampering struct {
	name string
	do   func(r *rig) *expect
}

var tamperings = []tampering{
	{"change a column of a row", func(r *rig) *expect {
		row := r.one(sealedRows)
		columns := []string{"occurred_at", "recorded_at", "type", "outcome", "reason", "actor_type", "actor_id", "actor_name", "resource_type", "resource_id", "resource_name",
			"on_behalf_of_type", "on_behalf_of_id", "on_behalf_of_name", "tenant", "session_id", "correlation_id", "trace_id", "source_address", "user_agent", "stream", "seq", "details"}
		column := columns[r.rand.IntN(len(columns))]
		value := any(fmt.Sprint(row[column], "x"))
		switch column {
		case "occurred_at", "recorded_at":
			value = row[column].(int64) + r.rand.Int64N(2000)*2 - 1999
		case "stream":
			value = []string{audit.NewID().String(), audit.ID{}.String()}[r.rand.IntN(2)]
		case "seq":
			value = r.rand.Int64() * r.rand.Int64N(2)
		case "details":
			value = []any{`{"x":1}`, fmt.Sprint(row[column], " "), fmt.Sprint(row[column], "\n"), "no JSON"}[r.rand.IntN(4)]
			if row[column] == nil {
				value = `{}`
			}
		}
		r.exec("UPDATE lock_audit SET "+column+" = ? WHERE id = ?", value, row["id"])
		return &expect{changed: []audit.ID{id(row["id"])}}
	}},
	{"swap what two rows say", func(r *rig) *expect {
		a, b := r.one(sealedRows+" WHERE a.reason <> ''"), r.one(sealedRows+" WHERE a.reason <> ''")
		if a == nil || a["reason"] == b["reason"] {
			return nil
		}
		r.exec("UPDATE lock_audit SET reason = ? WHERE id = ?", a["reason"], b["id"])
		r.exec("UPDATE lock_audit SET reason = ? WHERE id = ?", b["reason"], a["id"])
		return &expect{changed: []audit.ID{id(a["id"]), id(b["id"])}}
	}},
	{"delete rows", func(r *rig) *expect {
		var gone []audit.ID
		for range 1 + r.rand.IntN(3) {
			row := r.one(sealedRows)
			if r.allowed(row) || slices.Contains(gone, id(row["id"])) {
				continue
			}
			r.exec("DELETE FROM lock_audit WHERE id = ?", row["id"])
			gone = append(gone, id(row["id"]))
		}
		if gone == nil {
			return nil
		}
		return &expect{removed: gone}
	}},
	{"delete a note", func(r *rig) *expect {
		row := r.one(sealedRows+" WHERE a.type IN ?", []string{gormsink.TypePurged, gormsink.TypeErased})
		if row == nil || r.allowed(row) {
			return nil
		}
		r.exec("DELETE FROM lock_audit WHERE id = ?", row["id"])
		return &expect{removed: []audit.ID{id(row["id"])}}
	}},
	{"delete a row that an old, forged note explains", func(r *rig) *expect {
		row := r.one(sealedRows)
		if r.allowed(row) {
			return nil
		}
		r.exec("DELETE FROM lock_audit WHERE id = ?", row["id"])
		forged := r.insert(audit.Event{Type: gormsink.TypePurged, Details: audit.JSON(map[string]any{"before": time.Now().Add(time.Hour).UTC()})})
		return &expect{removed: []audit.ID{id(row["id"])}, inserted: []audit.ID{forged}}
	}},
	{"insert an old row", func(r *rig) *expect {
		return &expect{inserted: []audit.ID{r.insert(audit.Event{Type: "type-0"})}}
	}},
	{"give a row another id", func(r *rig) *expect {
		row := r.one(sealedRows)
		if r.allowed(row) {
			return nil
		}
		r.exec("UPDATE lock_audit SET id = ? WHERE id = ?", audit.NewID().String(), row["id"])
		return &expect{removed: []audit.ID{id(row["id"])}}
	}},
	{"change a column of a seal", func(r *rig) *expect {
		s := r.one("SELECT * FROM lock_audit_seal")
		column := []string{"occurred", "recorded", "type", "tenant", "scope", "hash", "salt", "erased", "id"}[r.rand.IntN(9)]
		value := any(fmt.Sprint(s[column], "x"))
		switch column {
		case "occurred", "recorded":
			value = s[column].(int64) + 1
		case "id":
			value = []any{audit.NewID().String(), strings.ToUpper(fmt.Sprint(s["id"])), "none"}[r.rand.IntN(3)]
		case "hash", "salt", "erased":
			b, _ := s[column].([]byte)
			value = r.flip(b)
		}
		r.exec("UPDATE lock_audit_seal SET "+column+" = ? WHERE idx = ?", value, s["idx"])
		return &expect{damaged: []int64{s["idx"].(int64)}}
	}},
	{"take a seal's salt", func(r *rig) *expect {
		s := r.one("SELECT * FROM lock_audit_seal WHERE salt IS NOT NULL")
		r.exec("UPDATE lock_audit_seal SET salt = NULL WHERE idx = ?", s["idx"])
		return &expect{damaged: []int64{s["idx"].(int64)}}
	}},
	{"take another event's erasure", func(r *rig) *expect {
		from, to := r.one("SELECT * FROM lock_audit_seal WHERE erased IS NOT NULL"), r.one("SELECT * FROM lock_audit_seal WHERE salt IS NOT NULL")
		if from == nil {
			return nil
		}
		r.exec("UPDATE lock_audit_seal SET salt = NULL, erased = ? WHERE idx = ?", from["erased"], to["idx"])
		return &expect{damaged: []int64{to["idx"].(int64)}}
	}},
	{"delete a seal", func(r *rig) *expect {
		s := r.one("SELECT * FROM lock_audit_seal")
		r.exec("DELETE FROM lock_audit_seal WHERE idx = ?", s["idx"])
		return &expect{damaged: []int64{s["idx"].(int64)}}
	}},
	{"swap two seals", func(r *rig) *expect {
		a, b := r.one("SELECT * FROM lock_audit_seal"), r.one("SELECT * FROM lock_audit_seal")
		if a["idx"] == b["idx"] {
			return nil
		}
		r.exec("UPDATE lock_audit_seal SET idx = -1 WHERE idx = ?", a["idx"])
		r.exec("UPDATE lock_audit_seal SET idx = ? WHERE idx = ?", a["idx"], b["idx"])
		r.exec("UPDATE lock_audit_seal SET idx = ? WHERE idx = -1", b["idx"])
		return &expect{damaged: []int64{a["idx"].(int64), b["idx"].(int64)}}
	}},
	{"add a seal", func(r *rig) *expect {
		place := []int64{-7, r.count(r.seals), 1 << 40}[r.rand.IntN(3)]
		r.exec("INSERT INTO lock_audit_seal SELECT ?, ?, occurred, recorded, type, tenant, scope, hash, salt, erased FROM lock_audit_seal LIMIT 1", place, audit.NewID().String())
		return &expect{damaged: []int64{max(place, 0)}}
	}},
	{"change a checkpoint", func(r *rig) *expect {
		c := r.one("SELECT * FROM lock_audit_checkpoint WHERE size > 0")
		r.exec("UPDATE lock_audit_checkpoint SET note = ? WHERE size = ?", string(r.flip([]byte(c["note"].(string)))), c["size"])
		return &expect{damaged: []int64{c["size"].(int64)}}
	}},
	{"put a checkpoint in another place", func(r *rig) *expect {
		c := r.one("SELECT * FROM lock_audit_checkpoint WHERE size > 0")
		to := c["size"].(int64) + 1
		if r.one("SELECT * FROM lock_audit_checkpoint WHERE size = ?", to) != nil {
			return nil
		}
		r.exec("UPDATE lock_audit_checkpoint SET size = ? WHERE size = ?", to, c["size"])
		return &expect{damaged: []int64{to}}
	}},
	{"delete a checkpoint", func(r *rig) *expect {
		c := r.one("SELECT * FROM lock_audit_checkpoint")
		r.exec("DELETE FROM lock_audit_checkpoint WHERE size = ?", c["size"])
		return &expect{damaged: []int64{-1}}
	}},
	{"cut the tail", func(r *rig) *expect {
		c := r.one("SELECT * FROM lock_audit_checkpoint WHERE size < (SELECT MAX(size) FROM lock_audit_checkpoint)")
		withRows := r.rand.IntN(2) == 0
		if withRows {
			r.exec("DELETE FROM lock_audit WHERE id IN (SELECT id FROM lock_audit_seal WHERE idx >= ?)", c["size"])
		}
		r.exec("DELETE FROM lock_audit_seal WHERE idx >= ?", c["size"])
		r.exec("DELETE FROM lock_audit_checkpoint WHERE size > ?", c["size"])
		var removed []audit.ID // notes were cut off, too
		for _, row := range r.list("SELECT s.idx, s.id, s.occurred AS occurred_at, s.type, s.tenant, s.erased FROM lock_audit_seal s LEFT JOIN lock_audit a ON a.id = s.id WHERE a.id IS NULL") {
			erased, _ := row["erased"].([]byte)
			e, ok := parseErasure(id(row["id"]), erased)
			if ok && r.one("SELECT * FROM lock_audit_seal WHERE id = ?", e.note.String()) == nil {
				continue // the note of its erasure was cut off, too, so its seal is damaged
			}
			if withRows && !r.allowed(row) {
				removed = append(removed, id(row["id"]))
			}
		}
		if r.rand.IntN(2) == 0 { // and another process goes on
			r.write(1)
			_, err := r.process().Seal(r.Context())
			must(r, err)
		}
		return &expect{removed: removed, damaged: []int64{-1}}
	}},
	{"sign a checkpoint anew with a key of the host, so that an old row looks new", func(r *rig) *expect {
		row := r.one("SELECT * FROM lock_audit_checkpoint WHERE size = (SELECT MAX(size) FROM lock_audit_checkpoint)")
		c, err := openCheckpoint(r.trails[0].root, row["note"].(string))
		must(r, err)
		k, err := newKey(r.Context(), r.trails[0].root, r.cfg.Certify)
		must(r, err)
		c.horizon = 0
		must(r, c.sign(k))
		r.exec("UPDATE lock_audit_checkpoint SET note = ? WHERE size = ?", c.text, row["size"])
		r.insert(audit.Event{Type: "type-0"})
		return &expect{damaged: []int64{-1}}
	}},
	{"rewrite all with a key of the host", func(r *rig) *expect {
		row := r.one(sealedRows)
		r.exec("UPDATE lock_audit SET reason = 'forged' WHERE id = ?", row["id"])
		r.exec("DELETE FROM lock_audit_seal")
		r.exec("DELETE FROM lock_audit_checkpoint WHERE size > 0")
		cfg := r.cfg
		cfg.Anchor = nil
		thief, err := New(r.sink, cfg)
		must(r, err)
		_, err = thief.Seal(r.Context())
		must(r, err)
		return &expect{damaged: []int64{-1}}
	}},
}

// flip changes a bit, an end or everything.
func (r *rig) flip(b []byte) []byte {
	b = slices.Clone(b)
	if len(b) == 0 {
		return []byte("forged")
	}
	switch r.rand.IntN(3) {
	case 0:
		b[r.rand.IntN(len(b))] ^= 1 << r.rand.IntN(7)
	case 1:
		b = b[:r.rand.IntN(len(b))]
	case 2:
		b = append(b, 'x')
	}
	return b
}

// insert stores an event that claims to have been written before the horizon.
func (r *rig) insert(e audit.Event) audit.ID {
	r.Helper()
	e.ID = audit.NewID()
	must(r, audit.Direct(r.sink).Record(r.Context(), e))
	r.exec("UPDATE lock_audit SET recorded_at = recorded_at - ? WHERE id = ?", (3 * time.Hour).Microseconds(), e.ID.String())
	return e.ID
}

// allowed reports whether a note after the row's seal explains why the row could be
// gone: a second way to say what purges.allow says.
func (r *rig) allowed(row map[string]any) bool {
	r.Helper()
	var scopes []string
	must(r, r.db.Raw("SELECT scope FROM lock_audit_seal WHERE type = ? AND idx > ?", gormsink.TypePurged, row["idx"]).Scan(&scopes).Error)
	for _, scope := range scopes {
		d, err := audit.ParseDetails(scope)
		must(r, err)
		text, _ := d.Get("before")
		before, err := time.Parse(time.RFC3339Nano, text.(string))
		must(r, err)
		kind, one := d.Get("type")
		tenant, mine := d.Get("tenant")
		special := row["type"] == gormsink.TypePurged || row["type"] == audit.TypeOpened
		if row["occurred_at"].(int64) < before.UnixMicro() && (one && kind == row["type"] || !one && !special) && (!mine || tenant == row["tenant"]) {
			return true
		}
	}
	return false
}

// save returns a way to put everything back.
func (r *rig) save() (restore func()) {
	r.Helper()
	tables := []string{"lock_audit", "lock_audit_seal", "lock_audit_checkpoint"}
	for _, table := range tables {
		r.exec("CREATE TABLE saved_" + table + " AS SELECT * FROM " + table)
	}
	anchored := r.anchor.Events()
	return func() {
		r.anchor = audit.NewMemory()
		r.cfg.Anchor = r.anchor
		must(r, r.anchor.Write(r.Context(), anchored))
		for _, table := range tables {
			r.exec("DELETE FROM " + table)
			r.exec("INSERT INTO " + table + " SELECT * FROM saved_" + table)
		}
	}
}

func TestEveryTamperingIsReported(t *testing.T) {
	seen := make(map[string]int)
	const each = 20
	for seed := range rounds(15, 700) {
		r := newRig(t, uint64(seed))
		r.write(5)
		r.history(12)
		r.write(3)
		for _, trail := range r.trails {
			trail.whole = time.Time{}
		}
		r.seal()
		r.write(2)
		r.seal()
		if report := r.verify(); report.Findings() != 0 {
			t.Fatalf("seed %d: %s", seed, report)
		}
		restore := r.save()
		for range each {
			kind := tamperings[r.rand.IntN(len(tamperings))]
			want := kind.do(r)
			if want == nil {
				continue
			}
			seen[kind.name]++
			if got := r.verify(); !want.fits(got) {
				t.Fatalf("seed %d: %s: reported is\n%swant %v", seed, kind.name, got, *want)
			}
			restore()
		}
	}
	total := 0
	for _, kind := range tamperings {
		if total += seen[kind.name]; seen[kind.name] == 0 {
			t.Errorf("no trail was tampered with by: %s", kind.name)
		}
	}
	t.Logf("%d tamperings", total)
}
