// SPDX-License-Identifier: MIT

package bench

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// figures is a result of a suite that has nothing else.
func figures(t *testing.T, list ...Figure) *Result {
	r, err := Measure(Suite{Name: "made up", Figures: list}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// in returns a measure that gives these one after the other.
func in(values ...float64) func() (float64, error) {
	i := -1
	return func() (float64, error) {
		i++
		return values[i], nil
	}
}

func TestAFiguresBarIsHeldAgainstItsWorstRun(t *testing.T) {
	r := figures(t,
		Figure{Name: "low enough", Measure: in(3, 1, 2), Runs: 3, AtMost: 3},
		Figure{Name: "once too high", Measure: in(3, 1, 2), Runs: 3, AtMost: 2.9, Unit: "B"},
		Figure{Name: "high enough", Measure: in(3, 1, 2), Runs: 3, AtLeast: 1},
		Figure{Name: "once too low", Measure: in(3, 1, 2), Runs: 3, AtLeast: 1.1},
		Figure{Name: "printed", Measure: in(9)},
	)
	missed := r.Missed()
	if len(missed) != 2 || !strings.Contains(missed[0], "once too high: 2 B (runs: 1 to 3), want ≤ 2.9") || !strings.Contains(missed[1], "once too low") {
		t.Errorf("missed %q", missed)
	}
	table := r.Table()
	for _, row := range []string{"| low enough | 2  | 1 to 3 | ≤ 3 | met |", "| once too low | 2  | 1 to 3 | ≥ 1.1 | **missed** |", "| printed | 9  | one |  |  |"} {
		if !strings.Contains(table, row) {
			t.Errorf("no row %q in\n%s", row, table)
		}
	}
}

func TestAFigureThatCannotBeTakenIsAnError(t *testing.T) {
	down := errors.New("down")
	if _, err := Measure(Suite{Figures: []Figure{{Name: "bytes", Measure: func() (float64, error) { return 0, down }}}}, Options{}); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

// What a suite starts for itself ends with it, however the measuring went.
func TestRunTakesDownWhatTheSuiteStarted(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(testing.TB)
		want      string
	}{
		"nothing":                {func(testing.TB) {}, ""},
		"a failure":              {func(tb testing.TB) { tb.Fatal("no server") }, "no server"},
		"a failure that goes on": {func(tb testing.TB) { tb.Error("half a server") }, "half a server"},
		"something lacking":      {func(tb testing.TB) { testproc.Find(tb, "moon", "moon-server") }, "no moon here"},
	} {
		t.Run(name, func(t *testing.T) {
			var order []string
			r, err := Run(func(tb testing.TB) Suite {
				dir := tb.TempDir()
				tb.Cleanup(func() { order = append(order, "first") })
				tb.Cleanup(func() {
					if order = append(order, "second"); tb.Context().Err() == nil {
						t.Error("cleaned up with a live context")
					}
				})
				c.meanwhile(tb)
				return Suite{Name: "made up", Figures: []Figure{{Name: "length", Measure: func() (float64, error) { return float64(len(dir)), nil }}}}
			}, Options{})
			if got := strings.Join(order, " "); got != "second first" {
				t.Errorf("cleaned up %q", got)
			}
			if c.want == "" && (err != nil || len(r.Missed()) > 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
