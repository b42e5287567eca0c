// SPDX-License-Identifier: MIT

package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Open locks the folder, which it makes, and reads all its segments. What is
// damaged is cut off, kept in a file of its own and described in damage. Folders
// beside it whose names are the same up to a dot, and that no process has locked,
// are adopted: their segments become this folder's newest, one by one; when the process
// ends meanwhile, none is lost, but their order may be. Then visit gets every
// frame, oldest first, settled or not, with how many frames of its segment each
// reader has settled. The first frame that is appended begins a new segment.
//
// Open waits a second for a folder that is locked.
func Open(dir string, o Options, visit func(at Pos, payload []byte, settled []int)) (f *Folder, damage []string, err error) {
	f = &Folder{dir: dir, o: o, turn: make(chan struct{}, 1)}
	path := filepath.Join(dir, "lock")
	for tries := 1; ; tries++ {
		if f.lock, err = o.FS.Lock(path); !errors.Is(err, ErrLocked) || tries == 20 {
			break
		}
		time.Sleep(50 * time.Millisecond) // the process before may just end, or another one look whether it has
	}
	if err != nil {
		return nil, nil, err
	}
	if err = f.keepName(); err == nil { // before segments are moved into it
		damage, err = f.loadAll(visit)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(false))
	}
	return f, damage, nil
}

// keepName makes the names of the folder and of those above it durable, some of which
// Lock may have made.
func (f *Folder) keepName() error {
	for dir, above := f.dir, filepath.Dir(f.dir); above != dir; dir, above = above, filepath.Dir(above) {
		if err := f.o.FS.SyncDir(above); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) loadAll(visit func(Pos, []byte, []int)) (damage []string, err error) {
	for _, end := range []string{".seg", ".torn"} { // what was cut off is not overwritten
		numbers, err := f.list(f.dir, end)
		if err != nil {
			return nil, err
		}
		if len(numbers) > 0 {
			f.last = max(f.last, numbers[len(numbers)-1])
		}
	}
	f.adoptAll()
	numbers, err := f.list(f.dir, ".seg")
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		lost, err := f.load(n, visit)
		if err != nil {
			return nil, fmt.Errorf("segment %016x: %w", n, err)
		}
		if lost != "" {
			damage = append(damage, lost)
		}
	}
	f.low.Store(f.o.FS.Free(f.dir) < f.o.MinFree)
	return damage, f.o.FS.SyncDir(f.dir)
}

// list returns the numbers of the files in a folder whose names end so.
func (f *Folder) list(dir, end string) (numbers []uint64, err error) {
	entries, err := f.o.FS.ReadDir(dir)
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), end); ok {
			if n, err := strconv.ParseUint(name, 16, 64); err == nil && len(name) == 16 {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// load reads a segment, and cuts off what is damaged.
func (f *Folder) load(number uint64, visit func(Pos, []byte, []int)) (lost string, err error) {
	path := f.path(number)
	file, err := f.o.FS.Open(path)
	if err != nil {
		return "", err
	}
	data, err := read(file)
	if err != nil {
		return "", errors.Join(err, file.Close())
	}
	whole, known := checkHeader(data)
	switch {
	case !whole:
		_ = file.Close()
		if blank(data) {
			return "", f.o.FS.Remove(path)
		}
		return fmt.Sprintf("%s: no header, %d bytes", path, len(data)), f.o.FS.Rename(path, torn(path))
	case !known:
		return "", errors.Join(ErrVersion, file.Close())
	}
	s := f.segment(number, file, headerSum(data))
	good, sum := walk(data[headerSize:], s.base, func([]byte) bool { s.frames++; return true })
	s.sum, s.size = sum, int64(headerSize+good)
	for r := range s.settled {
		s.generations[r], s.settled[r] = readSlots(data, r)
		s.settled[r] = min(s.settled[r], s.frames)
	}
	if f.o.Level != Process { // the process that wrote it may have ended before its sync
		if err := file.Sync(); err != nil {
			return "", errors.Join(err, file.Close())
		}
	}
	if tail := data[s.size:]; len(tail) > 0 {
		if !blank(tail) {
			lost = fmt.Sprintf("%s: %d bytes after %d frames", path, len(tail), s.frames)
			err = f.keep(torn(path), tail)
		}
		if err == nil {
			err = file.Truncate(s.size)
		}
		if err != nil {
			return "", errors.Join(err, file.Close())
		}
	}
	f.segments = append(f.segments, s)
	f.bytes.Add(s.size)
	at := Pos{Segment: number}
	walk(data[headerSize:s.size], s.base, func(payload []byte) bool {
		visit(at, payload, s.settled)
		at.Index++
		return true
	})
	return lost, nil
}

func torn(path string) string { return strings.TrimSuffix(path, ".seg") + ".torn" }

// keep writes what was cut off to a file. One of that name is from an attempt
// that ended before the cut, and has the same.
func (f *Folder) keep(path string, tail []byte) error {
	file, err := f.o.FS.Create(path)
	if errors.Is(err, fs.ErrExist) {
		file, err = f.o.FS.Open(path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteAt(tail, 0)
	return errors.Join(err, file.Sync(), file.Close(), f.o.FS.SyncDir(f.dir))
}

func read(file File) ([]byte, error) {
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := file.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

func blank(data []byte) bool { return !slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) }

// adoptAll adopts this folder's kin whose processes have ended. What cannot be
// adopted stays for the next time.
func (f *Folder) adoptAll() {
	parent, name := filepath.Split(f.dir)
	kin, _, _ := strings.Cut(name, ".")
	entries, _ := f.o.FS.ReadDir(filepath.Clean(parent))
	for _, e := range entries {
		if dir := filepath.Join(parent, e.Name()); e.IsDir() && dir != f.dir && strings.HasPrefix(e.Name(), kin+".") {
			f.adopt(dir)
		}
	}
}

func (f *Folder) adopt(dir string) {
	if numbers, err := f.list(dir, ".seg"); err != nil || len(numbers) == 0 {
		return
	}
	path := filepath.Join(dir, "lock")
	lock, err := f.o.FS.Lock(path)
	if err != nil {
		return
	}
	defer func() {
		_ = f.o.FS.Remove(path)
		_ = lock.Close()
		_ = f.o.FS.Remove(dir) // unless something else is in it
	}()
	numbers, _ := f.list(dir, ".seg")
	for _, n := range numbers {
		from := filepath.Join(dir, filepath.Base(f.path(n)))
		if f.foreign(from) || f.o.FS.Rename(from, f.path(f.last+1)) != nil {
			return
		}
		f.last++
	}
	_ = f.o.FS.SyncDir(f.dir)
	_ = f.o.FS.SyncDir(dir)
}

// foreign reports whether a segment is one that this version cannot read.
func (f *Folder) foreign(path string) bool {
	file, err := f.o.FS.Open(path)
	if err != nil {
		return true
	}
	header := make([]byte, headerSize)
	_, err = file.ReadAt(header, 0)
	whole, known := checkHeader(header)
	return file.Close() != nil || err == nil && whole && !known
}

// First returns the place of the first frame of the next segment after number
// that the reader needs; false when there is none.
func (f *Folder) First(reader int, number uint64) (Pos, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.segments {
		if s.number > number && s.settled[reader] < s.frames {
			return Pos{s.number, max(s.skip, s.settled[reader])}, true
		}
	}
	return Pos{}, false
}

// Read returns payloads from the place at on, those of about limit bytes and at
// least one; none at the end of the segment. [ErrDamaged] says that the rest of
// the segment cannot be read.
func (f *Folder) Read(reader int, at Pos, limit int) (payloads [][]byte, err error) {
	f.mu.Lock()
	s := f.find(at.Segment)
	if s == nil || at.Index >= s.frames {
		f.mu.Unlock()
		return nil, nil
	}
	m, size := &s.marks[reader], s.size
	f.mu.Unlock()
	if m.offset == 0 || m.index > at.Index {
		*m = mark{offset: headerSize, sum: s.base}
	}
	for n := int64(limit); len(payloads) == 0; {
		rest := size - m.offset
		data := make([]byte, min(n, rest))
		if _, err := s.file.ReadAt(data, m.offset); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		good, sum := walk(data, m.sum, func(payload []byte) bool {
			if m.index >= at.Index {
				payloads = append(payloads, payload)
			}
			m.index++
			return true
		})
		m.offset, m.sum = m.offset+int64(good), sum
		if good == 0 {
			if n >= rest {
				return nil, ErrDamaged
			}
			n *= 2
		}
	}
	return payloads, nil
}

// Close gives the folder up, for another process to adopt. With remove it deletes
// it, when nothing in it is needed.
func (f *Folder) Close(remove bool) error {
	var errs []error
	if !remove && f.o.Level == Interval && f.Sync() != nil {
		_, err := f.Append(nil, 0)
		errs = append(errs, err)
	}
	f.sweep()
	f.mu.Lock()
	segments := f.segments
	f.segments, f.current = nil, nil
	f.mu.Unlock()
	for _, s := range segments {
		errs = append(errs, s.file.Close())
		if remove {
			errs = append(errs, f.o.FS.Remove(f.path(s.number)))
		}
	}
	if !remove {
		return errors.Join(append(errs, f.lock.Close())...)
	}
	_ = f.o.FS.Remove(filepath.Join(f.dir, "lock"))
	err := f.lock.Close()
	_ = f.o.FS.Remove(f.dir) // unless something else is in it
	return errors.Join(append(errs, err)...)
}
