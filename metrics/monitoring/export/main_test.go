// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestExportWritesTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var out, errs bytes.Buffer
	if code := run([]string{"-out", dir, "-format", "operator", "-namespace", "hotel"}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	rules, err := os.ReadFile(filepath.Join(dir, "alerts", "lock.yml"))
	if err != nil || !bytes.Contains(rules, []byte("kind: PrometheusRule")) || !bytes.Contains(rules, []byte("hotel_lock_conflicts_total")) {
		t.Errorf("%v, %.200s", err, rules)
	}
	if !strings.Contains(out.String(), "files in "+dir) {
		t.Errorf("it says %q", &out)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "-out"},
		{[]string{"-out", dir, "more"}, 2, `"more"`},
		{[]string{"-out", dir, "-format", "jsonnet"}, 2, "jsonnet"},
		{[]string{"-outt", dir}, 2, "-outt"},
		{[]string{"-help"}, 0, "-format"},
		{[]string{"-out", dir, "-namespace", "a b"}, 1, `"a b"`},
		{[]string{"-out", taken}, 1, "taken"},
	} {
		var out, errs bytes.Buffer
		if code := run(c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%q: exit %d, %q; want %d and %q", c.args, code, &errs, c.code, c.says)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
}
