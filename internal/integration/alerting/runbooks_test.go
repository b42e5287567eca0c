// SPDX-License-Identifier: MIT

package alerting

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/postgrestest"
	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/internal/test/testproc"
)

// needs are the programs in commands of runbooks, and what HOLDFAST_REQUIRE calls
// them.
var needs = map[string]string{"curl ": "curl", "redis-cli ": "redis", "psql ": "postgres"}

var sleeping = regexp.MustCompile(`pg_sleep\(\d+\)`)

// What the test changes is only the port, which may be taken, and how long a
// rehearsal locks a table. The commands of psql have a bot on PostgreSQL.
func TestTheCommandsOfTheRunbooksWorkAsTheyStand(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(tools, "holdfastctl"), root+"/examples/holdfastctl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var plain, postgres []command
	for name, content := range files(t, "runbooks/*.md") {
		for _, m := range block.FindAllStringSubmatch(string(content), -1) {
			switch c := (command{path.Base(name), m[2]}); {
			case m[1] != "sh":
			case strings.Contains(c.script, "psql "):
				postgres = append(postgres, c)
			default:
				plain = append(plain, c)
			}
		}
	}
	server := redistest.Real(t)
	run := func(t *testing.T, trail string, list []command) {
		_, addr := startBot(t, nil, "-redis", server.Addr, "-audit", trail)
		for _, c := range list {
			t.Run(c.runbook, func(t *testing.T) {
				for program, what := range needs {
					if strings.Contains(c.script, program) {
						testproc.Find(t, what, strings.TrimSpace(program))
					}
				}
				healBot(t, addr)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				script := sleeping.ReplaceAllString(strings.ReplaceAll(c.script, "localhost:8080", addr), "pg_sleep(0)")
				cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
				cmd.Env = append(cmd.Environ(), "PATH="+tools+":"+os.Getenv("PATH"),
					"BREAKERS_URL=http://"+addr+"/breakers/", "REDIS_URL=redis://"+server.Addr, "AUDIT_DSN="+trail)
				if out, err := cmd.CombinedOutput(); err != nil || strings.Contains("\n"+string(out), "\nERR ") { // redis-cli exits with 0
					t.Errorf("%v\n%s\n%s", err, c.script, out)
				}
			})
		}
	}
	t.Run("SQLite", func(t *testing.T) { run(t, "sqlite:"+filepath.Join(t.TempDir(), "trail.db"), plain) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server := postgrestest.Start(t, "-c", "fsync=off")
		run(t, server.URL(server.Addr(), "postgres"), postgres)
	})
}

// command is a block of a runbook.
type command struct{ runbook, script string }

// notRun are the commands in the text of runbooks that no test can run as they
// stand, and why.
var notRun = map[string]string{
	"holdfastctl verify -root KEY -anchor FILE": "the key and the file are the reader's; the tests of holdfastctl verify a trail",
	"holdfastctl release ID -reason TEXT":       "the id is that of a hold of the moment; the tests of holdfastctl release one",
	"SELECT pg_terminate_backend(PID)":          "the number is that of a process of the moment",
	"journalctl -k":                             "it reads the log of a machine that systemd runs",
	"kill -9":                                   "the process is the reader's",
	"kill -STOP":                                "the process is the reader's",
	"kill -CONT":                                "the process is the reader's",
}

func TestEveryCommandOfARunbookIsRunOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	inText := regexp.MustCompile("`((?:curl|psql|redis-cli|holdfastctl|journalctl|kill|go|promtool|[A-Z]{3,}) [^`]+)`")
	for name, content := range files(t, "runbooks/*.md") {
		for _, m := range inText.FindAllStringSubmatch(block.ReplaceAllString(string(content), ""), -1) {
			if notRun[m[1]] == "" {
				t.Errorf("%s: %s stands in the text, where no test runs it", name, m[1])
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
