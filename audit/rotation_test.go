// SPDX-License-Identifier: MIT

package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestFilesRotateAtTheLimitAndNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "trail.jsonl")
	j := NewJSONLines(path, WithRotation(1000))
	defer j.Close()
	j.now = func() time.Time { return time.Date(2026, 12, 11, 12, 0, 0, 0, time.UTC) } // so that names would collide
	all := reasons(t, 60)
	for batch := range slices.Chunk(all, 3) {
		mustWrite(t, j, batch)
	}
	files, err := filepath.Glob(path + ".*")
	if err != nil || len(files) < 3 || filepath.Base(files[0]) != "trail.jsonl.20261211T120000.000000Z" {
		t.Fatalf("rotated into %v, %v", files, err)
	}
	var got []Event
	for _, name := range append(files, path) {
		if info, err := os.Stat(name); err != nil || info.Size() > 1000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		got = append(got, readLines(t, name)...)
	}
	if !slices.Equal(got, all) {
		t.Errorf("%d events are in the files, want %d in their order", len(got), len(all))
	}
}

func TestRotationKeepsASymbolicLink(t *testing.T) {
	dir := t.TempDir()
	link, big := filepath.Join(dir, "trail.jsonl"), filepath.Join(dir, "big")
	if err := errors.Join(os.Mkdir(big, 0o700), os.Symlink(filepath.Join("big", "real.jsonl"), link)); err != nil {
		t.Fatal(err)
	}
	j := NewJSONLines(link, WithRotation(500), WithRetention(2, 0))
	defer j.Close()
	for batch := range slices.Chunk(reasons(t, 30), 2) {
		mustWrite(t, j, batch)
	}
	if to, err := os.Readlink(link); err != nil || to != filepath.Join("big", "real.jsonl") {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if files, _ := filepath.Glob(filepath.Join(big, "real.jsonl*")); len(files) != 3 {
		t.Errorf("behind the link are %v, want the file and two rotated ones", files)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 2 {
		t.Errorf("beside the link are %v, want nothing new", files)
	}
}

func TestRotatedFilesAgeOutByCountAndAge(t *testing.T) {
	start := time.Date(2026, 12, 11, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		files int
		age   time.Duration
		want  []int // the days whose files are left
	}{
		"no limit":    {0, 0, []int{0, 1, 2, 3, 4, 5}},
		"by count":    {2, 0, []int{4, 5}},
		"by age":      {0, 49 * time.Hour, []int{3, 4, 5}},
		"the earlier": {2, 49 * time.Hour, []int{4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trail.jsonl")
			strangers := []string{path + ".1", path + ".20261211T120000.000000Z.gz", path + "x.20200101T120000.000000Z"}
			for _, name := range strangers {
				if err := os.WriteFile(name, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			j := NewJSONLines(path, WithRotation(1), WithRetention(c.files, c.age))
			defer j.Close()
			now := start.AddDate(0, 0, -1)
			j.now = func() time.Time { return now }
			for _, e := range reasons(t, 7) { // each but the first rotates the one before
				mustWrite(t, j, []Event{e})
				now = now.AddDate(0, 0, 1)
			}
			var want []string
			for _, day := range c.want {
				want = append(want, path+start.AddDate(0, 0, day).Format(stamp))
			}
			got, _ := filepath.Glob(path + ".2026*Z")
			if !slices.Equal(got, want) {
				t.Errorf("left are %v, want %v", got, want)
			}
			for _, name := range strangers {
				if _, err := os.Stat(name); err != nil {
					t.Error(err)
				}
			}
			if !slices.Contains(c.want, 0) {
				now = now.AddDate(1, 0, 0)
				j.limit = 0
				mustWrite(t, j, reasons(t, 1))
				if got, _ := filepath.Glob(path + ".2026*Z"); c.age > 0 && len(got) > 0 {
					t.Errorf("a year later, without a rotation, left are %v", got)
				}
			}
		})
	}
}

// TestAKilledWriterLeavesEachAcknowledgedEventAndRepeatsOneBatchAtMost kills a
// child that writes batches, and starts it again from the batch that was not
// acknowledged.
func TestAKilledWriterLeavesEachAcknowledgedEventAndRepeatsOneBatchAtMost(t *testing.T) {
	const size, kills = 20, 4
	batch := func(n int) []Event {
		events := make([]Event, size)
		for i := range events {
			events[i] = Event{ID: DerivedID(time.Unix(1e9, 0), fmt.Sprint(n*size+i)), Type: "ok", Reason: fmt.Sprint(n*size + i)}
		}
		return frozenEvents(t, events...)
	}
	if at := os.Getenv("HOLDFAST_CHILD_WRITES"); at != "" {
		var n int
		var path string
		fmt.Sscan(at, &n, &path)
		for j := NewJSONLines(path, WithRotation(20_000)); ; n++ {
			mustWrite(t, j, batch(n))
			fmt.Println("stored", n)
		}
	}
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	next := 0
	for range kills {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), fmt.Sprintf("HOLDFAST_CHILD_WRITES=%d %s", next, path))
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for until := next + 10; lines.Scan(); {
			if n, err := fmt.Sscanf(lines.Text(), "stored %d", &next); n == 1 && err == nil {
				if next++; next == until {
					_ = child.Process.Kill()
				}
			}
		}
		_ = child.Wait()
	}
	times := make(map[string]int)
	files, _ := filepath.Glob(path + "*")
	for _, name := range files {
		data, _ := os.ReadFile(name)
		for line := range bytes.Lines(data) {
			var e Event
			if json.Unmarshal(line, &e) == nil { // else the end of a killed child
				times[e.Reason]++
			}
		}
	}
	repeated := 0
	for i := range next * size {
		if times[fmt.Sprint(i)] == 0 {
			t.Fatalf("event %d was acknowledged and is not there", i)
		}
		repeated += times[fmt.Sprint(i)] - 1
	}
	if repeated > kills*size {
		t.Errorf("%d events are there again after %d kills, want at most a batch of %d for each", repeated, kills, size)
	}
}
