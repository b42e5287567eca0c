// SPDX-License-Identifier: MIT

package arch

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	snippetBlock = regexp.MustCompile(`(?m)(?:^//(?:\t.*)?\n)+`)
	indentation  = regexp.MustCompile(`(?m)^(?://)?\t*`)
)

var goBlock = regexp.MustCompile("(?ms)(?:^<!-- (\\S+) -->\n)?^```go\n(.*?)^```$")

// Each block of Go code on a page names the file that has it, line by line, so it
// compiles; most are run.
func TestTheCodeOfPagesIsTheCodeOfPrograms(t *testing.T) {
	programs, blocks := files(t, ".go"), 0
	for page, text := range files(t, ".md") {
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			blocks++
			if bytes.HasPrefix(block[2], []byte("package main\n")) {
				continue // a whole program, which a test of internal/integration builds from the page
			}
			file, code := string(block[1]), string(block[2])
			if !strings.Contains(dedent(string(programs[file])), dedent(code)) {
				t.Errorf("%s: the comment above the block names the file %q, which does not have\n%s", page, file, code)
			}
		}
	}
	if blocks == 0 {
		t.Error("no page has Go code")
	}
}

// dedent drops the indentation, which differs between a program and a page.
func dedent(code string) string { return indentation.ReplaceAllString(code, "") }

// The first snippet of a package is what people copy: an example has it, so it
// compiles, and its errors are looked at.
func TestTheSnippetsOfPackageCommentsArePartsOfExamples(t *testing.T) {
	all := files(t, ".go")
	for _, dir := range []string{
		"circuitbreaker", "circuitbreaker/breakerhttp", "lock", "lock/redislock", "lock/memlock",
		"session", "session/redissession", "session/memsession", "session/httpsession",
		"audit", "audit/gormsink", "audit/seal", "metrics", "metrics/otel",
	} {
		t.Run(dir, func(t *testing.T) {
			var examples strings.Builder
			for file, text := range all {
				if path.Dir(file) == dir && strings.HasPrefix(path.Base(file), "example") {
					examples.Write(text)
				}
			}
			run, snippets := dedent(examples.String()), 0
			for _, text := range snippetBlock.FindAllString(string(all[dir+"/doc.go"]), -1) {
				text = strings.TrimSpace(dedent(text))
				if !strings.Contains(text, ":= ") {
					continue // a diagram or a table
				}
				snippets++
				if !strings.Contains(run, text) {
					t.Errorf("no example has\n%s", text)
				}
			}
			if snippets == 0 {
				t.Error("the package comment has no snippet")
			}
		})
	}
}
