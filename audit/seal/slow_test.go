// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

// copies stores rows like the first one, with other ids and times of writing: SQL, in
// which i is the number of the row.
func (r *rig) copies(n int, id, recorded string) {
	r.Helper()
	r.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO lock_audit SELECT "+id+", occurred_at, "+recorded+
		", type, outcome, reason, actor_type, actor_id, actor_name, resource_type, resource_id, resource_name, on_behalf_of_type, on_behalf_of_id, on_behalf_of_name, "+
		"tenant, session_id, correlation_id, trace_id, source_address, user_agent, stream, seq, details FROM n, (SELECT * FROM lock_audit ORDER BY id LIMIT 1)", n)
}

// A page and more of rows that another program wrote, the last of them without a time.
func TestSealEndsWhenNothingOfAPageCanBeRead(t *testing.T) {
	r := newRig(t, 1)
	r.write(3)
	r.copies(sealRows, "'none ' || i", "'no time'")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, want := range []int{3, 0} {
		if n, err := r.trails[0].Seal(ctx); n != want || err != nil {
			t.Errorf("%d sealed, %v; want %d", n, err, want)
		}
	}
	r.copies(sealRows, "'some ' || i", "recorded_at")
	r.write(1)
	if n, err := r.process().Seal(ctx); n != 1 || err != nil {
		t.Errorf("%d sealed behind a page of nothing, %v", n, err)
	}
}

// The id in other letters is no second event, and keeps no other from being sealed.
func TestARowWithAnIDThatIsSealedInOtherLettersIsInserted(t *testing.T) {
	r := newRig(t, 1)
	r.write(3)
	r.seal()
	r.copies(1, "upper(id)", "recorded_at - 4 * 3600 * 1000000")
	r.write(1)
	if n, err := r.trails[0].Seal(t.Context()); n != 1 || err != nil {
		t.Errorf("%d sealed, %v", n, err)
	}
	if report := r.verify(); report.Inserted.N != 1 || report.Findings() != 1 {
		t.Error(report)
	}
}

func TestTheLongestGraceIsOne(t *testing.T) {
	r := newRig(t, 1)
	r.cfg.Grace = math.MaxInt64
	trail := r.process()
	for range 2 {
		r.write(1)
		if n, err := trail.Seal(t.Context()); n != 1 || err != nil {
			t.Errorf("%d sealed, %v", n, err)
		}
	}
	if report, err := trail.Verify(t.Context()); report.Findings() != 0 || report.Intact != 2 || err != nil {
		t.Errorf("%v: %s", err, report)
	}
}

func TestASealAtTheEndOfAllPlacesHidesNoRow(t *testing.T) {
	for name, place := range map[string]any{"the last place": int64(math.MaxInt64), "no number": "x"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			r.write(5)
			r.seal()
			forged := audit.NewID().String()
			r.copies(1, "'"+forged+"'", "recorded_at")
			r.exec("INSERT INTO lock_audit_seal SELECT ?, ?, occurred, recorded, type, tenant, scope, hash, salt, erased FROM lock_audit_seal WHERE idx = 0", place, forged)
			if report, err := r.trails[0].Verify(t.Context()); err == nil && report.Findings() == 0 {
				t.Errorf("nothing is found: %s", report)
			}
		})
	}
}

func TestVerifyEndsWhateverTheSizesOfCheckpoints(t *testing.T) {
	r := newRig(t, 1)
	r.write(1)
	r.seal()
	for n := range int64(rowsOnce - 2) { // with those of size 0 and 1 exactly a page
		r.exec("INSERT INTO lock_audit_checkpoint (size, note, turn) VALUES (?, '', 0)", math.MaxInt64-n)
	}
	if report := r.verify(); report.DamagedParts < rowsOnce-2 {
		t.Errorf("%d parts are damaged", report.DamagedParts)
	}
}

func TestAProcessThatLeavesASealToAnotherOneStillHasToLookAtAll(t *testing.T) {
	r := newRig(t, 1)
	r.write(1)
	mine, other := r.trails[0], r.trails[1]
	if _, err := other.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := mine.seal(t.Context(), time.Minute); err != nil || !mine.whole.IsZero() {
		t.Errorf("it has looked at all at %s, %v", mine.whole, err)
	}
}

func TestACheckpointFromTheFutureKeepsNoOneFromSealing(t *testing.T) {
	r := newRig(t, 1)
	r.write(1)
	mine := r.trails[0]
	if _, err := mine.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	mine.seen.at = time.Now().Add(time.Hour) // by the clock of the process that signed
	r.write(1)
	if n, err := mine.seal(t.Context(), time.Second); n != 1 || err != nil {
		t.Errorf("sealed %d, %v", n, err)
	}
}

func TestWhatIsCommittedLateIsSealedBeforeTheNextLookAtAll(t *testing.T) {
	for late, looks := range map[time.Duration]int{500 * time.Millisecond: 1, 3 * time.Second: 4, 25 * time.Second: 32} {
		t.Run(late.String(), func(t *testing.T) {
			r := newRig(t, 1)
			r.write(1)
			mine := r.trails[0] // Every is ten seconds
			if _, err := mine.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.write(1)
			r.exec("UPDATE lock_audit SET recorded_at = recorded_at - ? WHERE id NOT IN (SELECT id FROM lock_audit_seal)", late.Microseconds())
			for range looks {
				if n, err := mine.seal(t.Context(), 1); err != nil || n > 0 {
					return
				}
			}
			t.Errorf("it is not sealed after %d looks", looks)
		})
	}
}
