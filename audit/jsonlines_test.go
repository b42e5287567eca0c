// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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

// Also when another process has made the file, which may not have come so far.
func TestTheNameOfAFileIsDurableBeforeALineIs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "trail.jsonl")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := NewJSONLines(path, WithRotation(1000))
	defer j.Close()
	entered, fails := 0, errFullDisk
	j.enter = func(where string) error {
		if entered++; where != dir {
			t.Errorf("entered %s, want %s", where, dir)
		}
		return fails
	}
	if err := j.Write(t.Context(), reasons(t, 1)); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errFullDisk) {
		t.Errorf("%v, want the error of the folder", err)
	}
	fails = nil
	for batch := range slices.Chunk(reasons(t, 60), 3) {
		mustWrite(t, j, batch)
	}
	rotated, err := filepath.Glob(path + ".*")
	if err != nil || len(rotated) == 0 || entered != len(rotated)+2 {
		t.Errorf("%d files, entered %d times, %v", len(rotated)+1, entered, err)
	}
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
		if err := second.Write(t.Context(), all[2:]); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), path+": another process") {
			t.Errorf("a second writer: %v, want ErrUnavailable that names the file and the cause", err)
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

// lateFile is a file that another process has written to before it is locked.
type lateFile struct {
	faultyFile
	other func()
}

func (f lateFile) Fd() uintptr {
	f.other()
	return f.File.Fd()
}

func TestAFailedBatchTakesNothingOfAnotherProcessAlong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	all := reasons(t, 2)
	other := NewJSONLines(path)
	j := NewJSONLines(path)
	defer j.Close()
	j.open = func(path string) (file, error) {
		f, err := openFile(path)
		return lateFile{faultyFile{f.(*os.File), map[string]error{"write": errFullDisk}}, func() {
			mustWrite(t, other, all[:1])
			_ = other.Close()
		}}, err
	}
	if err := j.Write(t.Context(), all[1:]); !errors.Is(err, errFullDisk) {
		t.Error(err)
	}
	if data, _ := os.ReadFile(path); bytes.Count(data, []byte{'\n'}) != 1 {
		t.Errorf("of the other process's event there is %q", data)
	}
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
