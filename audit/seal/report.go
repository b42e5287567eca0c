// SPDX-License-Identifier: MIT

package seal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// Report is what [Trail.Verify] has found.
type Report struct {
	Size   int64 // events in the tree, up to the newest good checkpoint
	Intact int64 // events that are as they were sealed
	// Purged and Erased events are gone or changed, and a sealed note says why.
	Purged, Erased int64
	// Pending events are gone or changed, and the note that says why is not sealed
	// yet, or its seal is damaged.
	Pending int64
	// Unsealed events wait for the next seal; OldestUnsealed is when the oldest of
	// them was written. Nothing is known about these.
	Unsealed       int64
	OldestUnsealed time.Time
	// Unjudged events are those of damaged parts of the tree.
	Unjudged int64

	Changed  Events // differ from what was sealed
	Removed  Events // are not in the table, and no note says why
	Inserted Events // are not sealed, and claim to be older than a seal that would have sealed them
	// Damaged are the parts of the seals themselves that are not as they were made,
	// the first 1000, and DamagedParts their number.
	Damaged      []Damage
	DamagedParts int64
}

// Events are the first 1000 events of a kind, by id, and how many there are.
type Events struct {
	N   int64
	IDs []audit.ID
}

const listed = 1000

func (e *Events) add(id audit.ID) {
	if e.N++; len(e.IDs) < listed {
		e.IDs = append(e.IDs, id)
	}
}

// Damage is a part of the tree: the leaves from From on and before To. It is empty
// when only a checkpoint is damaged.
type Damage struct {
	From, To int64
	Why      string
}

func (r *Report) damage(from, to int64, format string, args ...any) {
	if r.DamagedParts++; len(r.Damaged) < listed {
		r.Damaged = append(r.Damaged, Damage{from, to, fmt.Sprintf(format, args...)})
	}
}

// Findings is how many events were changed, removed or inserted, and parts of the
// seals damaged: 0 when all is well.
func (r Report) Findings() int64 {
	return r.Changed.N + r.Removed.N + r.Inserted.N + r.DamagedParts
}

// String returns a few lines for people. It has ids of events and no other value of
// them.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sealed: %d intact, %d purged, %d erased, %d pending, %d not judged; %d not sealed yet\n",
		r.Size, r.Intact, r.Purged, r.Erased, r.Pending, r.Unjudged, r.Unsealed)
	for _, list := range []struct {
		name string
		Events
	}{{"changed", r.Changed}, {"removed", r.Removed}, {"inserted", r.Inserted}} {
		for _, id := range list.IDs {
			fmt.Fprintf(&b, "%s %s\n", list.name, id)
		}
		if more := list.N - int64(len(list.IDs)); more > 0 {
			fmt.Fprintf(&b, "%s %d more\n", list.name, more)
		}
	}
	for _, d := range r.Damaged {
		fmt.Fprintf(&b, "damaged %d to %d: %s\n", d.From, d.To, d.Why)
	}
	if more := r.DamagedParts - int64(len(r.Damaged)); more > 0 {
		fmt.Fprintf(&b, "damaged %d more\n", more)
	}
	return b.String()
}

// span is a part of the tree that proves nothing. Its events were recorded from
// since to until.
type span struct{ from, to, since, until int64 }

type spans []span

// merged returns the spans in order, without windows, overlapping ones as one.
func (s spans) merged() (list spans) {
	all := slices.Clone(s)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, one := range all {
		if n := len(list); n > 0 && one.from <= list[n-1].to {
			list[n-1].to = max(list[n-1].to, one.to)
		} else {
			list = append(list, one)
		}
	}
	return list
}

// has reports whether a leaf is in one of the merged spans.
func (s spans) has(idx int64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].to > idx })
	return i < len(s) && s[i].from <= idx
}

// window reports whether an event that was recorded at a time may be in one.
func (s spans) window(recorded int64) bool {
	return slices.ContainsFunc(s, func(one span) bool { return one.since <= recorded && recorded <= one.until })
}

// purges are what notes of Purge allow, by type and tenant, "" for any. Each list is
// in the order of the notes, with falling times: a later note for a later time
// makes earlier ones needless.
type purges map[[2]string][]purge

type purge struct{ idx, before int64 }

const unsealed = math.MaxInt64 // the place of a note that is not sealed

func (p purges) add(idx int64, details string) {
	d, err := audit.ParseDetails(details)
	if err != nil {
		return
	}
	text := func(key string) string { v, _ := d.Get(key); s, _ := v.(string); return s }
	before, err := time.Parse(time.RFC3339Nano, text("before"))
	if err != nil {
		return
	}
	key := [2]string{text("type"), text("tenant")}
	list := p[key]
	for len(list) > 0 && list[len(list)-1].before <= before.UnixMicro() {
		list = list[:len(list)-1]
	}
	p[key] = append(list, purge{idx, before.UnixMicro()})
}

// allow reports whether a note after the place allows the event to be gone.
func (p purges) allow(idx int64, e *entry) bool {
	kinds := []string{e.Type, ""}
	if e.Type == gormsink.TypePurged || e.Type == audit.TypeOpened {
		kinds = kinds[:1] // which a purge of any type leaves
	}
	for _, kind := range kinds {
		for _, tenant := range []string{e.Tenant, ""} {
			list := p[[2]string{kind, tenant}]
			if i := sort.Search(len(list), func(i int) bool { return list[i].idx > idx }); i < len(list) && list[i].before > e.Occurred {
				return true
			}
		}
	}
	return false
}
