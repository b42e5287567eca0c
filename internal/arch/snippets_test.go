// SPDX-License-Identifier: MIT

package arch

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	snippetBlock = regexp.MustCompile(`(?m)(?:^//(?:\t.*)?\n)+`)
	indentation  = regexp.MustCompile(`(?m)^(?://)?\t*`)
)

// The first snippet of a package is what people copy: an example has it, so it
// compiles, and its errors are looked at.
func TestTheSnippetsOfPackageCommentsArePartsOfExamples(t *testing.T) {
	all := files(t, ".go")
	for _, dir := range []string{
		"circuitbreaker", "circuitbreaker/breakerhttp", "lock", "lock/redislock", "session", "session/redissession",
		"audit", "audit/gormsink", "metrics",
	} {
		t.Run(dir, func(t *testing.T) {
			var examples strings.Builder
			for file, text := range all {
				if path.Dir(file) == dir && strings.HasPrefix(path.Base(file), "example") {
					examples.Write(text)
				}
			}
			run, snippets := indentation.ReplaceAllString(examples.String(), ""), 0
			for _, text := range snippetBlock.FindAllString(string(all[dir+"/doc.go"]), -1) {
				text = strings.TrimSpace(indentation.ReplaceAllString(text, ""))
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
