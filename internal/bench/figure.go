// SPDX-License-Identifier: MIT

package bench

import (
	"fmt"
	"slices"
)

// Figure is a number that is not the time of a function: bytes, commands per
// turn, a ratio of the server's own times. With AtLeast or AtMost it is a bar;
// with neither it is printed for comparison.
type Figure struct {
	Name, Unit string

	// Measure takes the number once.
	Measure func() (float64, error)

	Runs            int // how often it is taken; default 1
	AtLeast, AtMost float64
}

// taken is what the runs of a figure gave, sorted.
type taken []float64

func (f Figure) take() (taken, error) {
	var list taken
	for range max(f.Runs, 1) {
		v, err := f.Measure()
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", f.Name, err)
		}
		list = append(list, v)
	}
	slices.Sort(list)
	return list, nil
}

func (f Figure) bound() string {
	switch {
	case f.AtMost > 0:
		return fmt.Sprintf("≤ %g", f.AtMost)
	case f.AtLeast > 0:
		return fmt.Sprintf("≥ %g", f.AtLeast)
	}
	return ""
}

// met reports whether the run that is worst for the bar meets it.
func (f Figure) met(t taken) bool {
	if f.AtMost > 0 && t[len(t)-1] > f.AtMost {
		return false
	}
	return t[0] >= f.AtLeast
}

// verdict is a cell of the table.
func (f Figure) verdict(t taken) string {
	switch {
	case f.bound() == "":
		return ""
	case f.met(t):
		return "met"
	}
	return "**missed**"
}

// span names the least and the greatest run.
func (t taken) span() string {
	if len(t) == 1 {
		return "one"
	}
	return fmt.Sprintf("%.4g to %.4g", t[0], t[len(t)-1])
}
