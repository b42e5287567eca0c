// SPDX-License-Identifier: MIT

package examples

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestREADMEShowsTheOutputOfTheQuickstart(t *testing.T) {
	got, err := exec.Command("go", "run", "./quickstart").Output()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```\n"+string(got)+"```") {
		t.Errorf("the README does not show what it prints:\n%s", got)
	}
}
