// SPDX-License-Identifier: MIT

package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// JSONLines is a [Sink] that appends to a file, one line of [Event.AppendJSON]
// for each event. When Write returns nil the lines are on the disk (fsync). A
// batch is in the file as a whole or not at all: the part of it that fitted on
// a full disk is removed. Safe for concurrent use. The open file is locked
// (flock), so the writes of another process, or of another JSONLines, fail while
// it is. Systems without flock, such as Windows, and some network file systems do
// not lock. Make one with [NewJSONLines].
//
// When the file was moved or deleted, the next batch goes into a new file of the
// same name. When another program has cut it, such as logrotate with
// copytruncate, lines may be lost that were written meanwhile; one write then
// returns an error that says so. Rotate by renaming. JSONLines does not look for
// ids that the file has, so a batch whose write was interrupted and is repeated
// may be in it twice, with the same ids.
type JSONLines struct {
	path   string
	limit  int64
	files  int
	age    time.Duration
	now    func() time.Time
	open   func(path string) (file, error)
	rename func(from, to string) error
	enter  func(dir string) error // makes the names in it durable

	mu     sync.Mutex
	file   file  // nil before the first write, and after a failed one
	size   int64 // of the open file after the last write
	torn   bool  // the file may end in the middle of a line
	swept  time.Time
	closed bool
	lines  []byte // reused by each write
}

// file is what is used of an [os.File].
type file interface {
	io.WriteCloser
	io.ReaderAt
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
	Fd() uintptr
}

// JSONLinesOption changes a default of [NewJSONLines].
type JSONLinesOption func(*JSONLines)

// stamp is what rotation adds to the name of a file, as a layout of time.
const stamp = ".20060102T150405.000000Z"

// WithRotation renames the file before it would become larger than bytes, and
// begins a new one. The time is added to the old file's name, such as
// ".20261211T120000.000000Z". A single batch may be larger than bytes. When the
// path is a symbolic link, it stays, and the file behind it is renamed. Without
// the option, or with 0, the file grows without bound.
func WithRotation(bytes int64) JSONLinesOption { return func(j *JSONLines) { j.limit = bytes } }

// WithRetention deletes files that [WithRotation] has renamed: all but the newest
// files, and those renamed longer than age ago. 0 stands for no limit. It looks
// for them after a rotation, after the first write and every hour of writing. A
// file that cannot be deleted is tried again the next time.
func WithRetention(files int, age time.Duration) JSONLinesOption {
	return func(j *JSONLines) { j.files, j.age = files, age }
}

// NewJSONLines returns a sink that appends to the file at path, which the first
// write creates with mode 0600. NewJSONLines does no I/O: while the path cannot
// be written, every write returns [ErrUnavailable]. Nil options are skipped.
func NewJSONLines(path string, opts ...JSONLinesOption) *JSONLines {
	j := &JSONLines{path: path, now: time.Now, open: openFile, rename: os.Rename, enter: spool.OS{}.SyncDir}
	for _, o := range opts {
		if o != nil {
			o(j)
		}
	}
	return j
}

var _ Sink = (*JSONLines)(nil)

func openFile(path string) (file, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
}

// Write appends the batch, with one write and one fsync; the first one after the file
// was opened costs one more fsync, of its folder. Errors wrap [ErrUnavailable], or are
// [ErrClosed] after Close.
func (j *JSONLines) Write(ctx context.Context, batch []Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	case len(batch) == 0:
		return nil
	}
	j.lines = j.lines[:0]
	for i := range batch {
		j.lines = append(batch[i].AppendJSON(j.lines), '\n')
	}
	if err := j.append(j.lines); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// append adds lines to the file at path, which it opens, makes or rotates.
func (j *JSONLines) append(lines []byte) error {
	size, err := j.current()
	if err == nil && j.limit > 0 && size > 0 && size+int64(len(lines)) > j.limit {
		if err = j.rotate(); err == nil {
			size, err = j.current()
		}
	}
	if err != nil {
		return err
	}
	if j.torn {
		lines = append([]byte{'\n'}, lines...) // ends the torn line
	}
	_, err = j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		j.torn, j.size = false, size+int64(len(lines))
		j.sweep()
		return nil
	}
	// How much of the batch is on the disk is unknown, so all of it is removed.
	// After a failed fsync the next one may wrongly succeed, so the file is
	// opened anew.
	return errors.Join(err, j.file.Truncate(size), j.drop())
}

// current opens the file at path unless that is the open one, and returns its
// size.
func (j *JSONLines) current() (size int64, err error) {
	if j.file != nil {
		open, err := j.file.Stat()
		there, gone := os.Stat(j.path)
		if err == nil && gone == nil && os.SameFile(open, there) {
			before := j.size
			if j.size = open.Size(); j.size < before { // the next try goes on
				return 0, fmt.Errorf("%s was cut from %d to %d bytes: lines may be lost; rotate it by renaming, not with copytruncate", j.path, before, j.size)
			}
			return j.size, nil
		}
		if err := j.drop(); err != nil {
			return 0, err
		}
	}
	f, err := j.open(j.path)
	if err != nil {
		return 0, err
	}
	var info fs.FileInfo
	if errors.Is(spool.Flock(f.Fd()), spool.ErrLocked) {
		err = fmt.Errorf("%s: another process or JSONLines writes to the file", j.path)
	} else {
		info, err = f.Stat() // under the lock: another process may have written before
	}
	if there, gone := os.Stat(j.path); err == nil && (gone != nil || !os.SameFile(info, there)) {
		err = fmt.Errorf("%s was moved when it was opened", j.path)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no file", ErrInvalid, j.path)
	}
	last := []byte{'\n'}
	if err == nil && info.Size() > 0 {
		_, err = f.ReadAt(last, info.Size()-1)
	}
	if err == nil { // the process that made the file may have ended before this
		err = j.enter(filepath.Dir(j.target()))
	}
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	j.file, j.size, j.torn = f, info.Size(), last[0] != '\n'
	return j.size, nil
}

// rotate renames the file to a name that is free.
func (j *JSONLines) rotate() error {
	if err := j.drop(); err != nil {
		return err
	}
	j.swept = time.Time{}
	path := j.target()
	for at := j.now(); ; at = at.Add(time.Microsecond) {
		aside := path + at.UTC().Format(stamp)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return j.rename(path, aside)
		} else if err != nil {
			return err
		}
	}
}

// target returns the path of the file itself, behind symbolic links.
func (j *JSONLines) target() string {
	if path, err := filepath.EvalSymlinks(j.path); err == nil {
		return path
	}
	return j.path
}

// sweep deletes the files that have aged out.
func (j *JSONLines) sweep() {
	now := j.now()
	if j.files <= 0 && j.age <= 0 || now.Sub(j.swept) < time.Hour {
		return
	}
	j.swept = now
	dir, base := filepath.Split(j.target())
	entries, _ := os.ReadDir(cmp.Or(dir, ".")) // sorted by name, so by time
	kept := 0
	for _, e := range slices.Backward(entries) {
		end, ours := strings.CutPrefix(e.Name(), base)
		at, err := time.Parse(stamp, end)
		if !ours || err != nil {
			continue
		}
		if kept++; j.files > 0 && kept > j.files || j.age > 0 && now.Sub(at) > j.age {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// drop closes the file; the next write opens it again.
func (j *JSONLines) drop() error {
	f := j.file
	j.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// Close closes the file; later writes return [ErrClosed]. Close the log first,
// because it still writes.
func (j *JSONLines) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	return j.drop()
}
