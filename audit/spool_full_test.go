// SPDX-License-Identifier: MIT

package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// fill records events of about 1000 bytes until one is refused, at most n.
func fill(t *testing.T, l *Log, n int) (accepted int, err error) {
	t.Helper()
	long := strings.Repeat("x", 900)
	for i := range n {
		if err = l.Record(t.Context(), Event{Type: "ok", Reason: strconv.Itoa(i), Session: long}); err != nil {
			return accepted, err
		}
		accepted++
	}
	return accepted, nil
}

// tally returns how many events the marks in a trail stand for.
func tally(events []Event) (n, stored int) {
	for _, e := range events {
		if e.Type == TypeDropped {
			v, _ := e.Details.Get("n")
			k, _ := strconv.Atoi(fmt.Sprint(v))
			n += k
		} else {
			stored++
		}
	}
	return n, stored
}

func TestAFullSpoolRefusesEventsAndMarksThem(t *testing.T) {
	for name, policy := range map[string]FullPolicy{"block": Block, "drop newest": DropNewest} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := newGated()
				l := newLog(t, sink, Config{WhenFull: policy, Spool: Spool{Dir: t.TempDir(), MaxBytes: 1 << 20, Level: Process}})
				accepted, err := fill(t, l, 2000)
				if !errors.Is(err, ErrFull) || accepted < 500 || l.Stats().Dropped[SpoolFull] != 1 || l.Healthy() == nil {
					t.Fatalf("accepted %d, %v, %+v, healthy: %v", accepted, err, l.Stats(), l.Healthy())
				}
				sink.open.Store(true)
				if err := l.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				if n, err := fill(t, l, 10); n != 10 {
					t.Errorf("after the outage: %v", err)
				}
				mustClose(t, l)
				if n, stored := tally(sink.Events()); n != 1 || stored != accepted+10 {
					t.Errorf("%d marked, %d stored of %d", n, stored, accepted+10)
				}
			})
		})
	}
}

func TestAFullSpoolDropsItsOldestSegmentsAndMarksThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newGated()
		l := newLog(t, sink, Config{WhenFull: DropOldest, Spool: Spool{Dir: t.TempDir(), MaxBytes: 1 << 20, Level: Process}})
		accepted, err := fill(t, l, 3000)
		dropped := int(l.Stats().Dropped[SpoolFull])
		if err != nil || dropped < 1000 || l.Stats().SpoolBytes > 1<<20 {
			t.Fatalf("accepted %d, %v, %+v", accepted, err, l.Stats())
		}
		sink.open.Store(true)
		mustClose(t, l)
		events := sink.Events()
		if n, stored := tally(events); n != dropped || stored+dropped != accepted {
			t.Errorf("%d dropped, %d marked, %d stored of %d", dropped, n, stored, accepted)
		}
		if last := events[len(events)-1].Reason; last != "2999" {
			t.Errorf("the last one is %s", last)
		}
		missing := make(map[uint64]bool)
		for i := range uint64(3000) {
			missing[i+2] = true
		}
		for _, e := range events {
			delete(missing, e.Seq)
			if from, ok := e.Details.Get("from"); ok && e.Type == TypeDropped {
				to, _ := e.Details.Get("to")
				for k := atoi(from); k <= atoi(to); k++ {
					delete(missing, uint64(k))
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("%d numbers are neither stored nor marked", len(missing))
		}
	})
}

func TestASinkThatIsBehindLosesItsOldestSegmentsAloneWhenTheSpoolIsFull(t *testing.T) {
	up, down := NewMemory(), newGated()
	l := newLog(t, Multi(up, down), Config{BlockFor: time.Minute, Spool: Spool{Dir: t.TempDir(), MaxBytes: 1 << 20, Level: Process}})
	accepted, err := fill(t, l, 3000)
	if err != nil {
		t.Fatalf("accepted %d, %v, %+v", accepted, err, l.Stats())
	}
	down.open.Store(true)
	mustClose(t, l)
	if n, stored := tally(up.Events()); n != 0 || stored != 3000 {
		t.Errorf("the sink that is up misses %d, has %d", n, stored)
	}
	if n, stored := tally(down.Events()); n < 1000 || n+stored != 3000 {
		t.Errorf("the sink that was down misses %d, has %d", n, stored)
	}
}

// badDisk is a disk whose writes fail, or that has little space, for a time, or
// that syncs slowly.
type badDisk struct {
	spool.OS
	broken, low atomic.Bool
	slow        time.Duration // a sync
	reading     time.Duration // a read
	syncing     atomic.Int64  // syncs under way
	crowded     atomic.Bool   // there were two at a time
	synced      atomic.Int64  // syncs that ended
	failures    atomic.Int64  // how many syncs will fail
}

func (d *badDisk) Create(path string) (spool.File, error) {
	f, err := d.OS.Create(path)
	return badFile{f, d}, err
}

func (d *badDisk) Open(path string) (spool.File, error) {
	f, err := d.OS.Open(path)
	return badFile{f, d}, err
}

func (d *badDisk) Free(string) int64 {
	if d.low.Load() {
		return 1
	}
	return 1 << 40
}

type badFile struct {
	spool.File
	disk *badDisk
}

func (f badFile) ReadAt(b []byte, at int64) (int, error) {
	time.Sleep(f.disk.reading)
	return f.File.ReadAt(b, at)
}

func (f badFile) WriteAt(b []byte, at int64) (int, error) {
	if f.disk.broken.Load() {
		return 0, syscall.EIO
	}
	return f.File.WriteAt(b, at)
}

func (f badFile) Sync() error {
	if f.disk.broken.Load() {
		return syscall.EIO
	}
	if f.disk.failures.Load() > 0 {
		f.disk.failures.Add(-1)
		return syscall.EIO
	}
	if f.disk.syncing.Add(1) > 1 {
		f.disk.crowded.Store(true)
	}
	time.Sleep(f.disk.slow)
	f.disk.syncing.Add(-1)
	f.disk.synced.Add(1)
	return f.File.Sync()
}

func TestOnASlowDiskTheNextSyncOfTheIntervalWaitsForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &badDisk{slow: 5 * syncEvery / 2}
		l, err := newOn(NewMemory(), Config{Spool: Spool{Dir: t.TempDir()}}, disk)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			mustRecord(t, l, 1)
			time.Sleep(syncEvery / 5)
		}
		if n := disk.synced.Load(); disk.crowded.Load() || n < 7 {
			t.Errorf("%d syncs in 20 intervals, two at a time: %v", n, disk.crowded.Load())
		}
		time.Sleep(3 * disk.slow)
		n := disk.synced.Load()
		if time.Sleep(10 * disk.slow); disk.synced.Load() != n {
			t.Error("it syncs with nothing new to sync")
		}
		mustClose(t, l)
	})
}

func TestAnEventThatTheSpoolCannotWriteIsRefusedAndMarked(t *testing.T) {
	disk, all := new(badDisk), NewMemory()
	l, err := newOn(all, Config{Spool: Spool{Dir: t.TempDir(), Level: Disk}, Logger: slog.New(slog.DiscardHandler)}, disk)
	if err != nil {
		t.Fatal(err)
	}
	mustRecord(t, l, 2)
	disk.broken.Store(true)
	err = l.Record(t.Context(), Event{Type: "ok", Reason: "refused"})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.EIO) || l.Stats().Dropped[SpoolFailed] != 1 || l.Stats().SpoolFailures == 0 {
		t.Errorf("%v, %+v", err, l.Stats())
	}
	if err := l.Healthy(); !errors.Is(err, syscall.EIO) {
		t.Errorf("healthy: %v", err)
	}
	disk.broken.Store(false)
	mustRecord(t, l, 1)
	if err := l.Healthy(); err != nil {
		t.Errorf("healthy: %v", err)
	}
	mustClose(t, l)
	wantTrail(t, all.Events(), "0", "1", "dropped 1 spool_failed", "0")
}

func TestAFailedSyncOfTheIntervalIsRepairedInANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, all, dir := new(badDisk), NewMemory(), t.TempDir()
		l, err := newOn(newGated(), Config{Spool: Spool{Dir: dir}, Logger: slog.New(slog.DiscardHandler)}, disk)
		if err != nil {
			t.Fatal(err)
		}
		mustRecord(t, l, 5)
		disk.broken.Store(true)
		time.Sleep(2 * syncEvery)
		if err := l.Healthy(); !errors.Is(err, syscall.EIO) {
			t.Errorf("healthy: %v", err)
		}
		disk.broken.Store(false)
		time.Sleep(2 * syncEvery)
		if err := l.Healthy(); errors.Is(err, syscall.EIO) {
			t.Errorf("healthy: %v", err)
		}
		left := killed(t, dir)
		_ = quit(t, l)
		mustClose(t, newLog(t, all, Config{Spool: Spool{Dir: left}}))
		wantTrail(t, all.Events(), numbers(5)...) // Memory stores the copies once
	})
}

func TestADiskWithTooLittleSpaceIsAFullSpool(t *testing.T) {
	disk, all := new(badDisk), NewMemory()
	disk.low.Store(true)
	l, err := newOn(all, Config{WhenFull: DropNewest, Spool: Spool{Dir: t.TempDir()}, Logger: slog.New(slog.DiscardHandler)}, disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), Event{Type: "ok"}); !errors.Is(err, ErrFull) || l.Stats().Dropped[SpoolFull] != 1 {
		t.Errorf("%v, %+v", err, l.Stats())
	}
	disk.low.Store(false)
	mustRecord(t, l, 1)
	mustClose(t, l)
}

func atoi(v any) int {
	n, _ := strconv.Atoi(fmt.Sprint(v))
	return n
}
