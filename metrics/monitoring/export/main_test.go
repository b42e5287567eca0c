// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"errors"
	"io/fs"
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
	args := []string{
		"-out", dir, "-format", "operator", "-namespace", "hotel", "-by", "region,service", "-selector", `env="prod"`, "-scrape-interval", "2m",
		"-label", "team=payments", "-runbooks", "https://wiki.example.com/alerts", "-grafana", "https://grafana.example.com", "-example=false",
		"-object-namespace", "monitoring", "-object-label", "release=kube",
	}
	if code := run(args, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	rules, err := os.ReadFile(filepath.Join(dir, "alerts", "lock.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kind: PrometheusRule\n", "  name: hotel-lock\n  namespace: monitoring\n  labels:\n    release: \"kube\"\n",
		`sum by (region, service, manager) (rate(hotel_lock_conflicts_total{env="prod"}[480s]))`, `          team: "payments"`,
		"runbook_url: https://wiki.example.com/alerts/LockLeaseLost.md\n", "dashboard: 'https://grafana.example.com/d/hotel-locks?viewPanel=",
	} {
		if !strings.Contains(string(rules), want) {
			t.Errorf("%q is not in\n%.2000s", want, rules)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "alerts", "slo.yml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the example was written: %v", err)
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
		{[]string{"-label", "team"}, 2, "name=value"},
		{[]string{"-help"}, 0, "-format"},
		{[]string{"-out", dir, "-namespace", "a b"}, 1, `"a b"`},
		{[]string{"-out", dir, "-by", "job,,x"}, 1, "By"},
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
