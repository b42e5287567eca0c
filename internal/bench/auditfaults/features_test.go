// SPDX-License-Identifier: MIT

package auditfaults

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// A table of features is worth what its cells can be checked against.
func TestEveryCellOfTheFeatureTableNamesWhatExists(t *testing.T) {
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	ours := ownTests(t)
	var folders []string
	for _, k := range kinds[1:] {
		if !strings.Contains(string(data), ask(t, k.module, "{{.Version}}")) {
			t.Errorf("the page does not name the version of %s", k.module)
		}
		folders = append(folders, ask(t, k.module, "{{.Dir}}"))
	}
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(line, "`") {
			continue
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if !strings.Contains(ours, "func "+name[1]+"(") {
				t.Errorf("%s: there is no %s", strings.TrimSpace(cells[1]), name[1])
			}
		}
		for i := range folders {
			for _, name := range quoted.FindAllStringSubmatch(cells[3+i], -1) {
				if _, err := os.Stat(filepath.Join(folders[i], filepath.FromSlash(name[1]))); err != nil {
					t.Errorf("%s: %v", strings.TrimSpace(cells[1]), err)
				}
			}
		}
	}
}

// ownTests is the text of all tests that may be named.
func ownTests(t *testing.T) string {
	var text strings.Builder
	for _, dir := range []string{"audit", "lock", "internal/integration"} {
		err := filepath.WalkDir(filepath.Join("..", "..", "..", filepath.FromSlash(dir)), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			text.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// ask returns what the go command knows of a peer.
func ask(t *testing.T, module, format string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", format, module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
