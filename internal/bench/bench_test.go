// SPDX-License-Identifier: MIT

package bench

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// rounds is a result with the given samples of the cases "slow" and "fast".
func rounds(slow, fast []float64) *Result {
	return &Result{
		Suite:  Suite{Name: "made up", Cases: []Case{{Name: "slow"}, {Name: "fast", NoAllocs: true}}},
		Rounds: len(slow),
		ns:     map[string][]float64{"slow": slow, "fast": fast},
		allocs: map[string]float64{},
	}
}

// A machine that is busy for some rounds slows both cases: the ratio stays.
func TestARatioIsThatOfTheMediansOfTheSameRounds(t *testing.T) {
	r := rounds([]float64{30, 60, 30, 300, 30, 30, 60, 30, 30, 30}, []float64{10, 20, 10, 100, 10, 10, 20, 10, 10, 10})
	if got := r.Ratio("slow", "fast"); got != (Ratio{3, 3, 3}) {
		t.Errorf("got %+v, want 3 without a doubt", got)
	}
}

func TestTheIntervalHoldsTheMedianAndIsRepeatable(t *testing.T) {
	r := rounds([]float64{31, 28, 35, 30, 29, 33, 27, 36, 30, 31}, []float64{10, 11, 9, 10, 12, 10, 9, 10, 11, 10})
	got := r.Ratio("slow", "fast")
	if !(got.Low < got.Median && got.Median < got.High) || got.Median != 30.5/10 {
		t.Errorf("got %+v", got)
	}
	if again := r.Ratio("slow", "fast"); again != got {
		t.Errorf("got %+v, then %+v", got, again)
	}
	if r.ns["slow"][0] != 31 {
		t.Error("the samples were sorted")
	}
}

func TestABarIsHeldAgainstTheWorseEnd(t *testing.T) {
	r := Ratio{Low: 2.5, Median: 3, High: 3.5}
	for bar, want := range map[Bar]bool{
		{AtLeast: 2.5}: true, {AtLeast: 2.6}: false, {AtLeast: 3}: false,
		{AtMost: 3.5}: true, {AtMost: 3.4}: false, {AtMost: 3}: false,
	} {
		if got := bar.met(r); got != want {
			t.Errorf("%s: met %v, want %v", bar, got, want)
		}
	}
}

func TestMissedBarsAndAllocationsAreNamed(t *testing.T) {
	r := rounds([]float64{30, 30}, []float64{10, 10})
	r.Suite.Bars = []Bar{{Slow: "slow", Fast: "fast", AtLeast: 2}, {Slow: "slow", Fast: "fast", AtLeast: 4}, {Slow: "slow", Fast: "fast", AtMost: 2}}
	r.allocs["fast"] = 1
	missed := r.Missed()
	if len(missed) != 3 || !strings.Contains(missed[0], "≥ 4") || !strings.Contains(missed[1], "≤ 2") || !strings.Contains(missed[2], "allocates") {
		t.Errorf("missed %q", missed)
	}
	if table := r.Table(); strings.Count(table, "**missed**") != 2 || !strings.Contains(table, "| slow | fast | 3.00 | 3.00 to 3.00 | ≥ 2 | met |") {
		t.Errorf("got\n%s", table)
	}
}

var sink []byte

// In virtual time a round takes what it sleeps.
func TestMeasuringTellsSlowFromFastAndCountsAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Measure(Suite{
			Name: "virtual",
			Cases: []Case{
				{Name: "once", Make: func() func(int) { return func(n int) { work(n, 1) } }},
				{Name: "eight times", Make: func() func(int) { return func(n int) { work(n, 8) } }},
				{Name: "on four goroutines", Make: func() func(int) { return func(n int) { time.Sleep(time.Duration(n) * time.Microsecond) } }, Goroutines: 4, NoAllocs: true},
			},
			Bars: []Bar{{Slow: "eight times", Fast: "once", AtLeast: 8}},
		}, Options{Sample: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if missed := r.Missed(); r.Rounds != 10 || len(missed) > 0 {
			t.Errorf("%d rounds, missed %q", r.Rounds, missed)
		}
		for _, row := range []string{"| once | 1000.0 | 1 |", "| eight times | 8000.0 | 8 |", "| on four goroutines | 250.0 | 0 |"} {
			if !strings.Contains(r.Table(), row) {
				t.Errorf("no row %s in\n%s", row, r.Table())
			}
		}
	})
}

// work allocates as often, and takes as many microseconds.
func work(n, each int) {
	for range n * each {
		sink = make([]byte, 1)
	}
	time.Sleep(time.Duration(n*each) * time.Microsecond)
}

func TestASuiteThatMakesNoSenseIsNotMeasured(t *testing.T) {
	cases := []Case{{Name: "a"}, {Name: "b"}}
	for name, s := range map[string]Suite{
		"two of a name": {Cases: slices.Concat(cases, cases)},
		"unknown case":  {Cases: cases, Bars: []Bar{{Slow: "a", Fast: "c", AtLeast: 1}}},
		"no bound":      {Cases: cases, Bars: []Bar{{Slow: "a", Fast: "b"}}},
		"two bounds":    {Cases: cases, Bars: []Bar{{Slow: "a", Fast: "b", AtLeast: 1, AtMost: 2}}},
		"no measure":    {Figures: []Figure{{Name: "bytes"}}},
	} {
		if _, err := Measure(s, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestASectionIsReplacedOrAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte("# Benchmarks\n\n<!-- made up -->\nold\n<!-- /made up -->\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := rounds([]float64{30, 30}, []float64{10, 10})
	for range 2 {
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	other := rounds([]float64{30, 30}, []float64{10, 10})
	other.Suite.Name = "other"
	if err := other.Write(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if strings.Contains(text, "old") || strings.Count(text, "## made up\n") != 1 || strings.Count(text, "## other\n") != 1 ||
		!strings.Contains(text, "<!-- /made up -->\nafter\n") {
		t.Errorf("got\n%s", text)
	}
}
