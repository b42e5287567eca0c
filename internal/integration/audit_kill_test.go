// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
)

// recording is a process that records until it is killed, and prints the reason
// of each event that was accepted.
type recording struct {
	Dir, File, URL, Table string
	Level                 audit.Durability
	Round                 int
}

const killedBatch = 64

func (r recording) open(db *gorm.DB) (*audit.Log, *gormsink.Sink, error) {
	table := gormsink.New(db, gormsink.WithTable(r.Table))
	trail, err := audit.New(audit.Multi(audit.NewJSONLines(r.File), table), audit.Config{
		Queue: 1024, MaxBatch: killedBatch, Spool: audit.Spool{Dir: r.Dir, Level: r.Level}, Logger: slog.New(slog.DiscardHandler),
	})
	return trail, table, err
}

func beRecorder(text string) error {
	var r recording
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	db, err := gorm.Open(postgres.Open(r.URL), &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		return err
	}
	trail, _, err := r.open(db)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				reason := fmt.Sprintf("%d-%d-%d", r.Round, g, i)
				if err := trail.Record(context.Background(), audit.Event{Type: "test", Reason: reason}); err == nil {
					_, _ = os.Stdout.WriteString(reason + "\n")
				}
				time.Sleep(100 * time.Microsecond) // so that the sinks keep up
			}
		})
	}
	all.Wait()
	return nil
}

// run kills the process at a random moment, and adds what it had accepted. It
// returns the size of the file then.
func (r recording) run(t *testing.T, accepted map[string]bool) int64 {
	t.Helper()
	task, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDFAST_RECORDER="+string(task))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := true
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if first {
			time.AfterFunc(time.Duration(rand.Int64N(int64(100*time.Millisecond))), func() { _ = cmd.Process.Kill() })
			first = false
		}
		accepted[lines.Text()] = true
	}
	_ = cmd.Wait()
	if first {
		t.Fatal("the process accepted nothing")
	}
	file, err := os.Stat(r.File)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was killed before the first batch
		return 0
	case err != nil:
		t.Fatal(err)
	}
	return file.Size()
}

// Processes that record into a spool are killed again and again while they write
// to a file and to PostgreSQL. What they accepted is in both in the end: in
// PostgreSQL once, in the file, which does not look for ids, at most one batch is
// repeated for each kill.
func TestNothingAcceptedIsLostWhenTheProcessIsKilled(t *testing.T) {
	server := startPostgres(t)
	rounds := 20
	if long() {
		rounds = 200
	}
	for name, level := range map[string]audit.Durability{"process": audit.Process, "interval": audit.Interval, "disk": audit.Disk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := recording{Dir: filepath.Join(dir, "spool"), File: filepath.Join(dir, "trail.jsonl"), URL: server.URL(server.Addr(), "postgres"), Table: "trail_" + name, Level: level}
			migrated(t, server.open(t), gormsink.WithTable(r.Table))
			accepted := make(map[string]bool)
			var kills []int64 // where the file ended
			for r.Round = range rounds {
				kills = append(kills, r.run(t, accepted))
			}
			trail, table, err := r.open(server.open(t)) // as the next process
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := trail.Close(ctx); err != nil {
				t.Fatal(err)
			}

			stored := make(map[string]int)
			for e, err := range table.Query(ctx, gormsink.Criteria{Types: []string{"test"}}) {
				if err != nil {
					t.Fatal(err)
				}
				stored[e.Reason]++
			}
			if gaps, err := table.Gaps(ctx); err != nil || len(gaps) > 0 {
				t.Errorf("gaps %+v, %v", gaps, err)
			}
			lines, repeated := r.lines(t, kills)
			repeats := 0
			for kill, n := range repeated {
				if repeats += n; n > killedBatch {
					t.Errorf("after kill %d the file repeats %d events, more than the %d of a batch", kill, n, killedBatch)
				}
			}
			for reason := range accepted {
				if stored[reason] != 1 || !lines[reason] {
					t.Errorf("%s was accepted; PostgreSQL has it %d times, the file: %v", reason, stored[reason], lines[reason])
				}
			}
			for reason, n := range stored {
				if n != 1 {
					t.Errorf("%s is stored %d times", reason, n)
				}
			}
			t.Logf("%d kills, %d events accepted, %d stored; the file repeats %d", rounds, len(accepted), len(stored), repeats)
		})
	}
}

// lines returns the reasons of the events in the file, and how many of them are
// there again, with the same id, after each kill, and before the next.
func (r recording) lines(t *testing.T, kills []int64) (reasons map[string]bool, repeats []int) {
	t.Helper()
	data, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	reasons = make(map[string]bool)
	seen := make(map[audit.ID]string)
	repeats = make([]int, len(kills)+1)
	at, kill := int64(0), 0
	for line := range bytes.Lines(data) {
		for kill < len(kills) && at >= kills[kill] {
			kill++
		}
		at += int64(len(line))
		var e audit.Event
		if json.Unmarshal(line, &e) != nil {
			continue // of a write that the kill has ended
		}
		before, again := seen[e.ID]
		text := strings.TrimSpace(string(line))
		if seen[e.ID] = text; again && e.Type == "test" {
			repeats[kill]++
			if before != text {
				t.Errorf("%s and then %s", before, text)
			}
		}
		if e.Type == "test" {
			if reasons[e.Reason] && !again {
				t.Errorf("%s is there with two ids", e.Reason)
			}
			reasons[e.Reason] = true
		}
	}
	return reasons, repeats
}
