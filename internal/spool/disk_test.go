// SPDX-License-Identifier: MIT

package spool

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
)

// disk is a file system that forgets at a crash what was not synced, as badly as
// one may: of the writes to a file since its last sync each may be there, not be
// there, or be there in part, in any order; of the changes of names, too. After a
// failed sync the writes before it never become durable, although they can be
// read. A folder whose name was not synced is gone, with all in it. Once frozen it
// changes nothing any more.
type disk struct {
	random  *rand.Rand
	names   map[string]*inode // as they are
	durable map[string]*inode // as they are after a crash
	renames []rename          // not synced
	folders map[string]bool   // that were made, and whether their names are durable
	locked  map[string]bool

	ops, freezeAt int     // operations that change something
	faulty        float64 // probability that a write or sync fails
	space         int64
	frozen        bool
	during        func() // called once in the middle of a sync
}

type inode struct {
	data, durable []byte
	writes        []change // not synced
}

type change struct {
	at   int64
	data []byte // nil: cut to at
}

type rename struct {
	from, to string // one of them may be empty
	made     *inode // by a rename from nowhere
}

var errFrozen = errors.New("the machine has crashed")

func newDisk(random *rand.Rand) *disk {
	return &disk{random: random, names: make(map[string]*inode), durable: make(map[string]*inode), folders: make(map[string]bool), locked: make(map[string]bool), freezeAt: -1, space: 1 << 40}
}

// step counts an operation.
func (d *disk) step() error {
	if d.ops++; d.frozen || d.ops == d.freezeAt {
		d.frozen = true
		return errFrozen
	}
	return nil
}

func (d *disk) fails() bool { return d.faulty > 0 && d.random.Float64() < d.faulty }

func (f *inode) apply(to []byte, c change) []byte {
	switch end := c.at + int64(len(c.data)); {
	case c.data == nil && c.at < int64(len(to)):
		return slices.Clone(to[:c.at])
	case c.data == nil:
		return to
	case end > int64(len(to)):
		to = append(slices.Clone(to), make([]byte, end-int64(len(to)))...)
	default:
		to = slices.Clone(to)
	}
	copy(to[c.at:], c.data)
	return to
}

// crash returns the disk as it is after the machine has ended, or, if not the
// machine, the process.
func (d *disk) crash(machine bool) *disk {
	after := newDisk(d.random)
	if !machine {
		after.names, after.folders = d.names, d.folders
		after.durable, after.renames = d.durable, d.renames
		return after
	}
	names := maps.Clone(d.durable)
	for _, r := range d.renames {
		if d.random.IntN(2) == 0 {
			move(names, r)
		}
	}
	after.folders = maps.Clone(d.folders)
	maps.DeleteFunc(after.folders, func(_ string, durable bool) bool { return !durable })
	maps.DeleteFunc(names, func(name string, _ *inode) bool {
		for dir := filepath.Dir(name); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if !after.folders[dir] {
				return true
			}
		}
		return false
	})
	seen := make(map[*inode]*inode)
	for name, f := range names {
		if seen[f] == nil {
			data := f.durable
			for _, i := range d.random.Perm(len(f.writes)) {
				c := f.writes[i]
				switch d.random.IntN(4) {
				case 0:
				case 1: // torn: some of its sectors
					for at := 0; at < len(c.data); at += 512 {
						if d.random.IntN(2) == 0 {
							part := c.data[at:min(at+512, len(c.data))]
							data = f.apply(data, change{c.at + int64(at), part})
						}
					}
				default:
					data = f.apply(data, c)
				}
			}
			seen[f] = &inode{data: data, durable: data}
		}
		after.names[name], after.durable[name] = seen[f], seen[f]
	}
	return after
}

// move does a change of names.
func move(names map[string]*inode, r rename) {
	f := r.made
	if r.from != "" {
		f = names[r.from]
	}
	delete(names, r.from)
	if r.to != "" && f != nil {
		names[r.to] = f
	}
}

func (d *disk) Free(string) int64 { return d.space }

func (d *disk) ReadDir(dir string) (list []fs.DirEntry, err error) {
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		rest, err := filepath.Rel(dir, name)
		if err != nil || !filepath.IsLocal(rest) {
			continue
		}
		first := rest
		for filepath.Dir(first) != "." {
			first = filepath.Dir(first)
		}
		if !seen[first] {
			seen[first] = true
			list = append(list, entry{name: first, dir: first != rest})
		}
	}
	return list, nil
}

type entry struct {
	fs.DirEntry
	name string
	dir  bool
}

func (e entry) Name() string { return e.name }
func (e entry) IsDir() bool  { return e.dir }

func (d *disk) Create(path string) (File, error) {
	if d.names[path] != nil {
		return nil, fs.ErrExist
	}
	if d.fails() {
		return nil, syscall.EIO
	}
	if err := d.move(rename{to: path, made: new(inode)}); err != nil {
		return nil, err
	}
	return d.Open(path)
}

func (d *disk) Open(path string) (File, error) {
	if f := d.names[path]; f != nil {
		return &handle{disk: d, inode: f}, nil
	}
	return nil, fs.ErrNotExist
}

func (d *disk) Rename(from, to string) error { return d.move(rename{from: from, to: to}) }
func (d *disk) Remove(path string) error {
	if d.names[path] == nil {
		if list, _ := d.ReadDir(path); len(list) == 0 && !d.frozen {
			delete(d.folders, path) // a crash may bring it back, empty
		}
		return fs.ErrNotExist
	}
	return d.move(rename{from: path})
}

func (d *disk) move(r rename) error {
	if err := d.step(); err != nil {
		return err
	}
	move(d.names, r)
	d.renames = append(d.renames, r)
	return nil
}

func (d *disk) SyncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.fails() {
		return syscall.EIO
	}
	synced, before := make(map[rename]bool), make(map[string]bool) // what made their names comes first
	for _, r := range slices.Backward(d.renames) {
		if filepath.Dir(r.from) == dir || filepath.Dir(r.to) == dir || before[r.to] {
			synced[r], before[r.from] = true, r.from != ""
		}
	}
	d.durable = maps.Clone(d.durable)
	var rest []rename
	for _, r := range d.renames {
		if synced[r] {
			move(d.durable, r)
		} else {
			rest = append(rest, r)
		}
	}
	d.renames = rest
	for made := range d.folders {
		d.folders[made] = d.folders[made] || filepath.Dir(made) == dir
	}
	return nil
}

type unlock func()

func (u unlock) Close() error { u(); return nil }

func (d *disk) Lock(path string) (io.Closer, error) {
	if d.locked[path] {
		return nil, ErrLocked
	}
	d.locked[path] = true
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if !d.folders[dir] {
			d.folders[dir] = false // made, if it was not there
		}
	}
	return unlock(func() { delete(d.locked, path) }), nil
}

type handle struct {
	*disk
	*inode
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(h.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) change(c change) error {
	h.data = h.apply(h.data, c)
	h.writes = append(h.writes, c)
	return nil
}

func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	if err := h.step(); err != nil {
		return 0, err
	}
	if h.fails() {
		n := h.random.IntN(len(b) + 1)
		_ = h.change(change{at, append([]byte{}, b[:n]...)})
		return n, syscall.EIO
	}
	return len(b), h.change(change{at, slices.Clone(b)})
}

func (h *handle) Truncate(size int64) error {
	if err := h.step(); err != nil {
		return err
	}
	return h.change(change{at: size})
}

func (h *handle) Sync() error {
	if err := h.step(); err != nil {
		return err
	}
	writes := h.writes
	h.writes = nil // another sync meanwhile does not wait for these, and does not get their error
	if run := h.during; run != nil {
		h.during = nil
		run()
	}
	failed := h.fails()
	for _, c := range writes {
		if !failed || h.random.IntN(2) == 0 { // what the disk has of them is all that it will have
			h.inode.durable = h.apply(h.inode.durable, c)
		}
	}
	if failed {
		return syscall.EIO
	}
	return nil
}

func (h *handle) Close() error         { return nil }
func (h *handle) Size() (int64, error) { return int64(len(h.data)), nil }
