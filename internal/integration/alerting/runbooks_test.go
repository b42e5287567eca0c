// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// What the test changes is only the port, which may be taken.
func TestTheCommandsOfTheRunbooksWorkAsTheyStand(t *testing.T) {
	t.Parallel()
	testproc.Find(t, "curl", "curl")
	tools := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(tools, "holdfastctl"), root+"/examples/holdfastctl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	server := redistest.Real(t)
	_, addr := startBot(t, nil, "-redis", server.Addr)
	for name, content := range files(t, "runbooks/*.md") {
		for _, m := range block.FindAllStringSubmatch(string(content), -1) {
			if m[1] != "sh" {
				continue
			}
			healBot(t, addr)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(m[2], "localhost:8080", addr))
			cmd.Env = append(cmd.Environ(), "PATH="+tools+":"+os.Getenv("PATH"), "BREAKERS_URL=http://"+addr+"/breakers/", "REDIS_URL=redis://"+server.Addr)
			out, err := cmd.CombinedOutput()
			cancel()
			if err != nil {
				t.Errorf("%s: %v\n%s\n%s", name, err, m[2], out)
			}
		}
	}
}

// healBot undoes what an earlier runbook rehearsed.
func healBot(t *testing.T, addr string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+addr+"/api/faults",
		strings.NewReader(`{"pms":"healthy","audit":"up","cleanup":"running","redis":"up"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the switches answer %s", answer.Status)
	}
}
