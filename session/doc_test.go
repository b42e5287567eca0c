// SPDX-License-Identifier: MIT

package session_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The snippets of the package comments are parts of examples, which are run.
func TestTheSnippetsOfTheDocumentationAreRun(t *testing.T) {
	block := regexp.MustCompile(`(?m)(?:^//(?:\t.*)?\n)+`)
	indent := regexp.MustCompile(`(?m)^(?://)?\t*`)
	for _, dir := range []string{".", "redissession"} {
		doc, err := os.ReadFile(filepath.Join(dir, "doc.go"))
		if err != nil {
			t.Fatal(err)
		}
		examples, err := os.ReadFile(filepath.Join(dir, "example_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		run, snippets := indent.ReplaceAllString(string(examples), ""), 0
		for _, text := range block.FindAllString(string(doc), -1) {
			text = strings.TrimSpace(indent.ReplaceAllString(text, ""))
			if !strings.Contains(text, ":=") {
				continue // a diagram or a table
			}
			snippets++
			if !strings.Contains(run, text) {
				t.Errorf("%s: no example runs\n%s", dir, text)
			}
		}
		if snippets == 0 {
			t.Errorf("%s: its documentation has no snippet", dir)
		}
	}
}
