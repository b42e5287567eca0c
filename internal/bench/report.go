// SPDX-License-Identifier: MIT

package bench

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Missed lists the bars that were not met, in words.
func (r *Result) Missed() (missed []string) {
	for _, b := range r.Suite.Bars {
		if got := r.Ratio(b.Slow, b.Fast); !b.met(got) {
			missed = append(missed, fmt.Sprintf("%s: %s takes %.2f times as long as %s (95 %%: %.2f to %.2f), want %s",
				r.Suite.Name, b.Slow, got.Median, b.Fast, got.Low, got.High, b))
		}
	}
	for _, c := range r.Suite.Cases {
		if n := r.perOp(c); c.NoAllocs && n > 0 {
			missed = append(missed, fmt.Sprintf("%s: %s allocates %g times an operation, want 0", r.Suite.Name, c.Name, n))
		}
	}
	for _, f := range r.Suite.Figures {
		if t := r.taken[f.Name]; !f.met(t) {
			missed = append(missed, fmt.Sprintf("%s: %s: %.4g %s (runs: %s), want %s", r.Suite.Name, f.Name, median(slices.Clone(t)), f.Unit, t.span(), f.bound()))
		}
	}
	return missed
}

// perOp is a case's allocations per operation, in whole ones as those of
// testing.AllocsPerRun: the first calls and the runtime may have some too.
func (r *Result) perOp(c Case) float64 { return math.Floor(r.allocs[c.Name]) }

// Table is the result in Markdown.
func (r *Result) Table() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s, %d cores, %s/%s, %s%s; medians of %d interleaved rounds.\n\n", cpu(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), versions(r.Suite.Peers), r.Rounds)
	t.WriteString("| case | ns/op | allocs/op |\n|---|--:|--:|\n")
	for _, c := range r.Suite.Cases {
		fmt.Fprintf(&t, "| %s | %.1f | %g |\n", c.Name, median(slices.Clone(r.ns[c.Name])), r.perOp(c))
	}
	if len(r.Suite.Bars) > 0 {
		r.bars(&t)
	}
	if len(r.Suite.Figures) > 0 {
		r.figures(&t)
	}
	return t.String()
}

func (r *Result) bars(t *strings.Builder) {
	t.WriteString("\n| takes | times as long as | ratio | 95 % interval | bar | |\n|---|---|--:|--:|--:|---|\n")
	for _, b := range r.Suite.Bars {
		got, verdict := r.Ratio(b.Slow, b.Fast), "met"
		if !b.met(got) {
			verdict = "**missed**"
		}
		fmt.Fprintf(t, "| %s | %s | %.2f | %.2f to %.2f | %s | %s |\n", b.Slow, b.Fast, got.Median, got.Low, got.High, b, verdict)
	}
}

func (r *Result) figures(t *strings.Builder) {
	t.WriteString("\n| figure | median | runs | bar | |\n|---|--:|--:|--:|---|\n")
	for _, f := range r.Suite.Figures {
		runs := r.taken[f.Name]
		fmt.Fprintf(t, "| %s | %.4g %s | %s | %s | %s |\n", f.Name, median(slices.Clone(runs)), f.Unit, runs.span(), f.bound(), f.verdict(runs))
	}
}

// Write replaces the suite's section of a document, which lies between two
// comments, or appends one.
func (r *Result) Write(path string) error {
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(path, []byte(Section(string(data), r.Suite.Name, "## "+r.Suite.Name+"\n\n"+r.Table())), 0o644)
}

// Section puts text between the comments <!-- name --> and <!-- /name --> of a
// document, or at its end, with the comments, where it has none.
func Section(document, name, text string) string {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	before, rest, found := strings.Cut(document, begin)
	if _, after, ended := strings.Cut(rest, end); found && ended {
		return before + begin + text + end + after
	}
	return document + "\n" + begin + text + end
}

// versions names the peers as the binary has them.
func versions(paths []string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var list strings.Builder
	for _, m := range info.Deps {
		if slices.Contains(paths, m.Path) {
			fmt.Fprintf(&list, ", %s %s", m.Path, m.Version)
		}
	}
	return list.String()
}

// cpu is the processor's name where the system reports it.
func cpu() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
