// SPDX-License-Identifier: MIT

package spool

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
)

const home = "/spool/home.one"

// life is a program that uses a folder, over several crashes.
type life struct {
	t       *testing.T
	random  *rand.Rand
	disk    *disk
	folder  *Folder
	level   Level
	readers int
	kin     int // how many processes to come have a folder each, and adopt those before

	next     int   // the number of the next frame
	accepted []int // Append returned nil
	sure     []int // and they are durable, as the level says
	refused  map[int]bool
	places   []place // of the frames that this process appended
	settled  []int   // by each reader: the numbers up to here
}

type place struct {
	number int
	at     Pos
}

func (s *life) options() Options {
	return Options{Level: s.level, Readers: s.readers, SegmentBytes: headerSize + 600, MaxBytes: 1 << 40, FS: s.disk}
}

func payload(n int) []byte {
	return []byte(strconv.Itoa(n) + " " + strings.Repeat("x", n*7%90))
}

func framed(numbers ...int) (b []byte) {
	for _, n := range numbers {
		at := len(b)
		b = append(Reserve(b), payload(n)...)
		Finish(b[at:])
	}
	return b
}

// open begins a process, and checks what the one before has left.
func (s *life) open() bool {
	unread := make([][]int, s.readers)
	s.places = nil
	dir := home
	if s.kin--; s.kin >= 0 {
		dir = fmt.Sprintf("/spool/home.%d", s.kin)
	}
	folder, _, err := Open(dir, s.options(), func(at Pos, p []byte, settled []int) {
		n, _ := strconv.Atoi(strings.Fields(string(p))[0])
		if string(p) != string(payload(n)) || n >= s.next {
			s.t.Fatalf("read a frame that was never written: %q", p)
		}
		s.places = append(s.places, place{n, at})
		for r := range unread {
			if at.Index >= settled[r] {
				unread[r] = append(unread[r], n)
			}
		}
	})
	if s.disk.frozen {
		return false
	}
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.folder = folder
	for r, list := range unread {
		for _, n := range s.accepted {
			if n > s.settled[r] && !slices.Contains(list, n) {
				s.t.Fatalf("reader %d: frame %d is lost: unread %v, accepted %v, settled to %d", r, n, list, s.accepted, s.settled[r])
			}
		}
		for i, n := range list {
			if s.refused[n] {
				s.t.Fatalf("frame %d was refused", n)
			}
			if s.kin < 0 && i > 0 && n <= list[i-1] && n > s.settled[r] && !slices.Contains(list[:i], n) {
				s.t.Fatalf("out of order: %v", list)
			}
		}
	}
	s.sure = slices.Clone(s.accepted)
	return true
}

func (s *life) append() {
	var numbers []int
	for range 1 + s.random.IntN(3) {
		numbers = append(numbers, s.next)
		s.next++
	}
	at, err := s.folder.Append(framed(numbers...), len(numbers))
	if err != nil {
		for _, n := range numbers {
			s.refused[n] = !s.disk.frozen
		}
		return
	}
	for i, n := range numbers {
		s.places = append(s.places, place{n, Pos{at.Segment, at.Index + i}})
	}
	s.accepted = append(s.accepted, numbers...)
	if s.level == Disk {
		s.sure = append(s.sure, numbers...)
	}
}

func (s *life) sync() {
	before := slices.Clone(s.accepted)
	if s.level != Interval {
		return
	}
	var others sync.WaitGroup
	if s.random.IntN(2) == 0 {
		s.disk.during = func() {
			others.Go(func() {
				for range 1 + s.random.IntN(4) {
					s.append()
				}
			})
			synctest.Wait()
		}
	}
	err := s.folder.Sync()
	others.Wait()
	s.disk.during = nil
	if err != nil {
		_, err = s.folder.Append(nil, 0)
	}
	if err == nil && !s.disk.frozen {
		s.sure = before
	}
}

// settle lets a reader settle some of what it has not.
func (s *life) settle() {
	r := s.random.IntN(s.readers)
	i := slices.IndexFunc(s.places, func(p place) bool { return p.number > s.settled[r] })
	if i < 0 || s.kin >= 0 { // an adoption that was interrupted does not keep the order

		return
	}
	i = min(i+s.random.IntN(4), len(s.places)-1)
	at := s.places[i].at
	at.Index++
	s.settled[r] = max(s.settled[r], s.places[i].number)
	s.folder.Settle(r, at)
}

// live runs until the crash, or the end.
func (s *life) live() {
	for range 5 + s.random.IntN(25) {
		switch s.random.IntN(5) {
		case 0:
			s.settle()
		case 1:
			s.sync()
		default:
			s.append()
		}
		if s.disk.frozen {
			return
		}
	}
}

func inBubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// Writes between syncs may be reordered, torn and dropped, names too, syncs and
// writes may fail, frames may come and segments end during a sync, and the machine
// may stop at any operation, also while another folder is adopted. At Disk every
// accepted frame is read again, at Interval every one of the last good sync, and
// at every level every accepted one when only the process has ended.
func TestNoCrashLosesWhatTheLevelPromises(t *testing.T) {
	schedules := 1000
	if os.Getenv("HOLDFAST_LONG") != "" {
		schedules = 50_000
	}
	for seed := range schedules {
		ok := t.Run(fmt.Sprint(seed), inBubble(func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 7))
			s := &life{t: t, random: random, disk: newDisk(random), level: Level(random.IntN(3)), readers: 1 + random.IntN(2), next: 1, refused: make(map[int]bool), kin: 9 * random.IntN(2)}
			s.settled = make([]int, s.readers)
			faulty := []float64{0, 0, 0.05}[random.IntN(3)]
			for range 4 {
				s.disk.freezeAt = s.disk.ops + 1 + random.IntN(80)
				s.disk.faulty = 0
				if s.open() {
					s.disk.faulty = faulty
					s.live()
				}
				machine := s.level != Process && random.IntN(3) > 0
				if failing := s.folder != nil && s.folder.err != nil; machine || failing { // a failed sync was not repaired before the end
					clear(s.refused)
					s.accepted = slices.Clone(s.sure)
				}
				s.disk = s.disk.crash(machine)
			}
			s.disk.freezeAt = -1
			s.open()
		}))
		if !ok {
			return
		}
	}
}

func TestWhatWasCutOffIsKeptWhenAnotherSegmentIsDamaged(t *testing.T) {
	d := newDisk(rand.New(rand.NewPCG(1, 1)))
	kept := func() (n int) {
		for name := range d.names {
			if strings.HasSuffix(name, ".torn") {
				n++
			}
		}
		return n
	}
	for rounds := range 3 {
		f, _, _ := opened(t, home, Options{FS: d})
		if n := kept(); n != rounds {
			t.Errorf("%d files after %d segments were damaged", n, rounds)
		}
		_ = f.Close(true) // no segment is left
		f, _, _ = opened(t, home, Options{FS: d})
		at := put(t, f, "one")
		_ = f.Close(false)
		d.names[f.path(at.Segment)].data[headerSize] ^= 1
	}
}

// It is in the segment or beside it, wherever the machine stops.
func TestNoCrashLosesWhatIsCutOff(t *testing.T) {
	segment := written(t, "one", "two")
	segment[len(segment)-1] ^= 1
	tail := segment[headerSize+frameHead+len("one"):]
	for op, ended := 1, false; !ended; op++ {
		for seed := range uint64(20) {
			d := newDisk(rand.New(rand.NewPCG(seed, 1)))
			path := home + "/0000000000000001.seg"
			d.names[path] = &inode{data: segment, durable: segment}
			d.durable[path] = d.names[path]
			d.folders["/spool"], d.folders[home] = true, true
			d.freezeAt = op
			_, _, _ = Open(home, Options{Readers: 1, FS: d}, func(Pos, []byte, []int) {})
			ended = !d.frozen
			kept := false
			for _, f := range d.crash(true).names {
				kept = kept || bytes.HasSuffix(f.data, tail)
			}
			if !kept {
				t.Fatalf("operation %d, seed %d: it is gone", op, seed)
			}
		}
	}
}

func TestAnErrorOfTheDiskIsOneOfTheFolder(t *testing.T) {
	for err, want := range map[error]bool{syscall.EIO: true, &fs.PathError{Op: "sync", Err: syscall.EIO}: true, syscall.EINVAL: false, fs.ErrPermission: false} {
		if got := ofDisk(err); (got != nil) != want {
			t.Errorf("of %v: %v", err, got)
		}
	}
	if err := (OS{}).SyncDir(t.TempDir() + "/none"); err != nil {
		t.Error(err)
	}
}
