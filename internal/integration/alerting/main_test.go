// SPDX-License-Identifier: MIT

// Package alerting has the tests that need Prometheus: its parser for every
// expression, promtool for the alerts, and a server that watches a running bot.
package alerting

import (
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/metrics/monitoring"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	root       = "../../.."
	testFolder = root + "/metrics/monitoring/tests"
)

// buildBot returns the path of the compiled bot.
func buildBot(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "reservationbot")
	if out, err := exec.Command("go", "build", "-o", file, root+"/examples/reservationbot").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// startBot starts a bot with its own parts, and returns its address.
func startBot(t testing.TB, env []string, args ...string) (*testproc.Child, string) {
	t.Helper()
	bot := buildBot(t)
	addr := testproc.Addr(testproc.FreePort(t))
	cmd := exec.Command(bot, append(args, "-addr", addr)...)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir()) // a bot that is killed leaves its database there
	cmd.Env = append(cmd.Env, env...)
	child := testproc.Start(t, cmd)
	testproc.Listening(t, addr)
	return child, addr
}

// promtool runs promtool and returns what it says.
func promtool(t testing.TB, dir string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.Command(testproc.Find(t, "promtool", "promtool"), args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// files reads embedded files, by path.
func files(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(monitoring.Files(), pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		if all[name], err = fs.ReadFile(monitoring.Files(), name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// rules reads all rules, by the name of their file without its ending.
func rules(t testing.TB) map[string]*rulefmt.RuleGroups {
	t.Helper()
	all := make(map[string]*rulefmt.RuleGroups)
	for name, content := range files(t, "alerts/*.yml") {
		all[strings.TrimSuffix(path.Base(name), ".yml")] = parseRules(t, name, content)
	}
	return all
}

func parseRules(t testing.TB, name string, content []byte) *rulefmt.RuleGroups {
	t.Helper()
	groups, errs := rulefmt.Parse(content, false, model.LegacyValidation)
	for _, err := range errs {
		t.Errorf("%s: %v", name, err)
	}
	if len(errs) > 0 {
		t.FailNow()
	}
	return groups
}
