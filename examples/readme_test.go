// SPDX-License-Identifier: MIT

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^<!-- (\\S+) -->\n```go\n(.*?)^```$")

// README code stands, line by line, in a program that compiles and runs.
func TestREADMECodeIsTheCodeOfAProgram(t *testing.T) {
	readme := read(t, "../README.md")
	blocks := goBlock.FindAllStringSubmatch(readme, -1)
	if n := strings.Count(readme, "```go\n"); n == 0 || n != len(blocks) {
		t.Fatalf("%d blocks of Go code, %d of them name their file in a comment above", n, len(blocks))
	}
	for _, b := range blocks {
		file, code := b[1], b[2]
		program := dedent(read(t, filepath.Join("..", file)))
		if !strings.Contains(program, dedent(code)) {
			t.Errorf("the README's code is not the code of %s", file)
		}
	}
}

func TestREADMEShowsTheOutputOfTheQuickstart(t *testing.T) {
	got, err := exec.Command("go", "run", "./quickstart").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, "../README.md"), "```\n"+string(got)+"```") {
		t.Errorf("the README does not show what it prints:\n%s", got)
	}
}

// dedent drops the indentation, which differs between a program and a page.
func dedent(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
