// SPDX-License-Identifier: MIT

package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// readLines reads the events of a file, every line of which must be one.
func readLines(t *testing.T, path string) (events []Event) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' {
			t.Fatalf("%q is no line of an event: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

func reasons(t *testing.T, n int) []Event {
	t.Helper()
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{Type: "ok", Reason: fmt.Sprint(i)}
	}
	return frozenEvents(t, events...)
}

func mustWrite(t *testing.T, s Sink, batch []Event) {
	t.Helper()
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

func TestEventsReadBackFromTheirLineAsTheyWere(t *testing.T) {
	d, err := ParseDetails(`{ "b" : 1e3, "a":"x\ny", "b":[ ] }`)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range frozenEvents(t, Event{Type: "bare"}, Event{
		Time: time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), Type: "full\n\"", Outcome: Denied, Reason: "\u2028 \\ \x7f",
		Actor: Entity{"guest", "ana", "Ana"}, Resource: Entity{"room", "101", "Room 101"},
		Tenant: "t", Session: "s", Correlation: "c", TraceID: "i", Details: d,
	}) {
		line := e.AppendJSON(nil)
		var got Event
		if err := json.Unmarshal(line, &got); err != nil || got != e || bytes.IndexByte(line, '\n') >= 0 {
			t.Errorf("%s\nreads as %+v, %v; want %+v", line, got, err, e)
		}
	}
	d, err = ParseDetails("{\"a\":\r\n1}")
	if err != nil {
		t.Fatal(err)
	}
	e := frozenEvents(t, Event{Type: "x", Details: d})[0]
	if line := e.AppendJSON(nil); !strings.HasSuffix(string(line), `"details":{"a":  1}}`) {
		t.Errorf("line breaks in details: %s", line)
	}
}

func TestLinesThatAreNoEventAreInvalidAndNotQuoted(t *testing.T) {
	const id = `"id":"01890a5d-ac96-774b-bcce-b302099a8057"`
	for _, line := range []string{
		`canary`, `[]`, `{}`, `{` + id + `}`, `{"type":"canary"}`, `{` + id + `,"type":"t","outcome":"canary"}`, `{"id":"canary","type":"t","outcome":"success"}`,
		`{` + id + `,"type":"t","outcome":"success","time":"canary"}`, `{` + id + `,"type":"t","outcome":"success","details":["canary"]}`,
		`{` + id + `,"type":"t","outcome":"success","reason":7}`,
	} {
		e := Event{Type: "untouched"}
		if err := e.UnmarshalJSON([]byte(line)); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "canary") || e.Type != "untouched" {
			t.Errorf("%s: %v, want ErrInvalid that does not quote it", line, err)
		}
	}
}

// Lines have no version: the next one may add names, the one before may lack
// some.
func TestLinesOfOtherVersionsAreRead(t *testing.T) {
	want := frozenEvents(t, Event{Type: "t", Outcome: Denied})[0]
	line := string(want.AppendJSON(nil))
	for version, line := range map[string]string{
		"this one": line,
		"the next": strings.TrimSuffix(line, "}") + `,"region":{"name":"north"},"actor_roles":["clerk"]}`,
	} {
		var got Event
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", version, got, err, want)
		}
	}
	var got Event
	bare := fmt.Sprintf(`{"id":%q,"type":"t","outcome":"denied"}`, want.ID)
	if err := json.Unmarshal([]byte(bare), &got); err != nil || got != (Event{ID: want.ID, Type: "t", Outcome: Denied}) {
		t.Errorf("the one before: %+v, %v; want the fields that it has", got, err)
	}
}

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

func TestTheNameOfANewFileIsMadeDurableOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "trail.jsonl")
	j := NewJSONLines(path, WithRotation(1000))
	defer j.Close()
	entered := 0
	j.enter = func(where string) {
		if entered++; where != dir {
			t.Errorf("entered %s, want %s", where, dir)
		}
		enterDir(where)
	}
	for batch := range slices.Chunk(reasons(t, 60), 3) {
		mustWrite(t, j, batch)
	}
	rotated, err := filepath.Glob(path + ".*")
	if err != nil || len(rotated) == 0 || entered != len(rotated)+1 {
		t.Errorf("%d files, %d of them entered, %v", len(rotated)+1, entered, err)
	}
	enterDir(path + "/nothing") // returns without a panic
}

func TestAFileThatWasMovedOrDeletedIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	j := NewJSONLines(path)
	defer j.Close()
	all := reasons(t, 4)
	mustWrite(t, j, all[:1])
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, j, all[1:2])
	if got := append(readLines(t, path+".1"), readLines(t, path)...); !slices.Equal(got, all[:2]) {
		t.Errorf("after it was moved: %v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, j, all[2:3])
	if got := readLines(t, path); !slices.Equal(got, all[2:3]) {
		t.Errorf("after it was deleted: %v", got)
	}
}

// logrotate's copytruncate loses what is written between its copy and its cut.
func TestAFileThatAnotherProgramCutsIsReportedAndUsedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	j := NewJSONLines(path)
	defer j.Close()
	all := reasons(t, 4)
	mustWrite(t, j, all[:2])
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := j.Write(t.Context(), all[2:3]); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "copytruncate") {
		t.Errorf("the first write after the cut: %v, want an error that names copytruncate", err)
	}
	mustWrite(t, j, all[2:3])
	mustWrite(t, j, all[3:])
	if got := readLines(t, path); !slices.Equal(got, all[2:]) {
		t.Errorf("after it was cut: %v", got)
	}
}

func TestASecondWriterOfAFileIsRefusedUntilTheFirstOneCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	first, second := NewJSONLines(path), NewJSONLines(path)
	defer second.Close()
	all := reasons(t, 3)
	mustWrite(t, first, all[:1])
	for range 2 {
		if err := second.Write(t.Context(), all[2:]); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("a second writer: %v, want ErrUnavailable that names the cause", err)
		}
	}
	mustWrite(t, first, all[1:2])
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, second, all[2:])
	if got := readLines(t, path); !slices.Equal(got, all) {
		t.Errorf("the file has %v", got)
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

func TestHalfALineOfAnEarlierCrashIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	if err := os.WriteFile(path, []byte(`{"id":"0189`), 0o600); err != nil {
		t.Fatal(err)
	}
	j := NewJSONLines(path)
	defer j.Close()
	mustWrite(t, j, reasons(t, 2))
	data, _ := os.ReadFile(path)
	if first, rest, _ := strings.Cut(string(data), "\n"); first != `{"id":"0189` || strings.Count(rest, "\n") != 2 {
		t.Errorf("the file is %q, want the rest of the crash as a line of its own", data)
	}
}

func TestAPathThatCannotBeWrittenIsUnavailableAndCounted(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"no folder": filepath.Join(dir, "none", "x"), "a folder": dir, "no name": ""} {
		j := NewJSONLines(path)
		if err := j.Write(t.Context(), reasons(t, 1)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		l := newLog(t, j, Config{Retry: Backoff{Tries: 1}})
		mustRecord(t, l, 3)
		loss, ok := errors.AsType[*LossError](l.Close(t.Context()))
		if !ok || len(loss.IDs) != 3 || l.Stats().Dropped[RetriesSpent] != 3 {
			t.Errorf("%s: close: %v, stats %+v; want three counted drops", name, loss, l.Stats())
		}
	}
	j := NewJSONLines(filepath.Join(dir, "later", "x"))
	defer j.Close()
	_ = j.Write(t.Context(), reasons(t, 1))
	if err := os.Mkdir(filepath.Join(dir, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, j, reasons(t, 1)) // once there is a folder
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if err := j.Write(t.Context(), reasons(t, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

var errFullDisk = errors.New("no space left on device")

// faultyFile fails as the plan says.
type faultyFile struct {
	*os.File
	plan map[string]error
}

func (f faultyFile) Write(b []byte) (int, error) {
	if err := f.plan["write"]; err != nil {
		n, _ := f.File.Write(b[:len(b)*2/3]) // in the middle of a line
		return n, err
	}
	return f.File.Write(b)
}

func (f faultyFile) or(call string, do func() error) error {
	if err := f.plan[call]; err != nil {
		return err
	}
	return do()
}
func (f faultyFile) Sync() error  { return f.or("sync", f.File.Sync) }
func (f faultyFile) Close() error { return errors.Join(f.File.Close(), f.plan["close"]) }
func (f faultyFile) Truncate(n int64) error {
	return f.or("truncate", func() error { return f.File.Truncate(n) })
}
func (f faultyFile) Stat() (info fs.FileInfo, err error) {
	err = f.or("stat", func() error { info, err = f.File.Stat(); return err })
	return info, err
}
func (f faultyFile) ReadAt(b []byte, at int64) (n int, err error) {
	err = f.or("read", func() error { n, err = f.File.ReadAt(b, at); return err })
	return n, err
}

// Whichever call fails, each batch is there once when the disk is well again,
// and every line can be read, but for the torn one that a disk leaves that
// cannot even take back.
func TestAFullDiskLeavesNoHalfLine(t *testing.T) {
	for _, fails := range [][]string{{"write"}, {"sync"}, {"write", "close"}, {"sync", "close"}, {"write", "truncate"}, {"stat"}, {"read"}, {"open"}, {"rename"}} {
		t.Run(strings.Join(fails, " and "), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trail.jsonl")
			plan := map[string]error{}
			j := NewJSONLines(path, WithRotation(500))
			defer j.Close()
			j.open = func(path string) (file, error) {
				if plan["open"] != nil {
					return nil, plan["open"]
				}
				f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
				return faultyFile{f, plan}, err
			}
			j.rename = func(from, to string) error {
				if plan["rename"] != nil {
					return plan["rename"]
				}
				return os.Rename(from, to)
			}
			all := reasons(t, 12)
			failed := 0
			for i, batch := range slices.Collect(slices.Chunk(all, 2)) {
				if i == 1 || i == 3 {
					if fails[0] == "open" || fails[0] == "read" {
						_ = j.drop()
					}
					for _, call := range fails {
						plan[call] = errFullDisk
					}
					if err := j.Write(t.Context(), batch); err != nil {
						failed++
						if !errors.Is(err, ErrUnavailable) || !errors.Is(err, errFullDisk) {
							t.Errorf("%v, want ErrUnavailable and the cause", err)
						}
						clear(plan)
						mustWrite(t, j, batch)
					}
					clear(plan)
					continue
				}
				mustWrite(t, j, batch)
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
			var got []Event
			files, _ := filepath.Glob(path + "*")
			slices.Reverse(files)
			for _, name := range append(files[:0:0], files...) {
				data, _ := os.ReadFile(name)
				for line := range bytes.Lines(data) {
					var e Event
					if err := json.Unmarshal(line, &e); err == nil {
						got = append(got, e)
					} else if !slices.Contains(fails, "truncate") {
						t.Errorf("half a line: %q", line)
					}
				}
			}
			slices.SortFunc(got, func(a, b Event) int { return a.ID.Compare(b.ID) })
			if slices.Contains(fails, "truncate") {
				got = slices.Compact(got) // whole lines of the first try may be there as well
			}
			if !slices.Equal(got, all) {
				t.Errorf("%d events are stored, want %d once", len(got), len(all))
			}
		})
	}
}
