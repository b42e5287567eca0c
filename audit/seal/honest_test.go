// SPDX-License-Identifier: MIT

package seal

import (
	"os"
	"testing"
	"time"
)

// rounds is how many random histories, or changes of them, a test has.
func rounds(quick, long int) int {
	if os.Getenv("HOLDFAST_LONG") != "" {
		return long
	}
	return quick
}

// late stores an event whose transaction was open for up to the grace.
func (r *rig) late() {
	r.Helper()
	r.write(1)
	r.exec("UPDATE lock_audit SET recorded_at = recorded_at - ? WHERE id = (SELECT a.id FROM lock_audit a LEFT JOIN lock_audit_seal s ON s.id = a.id WHERE s.id IS NULL AND a.type LIKE 'type-%' ORDER BY a.id DESC LIMIT 1)",
		r.rand.Int64N(time.Hour.Microseconds()))
	r.trails[r.rand.IntN(len(r.trails))].whole = time.Time{} // as after Grace/10
}

// history lets a few random honest things happen.
func (r *rig) history(steps int) {
	r.Helper()
	for range steps {
		switch r.rand.IntN(10) {
		case 0, 1, 2:
			r.write(1 + r.rand.IntN(4))
		case 3, 4:
			r.seal()
		case 5:
			r.purge()
		case 6:
			r.erase()
		case 7:
			r.trails[r.rand.IntN(len(r.trails))] = r.process()
		case 8, 9:
			r.late()
		}
	}
}

func TestHonestHistoriesRaiseNoAlarm(t *testing.T) {
	for seed := range rounds(30, 10_000) {
		r := newRig(t, uint64(seed))
		for range 3 {
			r.history(8)
			if report := r.verify(); report.Findings() != 0 || report.Unjudged != 0 {
				t.Fatalf("seed %d: %s", seed, report)
			}
		}
		for _, trail := range r.trails {
			trail.whole = time.Time{}
		}
		r.seal()
		rows, seals := r.count(r.table), r.count(r.seals)
		if got := r.verify(); got.Findings() != 0 || got.Unsealed != 0 || got.Pending != 0 || got.Intact+got.Erased != rows || got.Purged != seals-rows || got.Size != seals {
			t.Fatalf("seed %d: all is sealed, %d rows and %d seals: %s", seed, rows, seals, got)
		}
	}
}
