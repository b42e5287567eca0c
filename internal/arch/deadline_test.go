// SPDX-License-Identifier: MIT

package arch

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	madeLog  = regexp.MustCompile(`(\w+)(?:, \w+)? :?= audit\.New\(`)
	closing  = regexp.MustCompile(`(\w+)\.Close\b(\()?(\w*)(\))?`) // a call, or the method as a value
	argument = regexp.MustCompile(`(\w+) context\.Context`)
	binding  = regexp.MustCompile(`(\w+)(?:, \w+)* :?= (.*)`)
	deadline = regexp.MustCompile(`^context\.With(Timeout|Deadline)\(`)
)

// endless returns the lines of code that close an audit log with a context that
// has no deadline: Close then waits for as long as the sink fails. It also
// returns how often the code closes a log.
//
// A log is what audit.New returned, or is called trail. The context must be a
// name, and the line above that binds it last must give it a deadline. A method
// that is passed on as a value needs a deadline anywhere in the code. The rule is
// textual, so that it serves comments and documents, too.
func endless(code string) (bad []string, closed int) {
	logs, ends := map[string]bool{"trail": true}, make(map[string]bool)
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "func ") {
			clear(ends)
		}
		for _, m := range argument.FindAllStringSubmatch(line, -1) {
			ends[m[1]] = false
		}
		if m := madeLog.FindStringSubmatch(line); m != nil {
			logs[m[1]] = true
		}
		for _, m := range closing.FindAllStringSubmatch(line, -1) {
			if !logs[m[1]] {
				continue
			}
			closed++
			isCall, isName := m[2] != "", m[4] != ""
			if isCall && !(isName && ends[m[3]]) || !isCall && !strings.Contains(code, "context.WithTimeout(") {
				bad = append(bad, line)
			}
		}
		if m := binding.FindStringSubmatch(line); m != nil {
			ends[m[1]] = deadline.MatchString(m[2])
		}
	}
	return bad, closed
}

func TestEverySnippetThatClosesAnAuditLogHasADeadline(t *testing.T) {
	found := make(map[string]int)
	check := func(file, kind, code string) {
		bad, n := endless(code)
		found[kind] += n
		for _, line := range bad {
			t.Errorf("%s closes a log with a context that has no deadline: %s", file, line)
		}
	}
	fence := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	for file, text := range files(t, ".md") {
		for _, block := range fence.FindAllSubmatch(text, -1) {
			check(file, "documents", string(block[1]))
		}
	}
	for file, text := range files(t, ".go") {
		name := path.Base(file)
		isTest := strings.HasSuffix(name, "_test.go")
		switch {
		case isTest && strings.Contains(name, "example_"), !isTest && strings.HasPrefix(file, "examples/"):
			check(file, "examples", string(text))
		case !isTest:
			var comments strings.Builder
			for line := range strings.Lines(string(text)) {
				if code, ok := strings.CutPrefix(line, "//\t"); ok {
					comments.WriteString(code)
				}
			}
			check(file, "comments", comments.String())
		}
	}
	for kind, least := range map[string]int{"documents": 1, "examples": 9, "comments": 1} {
		if found[kind] < least {
			t.Errorf("found %d times Close of a log in %s, want at least %d, or the rule misses some", found[kind], kind, least)
		}
	}
}

func TestTheRuleOfDeadlinesFindsEachKindOfEndlessClose(t *testing.T) {
	const within = "ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)\n"
	for code, endlessly := range map[string]bool{
		"trail.Close(ctx)": true,
		"defer trail.Close(context.WithoutCancel(ctx))":                                    true,
		"_ = s.trail.Close(context.Background())":                                          true,
		"if err := trail.Close(t.Context()); err != nil {":                                 true,
		"log, err := audit.New(sink, c)\nlog.Close(ctx)":                                   true,
		"s.log, err = audit.New(sink, c)\ns.log.Close(ctx)":                                true,
		"ctx := context.Background()\nmust(trail.Close(ctx))":                              true,
		within + "ctx = context.Background()\ntrail.Close(ctx)":                            true,
		within + "}\n\nfunc end(ctx context.Context) error {\nreturn trail.Close(ctx)":     true,
		"func end(ctx context.Context) {\nfor _, f := range []end{\ns.trail.Close, // all": true,

		"rooms.Close(ctx)\nfile.Close()":                                                    false,
		within + "trail.Close(ctx)":                                                         false,
		within + "err = errors.Join(err, trail.Close(ctx)) // all":                          false,
		within + "if err := trail.Close(ctx); err != nil {":                                 false,
		within + "loss, ok := errors.AsType[*audit.LossError](trail.Close(ctx))":            false,
		within + "for _, f := range []end{\ns.trail.Close, // all":                          false,
		"c, cancel := context.WithDeadline(ctx, at)\nerr = trail.Close(c)":                  false,
		"func end(ctx context.Context) {\n" + within + "log := audit.New()\nlog.Close(ctx)": false,
	} {
		if bad, n := endless(code); (len(bad) > 0) != endlessly {
			t.Errorf("%d of %d closes are without a deadline in\n%s", len(bad), n, code)
		}
	}
}
