// SPDX-License-Identifier: MIT

package spool

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
)

func opened(t testing.TB, dir string, o Options) (f *Folder, read []string, damage []string) {
	t.Helper()
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Readers == 0 {
		o.Readers = 1
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 1 << 20
	}
	o.MaxBytes = 1 << 30
	f, damage, err := Open(dir, o, func(at Pos, p []byte, settled []int) {
		if at.Index >= settled[0] {
			read = append(read, string(p))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, read, damage
}

func put(t testing.TB, f *Folder, texts ...string) Pos {
	t.Helper()
	var frames []byte
	for _, s := range texts {
		at := len(frames)
		frames = append(Reserve(frames), s...)
		Finish(frames[at:])
	}
	at, err := f.Append(frames, len(texts))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// written returns the bytes of a segment with the texts.
func written(t testing.TB, texts ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	f, _, _ := opened(t, filepath.Join(dir, "a"), Options{})
	put(t, f, texts...)
	if err := f.Close(false); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.path(1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reread returns what is read of a segment, and whether damage was found.
func reread(t testing.TB, segment []byte) (texts []string, damaged bool) {
	t.Helper()
	d := newDisk(rand.New(rand.NewPCG(1, 1)))
	d.names[filepath.Join(home, "0000000000000001.seg")] = &inode{data: segment}
	f, texts, damage := opened(t, home, Options{FS: d})
	left := false
	for name := range d.names {
		left = left || strings.HasSuffix(name, ".torn")
	}
	if left != (len(damage) > 0) {
		t.Errorf("damage %v, but a .torn file: %v", damage, left)
	}
	_ = f.Close(false)
	return texts, left
}

func TestWhatIsNotSettledIsReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	f, _, _ := opened(t, dir, Options{SegmentBytes: headerSize + 40})
	for _, s := range []string{"one", "two", "three", "four", "five"} {
		put(t, f, s)
	}
	f.Settle(0, Pos{2, 1}) // the segments have 3 and 2 frames
	if err := f.Close(false); err != nil {
		t.Fatal(err)
	}
	f, read, damage := opened(t, dir, Options{})
	if !slices.Equal(read, []string{"five"}) || damage != nil {
		t.Errorf("read %q, %v", read, damage)
	}
	if err := f.Close(true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestAReaderGetsWhatWasAppendedFromAnyPlaceOn(t *testing.T) {
	f, _, _ := opened(t, filepath.Join(t.TempDir(), "a"), Options{Readers: 2})
	long := strings.Repeat("long ", 100)
	put(t, f, "one", long, "three")
	for from, want := range [][]string{{"one", long, "three"}, {long, "three"}, {"three"}, nil} {
		var got []string
		for at := (Pos{1, from}); ; {
			payloads, err := f.Read(1, at, 16)
			if err != nil || len(payloads) == 0 {
				break
			}
			for _, p := range payloads {
				got = append(got, string(p))
			}
			at.Index += len(payloads)
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %d: %q", from, got)
		}
	}
	_ = f.Close(true)
}

func TestASegmentGoesWhenEveryReaderHasSettledIt(t *testing.T) {
	f, _, _ := opened(t, filepath.Join(t.TempDir(), "a"), Options{Readers: 2, SegmentBytes: headerSize + 10})
	put(t, f, "one")
	last := put(t, f, "two")
	there := func() bool { _, err := os.Stat(f.path(1)); return err == nil }
	f.Settle(0, last)
	if !there() {
		t.Error("gone, and a reader needs it")
	}
	f.Settle(1, last)
	if there() {
		t.Error("there, and no reader needs it")
	}
	_ = f.Close(true)
}

func TestASecondProcessOnAFolderIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	f, _, _ := opened(t, dir, Options{})
	if _, _, err := Open(dir, Options{Readers: 1, FS: OS{}}, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("the second one: %v", err)
	}
	_ = f.Close(true)
	f, _, _ = opened(t, dir, Options{})
	_ = f.Close(true)
}

func TestAFolderWhoseProcessHasEndedIsAdoptedOnceAndWithWhatItHadSettled(t *testing.T) {
	parent := t.TempDir()
	alive, _, _ := opened(t, filepath.Join(parent, "log.alive"), Options{})
	put(t, alive, "no one else's")
	dead, _, _ := opened(t, filepath.Join(parent, "log.dead"), Options{})
	put(t, dead, "settled", "left")
	dead.Settle(0, Pos{1, 1})
	if err := dead.Close(false); err != nil {
		t.Fatal(err)
	}
	f, read, _ := opened(t, filepath.Join(parent, "log.heir"), Options{})
	if !slices.Equal(read, []string{"left"}) {
		t.Errorf("read %q", read)
	}
	if _, err := os.Stat(filepath.Join(parent, "log.dead")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one's folder: %v", err)
	}
	if _, read, _ = opened(t, filepath.Join(parent, "log.late"), Options{}); read != nil {
		t.Errorf("adopted twice: %q", read)
	}
	_, _ = f.Close(true), alive.Close(true)
}

func TestAFolderOfANewerVersionIsRefusedAndLeftToItsOwn(t *testing.T) {
	parent := t.TempDir()
	segment := written(t, "from the future")
	segment[len(magic)] = version + 1
	order.PutUint32(segment[24:], headerSum(segment))
	path := filepath.Join(parent, "log.newer", "0000000000000001.seg")
	_ = os.Mkdir(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, segment, 0o600); err != nil {
		t.Fatal(err)
	}
	f, read, _ := opened(t, filepath.Join(parent, "log.older"), Options{})
	_ = f.Close(true)
	_, _, err := Open(filepath.Dir(path), Options{Readers: 1, FS: OS{}}, nil)
	if after, _ := os.ReadFile(path); read != nil || !errors.Is(err, ErrVersion) || !bytes.Equal(after, segment) {
		t.Errorf("read %q, %v", read, err)
	}
}

func TestEveryTruncationOfASegmentIsFound(t *testing.T) {
	texts := []string{"one", "two", "three"}
	segment := written(t, texts...)
	for n := range len(segment) {
		got, damaged := reread(t, segment[:n:n])
		if len(got) == len(texts) || !slices.Equal(got, texts[:len(got)]) {
			t.Fatalf("cut to %d bytes: read %q", n, got)
		}
		// A cut between two frames looks like a process that wrote no more, and so does
		// one behind zeros, as a checksum may begin with: they are space not yet written.
		end := headerSize
		for _, text := range got {
			end += 8 + len(text)
		}
		if rest := segment[min(end, n):n]; !damaged && n > 0 && (n < headerSize || len(bytes.Trim(rest, "\x00")) > 0) {
			t.Errorf("cut to %d bytes: no damage found", n)
		}
	}
}

func TestEveryFlippedBitOfASegmentIsFoundOrMeansNothing(t *testing.T) {
	texts := []string{"one", "two", "three"}
	segment := written(t, texts...)
	for bit := range 8 * len(segment) {
		flipped := slices.Clone(segment)
		flipped[bit/8] ^= 1 << (bit % 8)
		got, damaged := reread(t, flipped)
		if !slices.Equal(got, texts[:len(got)]) {
			t.Fatalf("bit %d: read %q", bit, got)
		}
		inFrames := bit/8 >= headerSize || bit/8 < 28
		if damaged != inFrames || !damaged && len(got) != len(texts) {
			t.Fatalf("bit %d of byte %d: damaged %v, read %q", bit%8, bit/8, damaged, got)
		}
	}
}

func TestAFrameThatWasCutOutMovedOrLeftByAnotherFileIsFound(t *testing.T) {
	segment := written(t, "one", "two", "six")
	frame := func(i int) []byte { return segment[headerSize+11*i:][:11] }
	header := segment[:headerSize]
	other := written(t, "one", "two", "six")[headerSize:]
	for name, s := range map[string][]byte{
		"cut out":      slices.Concat(header, frame(1), frame(2)),
		"moved":        slices.Concat(header, frame(1), frame(0), frame(2)),
		"repeated":     slices.Concat(header, frame(0), frame(0), frame(1)),
		"another file": slices.Concat(header, other),
	} {
		got, damaged := reread(t, s)
		if !damaged || len(got) > 1 || len(got) == 1 && got[0] != "one" {
			t.Errorf("%s: %q, %v", name, got, damaged)
		}
	}
}

func TestADamagedSlotMeansTheOneBefore(t *testing.T) {
	d := newDisk(rand.New(rand.NewPCG(1, 1)))
	f, _, _ := opened(t, home, Options{FS: d})
	put(t, f, "one", "two", "three")
	f.Settle(0, Pos{1, 1})
	f.Settle(0, Pos{1, 2})
	_ = f.Close(false)
	d.names[f.path(1)].data[slotsAt+2] ^= 1 // generation 2
	if _, read, _ := opened(t, home, Options{FS: d}); !slices.Equal(read, []string{"two", "three"}) {
		t.Errorf("read %q", read)
	}
}

func TestAFailedFileIsNotWrittenToAgain(t *testing.T) {
	for level := range Disk + 1 {
		d := newDisk(rand.New(rand.NewPCG(1, 1)))
		f, _, _ := opened(t, home, Options{FS: d, Level: level})
		put(t, f, "one")
		d.faulty = 1
		if _, err := f.Append(framed(1), 1); !errors.Is(err, syscall.EIO) {
			t.Errorf("level %d: %v", level, err)
		}
		if _, failures, err := f.State(); err == nil || failures == 0 {
			t.Errorf("level %d: %d failures, %v", level, failures, err)
		}
		d.faulty = 0
		if at := put(t, f, "two"); at.Segment == 1 {
			t.Errorf("level %d: %+v", level, at)
		}
		if _, _, err := f.State(); err != nil {
			t.Errorf("level %d: still %v", level, err)
		}
		_ = f.Close(false)
		_, read, _ := opened(t, home, Options{FS: d})
		if !slices.Contains(read, "one") || read[len(read)-1] != "two" {
			t.Errorf("level %d: read %q", level, read)
		}
	}
}

func TestWhatAFailedSyncMayHaveLostIsWrittenToANewFile(t *testing.T) {
	d := newDisk(rand.New(rand.NewPCG(1, 1)))
	f, _, _ := opened(t, home, Options{FS: d})
	put(t, f, "one")
	put(t, f, "two")
	d.faulty = 1
	if f.Sync() == nil {
		t.Error("the sync succeeds")
	}
	d.faulty = 0
	if _, err := f.Append(nil, 0); err != nil {
		t.Error(err)
	}
	if _, read, _ := opened(t, home, Options{FS: d.crash(true)}); !slices.Equal(read[max(0, len(read)-1):], []string{"two"}) || read[0] != "one" {
		t.Errorf("after the machine has crashed: %q", read)
	}
}

// slowError is a file system whose syncs wait for the channel to be closed. Of two
// syncs of a file at a time only the first one gets the error, as on Linux.
type slowError struct {
	OS
	end   chan struct{}
	syncs atomic.Int32
}

type slowErrorFile struct {
	File
	fs *slowError
}

func (s *slowError) Create(path string) (File, error) {
	f, err := s.OS.Create(path)
	if strings.HasSuffix(path, "1.seg") {
		return slowErrorFile{f, s}, err
	}
	return f, err
}

func (f slowErrorFile) Sync() error {
	switch f.fs.syncs.Add(1) {
	case 1: // of the header
		return nil
	case 2:
		<-f.fs.end
		return syscall.EIO
	}
	return nil
}

func TestASyncThatFailsWhileTheSegmentEndsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := filepath.Join(t.TempDir(), "a"), &slowError{end: make(chan struct{})}
		f, _, _ := opened(t, dir, Options{FS: s, SegmentBytes: headerSize + 40})
		put(t, f, "zero")
		put(t, f, "one")
		var all sync.WaitGroup
		var failed error
		all.Go(func() { failed = f.Sync() })
		synctest.Wait()
		all.Go(func() { put(t, f, strings.Repeat("two", 20)) })
		synctest.Wait()
		close(s.end)
		all.Wait()
		if failed != nil {
			if _, err := f.Append(nil, 0); err != nil {
				t.Error(err)
			}
		}
		_ = f.Close(false)
		_ = os.Remove(f.path(1)) // nothing that was not synced
		if _, read, _ := opened(t, dir, Options{}); len(read) == 0 || read[0] != "zero" && read[0] != "one" {
			t.Errorf("without the file that was not synced: %q", read)
		}
	})
}

func FuzzSegment(f *testing.F) {
	segment := written(f, "one", "two", "three")
	f.Add(segment)
	f.Add(segment[:headerSize+12])
	f.Add(make([]byte, headerSize+100))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, _ := reread(t, data)
		total := 0
		for _, s := range texts {
			total += frameHead + len(s)
		}
		if total > max(0, len(data)-headerSize) {
			t.Errorf("read %d bytes of %d", total, len(data))
		}
	})
}
