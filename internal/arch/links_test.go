// SPDX-License-Identifier: MIT

package arch

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeOfPage = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
	linkOfPage = regexp.MustCompile(`\]\(([^)\s]+)`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.*)$`)
)

// A link from page to page leads to a file or folder of the tree, and its fragment
// to a heading there.
func TestTheLinksOfPagesLeadToFiles(t *testing.T) {
	pages := files(t, ".md")
	for page, text := range pages {
		for _, m := range linkOfPage.FindAllStringSubmatch(string(codeOfPage.ReplaceAll(text, nil)), -1) {
			if strings.Contains(m[1], ":") {
				continue // another site
			}
			file, fragment, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root(t), filepath.FromSlash(to))); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			} else if fragment != "" && !hasHeading(pages[to], fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has the heading that a fragment names.
func hasHeading(page []byte, fragment string) bool {
	for _, m := range heading.FindAllSubmatch(page, -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(string(m[1])), "")
		if strings.ReplaceAll(slug, " ", "-") == fragment {
			return true
		}
	}
	return false
}
