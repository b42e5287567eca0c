// SPDX-License-Identifier: MIT

package spool

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// Level is what an appended frame survives.
type Level uint8

const (
	Interval Level = iota // the end of the process; of the machine from the next Sync on
	Process               // the end of the process
	Disk                  // the end of the machine
)

var (
	// ErrLocked says that another process, or another Folder, has the folder.
	ErrLocked = errors.New("spool: another process has the folder")
	// ErrDamaged says that what was written cannot be read back.
	ErrDamaged = errors.New("spool: damaged")
	// ErrVersion says that a newer version has written the folder.
	ErrVersion = errors.New("spool: written by a newer version")
)

// Options configure a [Folder].
type Options struct {
	Level        Level
	Readers      int   // at most MaxReaders
	SegmentBytes int64 // from which on a segment gets no more frames
	MaxBytes     int64 // bounds the segments together
	MinFree      int64 // bytes that stay free on the disk
	// Head returns the payload of the first frame of a new segment, which this
	// process does not read; nil for none.
	Head func() []byte
	FS   FS
}

// Pos is the place of a frame: the n-th of a segment, from 0.
type Pos struct {
	Segment uint64
	Index   int
}

// Folder is a spool. Calls of Append must not overlap, nor may those of Settle and
// Read for one reader; the rest is safe for concurrent use.
type Folder struct {
	dir  string
	o    Options
	lock io.Closer
	turn chan struct{} // full during a sync: of two at a time, the system may report an error to one

	mu       sync.Mutex // not held during I/O
	segments []*segment // oldest first
	current  *segment   // the last of them while it is written to
	trash    []*segment // to be removed
	last     uint64     // highest number in use
	unsynced []byte     // at Interval: frames that the disk may not have
	failures uint64
	err      error // of the last write or sync, nil after one that succeeded

	bytes atomic.Int64 // of the segments
	low   atomic.Bool  // the disk has less than MinFree
}

type segment struct {
	number      uint64
	file        File
	base, sum   uint32 // CRCs of the header and of the last frame
	size        int64
	frames      int
	skip        int      // frames at the start that are not for this process
	settled     []int    // by each reader
	generations []uint64 // of the slots
	marks       []mark   // where each reader reads on
	broken      bool     // a write or sync failed
}

type mark struct {
	index  int
	offset int64
	sum    uint32
}

func (f *Folder) path(number uint64) string {
	return filepath.Join(f.dir, fmt.Sprintf("%016x.seg", number))
}

// Append writes n frames, which it changes, as durably as the level says, and
// returns the place of the first one. An error means that no later process will
// read them, unless the file system does not even cut them off again. Without
// frames it only repairs what a failed Sync has left.
func (f *Folder) Append(frames []byte, n int) (Pos, error) {
	f.mu.Lock()
	seg := f.current
	broken := f.err != nil
	f.mu.Unlock()
	if n == 0 && !broken {
		return Pos{}, nil
	}
	if seg != nil && seg.size+int64(len(frames)) > f.o.SegmentBytes {
		f.finish()
		seg = nil
	}
	if seg == nil {
		return f.begin(frames, n)
	}
	sum := chain(frames, seg.sum)
	_, err := seg.file.WriteAt(frames, seg.size)
	if err == nil && f.o.Level == Disk {
		err = seg.file.Sync()
	}
	if err != nil {
		f.fail(seg, err)
		_ = seg.file.Truncate(seg.size)
		return f.begin(frames, n)
	}
	f.bytes.Add(int64(len(frames)))
	f.mu.Lock()
	at := Pos{seg.number, seg.frames}
	seg.sum, seg.size, seg.frames = sum, seg.size+int64(len(frames)), seg.frames+n
	if f.o.Level == Interval {
		f.unsynced = append(f.unsynced, frames...)
	}
	f.mu.Unlock()
	return at, nil
}

// begin writes the frames, and what the disk may not have, to a new segment.
func (f *Folder) begin(frames []byte, n int) (Pos, error) {
	f.sweep()
	body := newHeader()
	skip := 0
	if f.o.Head != nil {
		if head := f.o.Head(); head != nil {
			frame := append(Reserve(nil), head...)
			Finish(frame)
			body = append(body, frame...)
			skip++
		}
	}
	f.mu.Lock()
	f.last++
	number := f.last
	body = append(body, f.unsynced...)
	for rest := f.unsynced; len(rest) > 0; rest = rest[frameHead+length(rest):] {
		skip++
	}
	f.mu.Unlock()
	body = append(body, frames...)
	base := headerSum(body)
	sum := chain(body[headerSize:], base)

	path := f.path(number)
	file, err := f.o.FS.Create(path)
	if err == nil {
		if _, err = file.WriteAt(body, 0); err == nil && f.o.Level != Process {
			if err = file.Sync(); err == nil {
				err = f.o.FS.SyncDir(f.dir)
			}
		}
		if err != nil {
			err = errors.Join(err, file.Close())
			_ = f.o.FS.Remove(path)
		}
	}
	f.low.Store(f.o.FS.Free(f.dir) < f.o.MinFree)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err = err; err != nil {
		f.failures++
		return Pos{}, err
	}
	seg := f.segment(number, file, base)
	seg.sum, seg.size, seg.frames, seg.skip = sum, int64(len(body)), skip+n, skip
	f.segments = append(f.segments, seg)
	f.current = seg
	f.bytes.Add(seg.size)
	f.unsynced = f.unsynced[:0]
	return Pos{number, skip}, nil
}

func (f *Folder) segment(number uint64, file File, base uint32) *segment {
	n := f.o.Readers
	return &segment{number: number, file: file, base: base, settled: make([]int, n), generations: make([]uint64, n), marks: make([]mark, n)}
}

// finish ends the segment that is written to.
func (f *Folder) finish() {
	if f.o.Level == Interval {
		_ = f.Sync() // after an error, the next segment gets what this one may not have
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = nil
}

// fail ends a segment that a write or sync has failed for.
func (f *Folder) fail(seg *segment, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seg.broken = true
	f.failures++
	f.err = err
	if f.current == seg {
		f.current = nil
	}
}

// Sync makes durable, at Interval, what was appended before the call. After an
// error Append has to be called, which repairs.
func (f *Folder) Sync() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	f.mu.Lock()
	seg, n := f.current, len(f.unsynced)
	if seg == nil || n == 0 {
		defer f.mu.Unlock()
		return f.err
	}
	f.mu.Unlock()
	err := seg.file.Sync()
	f.mu.Lock()
	current := f.current == seg
	if err == nil && current {
		f.unsynced = append(f.unsynced[:0], f.unsynced[n:]...)
	}
	f.mu.Unlock()
	if err != nil && current {
		f.fail(seg, err)
		return err
	}
	return nil
}

// Settle notes that the reader needs nothing before the place to any more, and
// removes segments that no reader needs.
func (f *Folder) Settle(reader int, to Pos) {
	type write struct {
		file File
		at   int64
		slot []byte
	}
	var writes []write
	f.mu.Lock()
	for _, s := range f.segments {
		n := s.frames
		if s.number == to.Segment {
			n = min(n, to.Index)
		}
		if s.number > to.Segment || n <= s.settled[reader] {
			continue
		}
		s.settled[reader] = n
		if !s.broken && (s == f.current || !s.done()) {
			s.generations[reader]++
			at, b := slot(s.base, reader, s.generations[reader], n)
			writes = append(writes, write{s.file, at, b})
		}
	}
	f.discard()
	f.mu.Unlock()
	for _, w := range writes {
		_, _ = w.file.WriteAt(w.slot, w.at) // without it, frames are read again after a restart
	}
	f.sweep()
}

// Forgo gives up, for the reader, a segment that Complete has returned. The file
// is removed when the next segment begins, or by Settle or Probe.
func (f *Folder) Forgo(reader int, number uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.find(number); s != nil {
		s.settled[reader] = s.frames
		f.discard()
	}
}

func (s *segment) done() bool {
	return !slices.ContainsFunc(s.settled, func(n int) bool { return n < s.frames })
}

// discard moves segments that no reader needs into the trash. The one that is
// written to stays: its first frame may be all that is left of a run. Called with
// mu held.
func (f *Folder) discard() {
	f.segments = slices.DeleteFunc(f.segments, func(s *segment) bool {
		over := s != f.current && s.done()
		if over {
			f.bytes.Add(-s.size)
			f.trash = append(f.trash, s)
		}
		return over
	})
}

func (f *Folder) sweep() {
	f.mu.Lock()
	trash := f.trash
	f.trash = nil
	f.mu.Unlock()
	for _, s := range trash {
		_ = s.file.Close()
		_ = f.o.FS.Remove(f.path(s.number))
	}
}

func (f *Folder) find(number uint64) *segment {
	if i := slices.IndexFunc(f.segments, func(s *segment) bool { return s.number == number }); i >= 0 {
		return f.segments[i]
	}
	return nil
}

// Needs reports whether the reader has not settled all of the segment.
func (f *Folder) Needs(reader int, number uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.find(number)
	return s != nil && s.settled[reader] < s.frames
}

// Complete returns the numbers of the segments that get no more frames.
func (f *Folder) Complete() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []uint64
	for _, s := range f.segments {
		if s != f.current {
			list = append(list, s.number)
		}
	}
	return list
}

// Room reports whether n more bytes are allowed.
func (f *Folder) Room(n int) bool { return f.bytes.Load()+int64(n) <= f.o.MaxBytes }

// Low reports whether the disk has too little free space.
func (f *Folder) Low() bool { return f.low.Load() }

// Probe looks at the free space of the disk again when it was too little.
func (f *Folder) Probe() {
	if f.low.Load() {
		f.sweep()
		f.low.Store(f.o.FS.Free(f.dir) < f.o.MinFree)
	}
}

// State returns the bytes on disk, how often writing has failed, and the error
// while it does.
func (f *Folder) State() (bytes int64, failures uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes.Load(), f.failures, f.err
}

// Before reports whether p is a place, and lies before q.
func (p Pos) Before(q Pos) bool {
	return p.Segment > 0 && (p.Segment < q.Segment || p.Segment == q.Segment && p.Index < q.Index)
}
