// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

var (
	block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	named = regexp.MustCompile("`([a-z]+\\.(?:go|yml))`:\n\n$")
)

// asScript is the document's blocks as one script: shell commands as they are,
// and files written under the name that stands before them.
func asScript(t *testing.T, document string) string {
	t.Helper()
	script := "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n"
	for _, at := range block.FindAllStringSubmatchIndex(document, -1) {
		language, content := document[at[2]:at[3]], document[at[4]:at[5]]
		if language == "sh" {
			script += content
			continue
		}
		name := named.FindStringSubmatch(document[:at[0]])
		if name == nil {
			t.Fatalf("no name stands before the block\n%s", content)
		}
		script += "cat >" + name[1] + " <<'END'\n" + content + "END\n"
	}
	return script
}

// What the test changes is only what it has to: the version that is not
// published, ports that may be taken, and, in the short form, the minute.
func TestTheDocumentLeadsToAnAlertThatFires(t *testing.T) {
	t.Parallel()
	testproc.Find(t, "prometheus", "prometheus")
	testproc.Find(t, "promtool", "promtool")
	testproc.Find(t, "curl", "curl")
	document, err := os.ReadFile(root + "/docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	script := asScript(t, string(document))
	changes := []string{
		"go get github.com/holdfast-go/holdfast@latest",
		"go mod edit -require=github.com/holdfast-go/holdfast@v0.0.0 -replace=github.com/holdfast-go/holdfast='" + absolute(t, root) + "'",
		":2112", ":" + strconv.Itoa(testproc.FreePort(t)),
		":9099", ":" + strconv.Itoa(testproc.FreePort(t)),
	}
	if os.Getenv("HOLDFAST_LONG") == "" {
		changes = append(changes, "promtool check config", "sed -i 's/for: 1m$/for: 1s/' monitoring/alerts/*.yml\npromtool check config",
			"_interval: 5s", "_interval: 1s", "seq 20", "seq 10", "sleep 5", "sleep 1")
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(script, changes[i]) {
			t.Errorf("the document does not say %q", changes[i])
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", strings.NewReplacer(changes...).Replace(script))
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	for _, want := range []string{
		`holdfast_circuitbreaker_state{breaker="pms",state="closed"} 1`,
		"SUCCESS: 10 rules found",
		`"alertname":"CircuitBreakerOpen","breaker":"pms","job":"shop","severity":"critical"`,
	} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v; no %s in\n%s", err, want, out)
		}
	}
}
