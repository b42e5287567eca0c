// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

var levels = map[string]Durability{"process": Process, "interval": Interval, "disk": Disk}

// killed returns what a process that is killed now leaves of the folder.
func killed(t testing.TB, dir string) string {
	t.Helper()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return left
}

// gated stores nothing until it is opened.
type gated struct {
	*Memory
	open atomic.Bool
}

func (s *gated) Write(ctx context.Context, batch []Event) error {
	if !s.open.Load() {
		return errDown
	}
	return s.Memory.Write(ctx, batch)
}

func newGated() *gated { return &gated{Memory: NewMemory()} }

// quit closes a log whose sink takes nothing.
func quit(t testing.TB, l *Log) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return l.Close(ctx)
}

func TestTheNextProcessWritesWhatAKilledOneHadAcceptedBeforeNewEvents(t *testing.T) {
	for name, level := range levels {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := newLog(t, newGated(), Config{Queue: 10, Spool: Spool{Dir: dir, Level: level}})
			mustRecord(t, first, 100)
			left := killed(t, dir)
			_ = quit(t, first)

			all := NewMemory()
			second := newLog(t, all, Config{Spool: Spool{Dir: left, Level: level}})
			if err := second.Record(t.Context(), Event{Type: "ok", Reason: "new"}); err != nil {
				t.Fatal(err)
			}
			mustClose(t, second)
			wantTrail(t, all.Events(), append(numbers(100), "new")...)
			if n := second.Stats().Recorded; n != second.Stats().Written {
				t.Errorf("recorded %d, written %d", n, second.Stats().Written)
			}
			if list, _ := os.ReadDir(left); len(list) > 0 {
				t.Errorf("the spool is still there: %v", list)
			}
		})
	}
}

func TestARunThatWasKilledIsCompleteInTheTrail(t *testing.T) {
	dir, all := t.TempDir(), NewMemory()
	first := newLog(t, all, Config{Spool: Spool{Dir: dir}})
	mustRecord(t, first, 3)
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustRecord(t, first, 2)
	left := killed(t, dir)
	for range 2 { // and once more while the first one recovers
		again := newLog(t, newGated(), Config{Spool: Spool{Dir: left}})
		left = killed(t, left)
		_ = quit(t, again)
	}
	mustClose(t, newLog(t, all, Config{Spool: Spool{Dir: left}}))
	_ = quit(t, first)

	if seqs, want := seqsOf(all, all.events[0].Stream), []uint64{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(seqs, want) {
		t.Errorf("numbers %v, want %v", seqs, want)
	}
	if last := all.events[len(all.events)-1]; last.Type != TypeClosed || last.Reason != "recovered" {
		t.Errorf("the last event is %+v", last)
	}
}

func TestARunAfterAKilledOneIsCompleteInTheTrail(t *testing.T) {
	dir, sink := t.TempDir(), newGated()
	first := newLog(t, newGated(), Config{Spool: Spool{Dir: dir}})
	mustRecord(t, first, 3)
	left := killed(t, dir)
	_ = quit(t, first)

	second := newLog(t, sink, Config{Spool: Spool{Dir: left}})
	mustRecord(t, second, 3) // behind what the first one has left
	sink.open.Store(true)
	if err := second.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	opened := second.stream.id
	if got, want := seqsOf(sink.Memory, opened), []uint64{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("numbers %v after the flush, want %v", got, want)
	}
	mustClose(t, second)
	if got, want := seqsOf(sink.Memory, opened), []uint64{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("numbers %v after the close, want %v", got, want)
	}
}

// seqsOf returns the numbers of a stream, in the order of writing.
func seqsOf(m *Memory, stream ID) (seqs []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Stream == stream {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func TestASpoolHoldsWhatTheQueueCannot(t *testing.T) {
	sink := newGated()
	l := newLog(t, sink, Config{Queue: 10, Spool: Spool{Dir: t.TempDir(), Level: Process}})
	mustRecord(t, l, 3000)
	s := l.Stats()
	if s.Queued != 3000 || s.Capacity != 0 || s.SpoolBytes < 3000*80 || s.SpoolLimit != 1<<30 || s.QueuedBytes > 10*4096 {
		t.Errorf("stats %+v", s)
	}
	sink.open.Store(true)
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	mustRecord(t, l, 1)
	mustClose(t, l)
	wantTrail(t, sink.Events(), append(numbers(3000), "0")...)
}

func TestAFlushWaitsForWhatIsInTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newGated()
		l := newLog(t, sink, Config{Queue: 1, Spool: Spool{Dir: t.TempDir()}})
		mustRecord(t, l, 50)
		done := make(chan error, 1)
		go func() { done <- l.Flush(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("returned %v", err)
		default:
		}
		sink.open.Store(true)
		if err := <-done; err != nil || len(sink.Events()) != 50 {
			t.Errorf("%v, %d events", err, len(sink.Events()))
		}
		mustClose(t, l)
	})
}

func TestWhatCloseCannotWriteStaysInTheSpool(t *testing.T) {
	dir, all := t.TempDir(), NewMemory()
	l := newLog(t, newGated(), Config{Spool: Spool{Dir: dir}})
	mustRecord(t, l, 20)
	err := quit(t, l)
	if _, lost := errors.AsType[*LossError](err); lost || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "20 events stay in the spool") {
		t.Errorf("close: %v", err)
	}
	if dropped := l.Stats().Dropped; len(dropped) > 0 {
		t.Errorf("dropped %v", dropped)
	}
	mustClose(t, newLog(t, all, Config{Spool: Spool{Dir: dir}}))
	wantTrail(t, all.Events(), numbers(20)...)
}

func TestEachSinkOfAMultiGetsWhatItMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, up, down := t.TempDir(), NewMemory(), newGated()
		l := newLog(t, Multi(up, down), Config{Spool: Spool{Dir: dir}})
		mustRecord(t, l, 20)
		time.Sleep(time.Second)
		_ = quit(t, l)
		again, other := NewMemory(), NewMemory()
		mustClose(t, newLog(t, Multi(again, other), Config{Spool: Spool{Dir: dir}}))
		wantTrail(t, other.Events(), numbers(20)...)
		if n := len(again.Events()); n > 0 {
			t.Errorf("%d events that the first sink had were written to it again", n)
		}
	})
}

func TestNothingThatRedactRemovesIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, newGated(), Config{Spool: Spool{Dir: dir}, Redact: []Redaction{Omit("actor_name")}})
	if err := l.Record(t.Context(), Event{Type: "ok", Reason: "visible", Actor: Entity{Name: "secret"}}); err != nil {
		t.Fatal(err)
	}
	found := false
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
		b, _ := os.ReadFile(path)
		if found = found || bytes.Contains(b, []byte("visible")); bytes.Contains(b, []byte("secret")) {
			t.Error("the name is on the disk")
		}
		return nil
	})
	if !found {
		t.Error("the event is not on the disk")
	}
	_ = quit(t, l)
}

func TestASecondLogOnAFolderIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Spool: Spool{Dir: t.TempDir()}}
		l := newLog(t, NewMemory(), cfg)
		if _, err := New(NewMemory(), cfg); !errors.Is(err, ErrUnavailable) || !errors.Is(err, spool.ErrLocked) || !strings.Contains(err.Error(), cfg.Spool.Dir) || !strings.Contains(err.Error(), "Config.Instance") {
			t.Errorf("the second one: %v", err)
		}
		cfg.Name = "other"
		mustClose(t, newLog(t, NewMemory(), cfg))
		mustClose(t, l)
		mustClose(t, newLog(t, NewMemory(), cfg))
	})
}

func TestALogTakesOverWhatAnInstanceThatHasEndedLeft(t *testing.T) {
	dir, all := t.TempDir(), NewMemory()
	dead := newLog(t, newGated(), Config{Instance: "pod-1", Spool: Spool{Dir: dir}})
	mustRecord(t, dead, 20)
	_ = quit(t, dead)
	mustClose(t, newLog(t, all, Config{Instance: "pod-2", Spool: Spool{Dir: dir}}))
	wantTrail(t, all.Events(), numbers(20)...)
}

func TestADamagedPartOfTheSpoolIsReportedAndKept(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, newGated(), Config{Spool: Spool{Dir: dir}})
	mustRecord(t, l, 10)
	_ = quit(t, l)
	segments, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-400] ^= 1
	_ = os.WriteFile(segments[0], data, 0o600)
	all, text := NewMemory(), new(lines)
	mustClose(t, newLog(t, all, Config{Spool: Spool{Dir: dir}, Logger: text.logger()}))
	got := trail(all.Events())
	if len(got) == 0 || len(got) >= 10 || !slices.Equal(got, numbers(len(got))) || !strings.Contains(text.String(), "level=ERROR") {
		t.Errorf("%q, %s", got, text)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "*", "*.torn")); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
}

func TestAFrameIsReadAsItWasWritten(t *testing.T) {
	e := Event{ID: NewID(), Stream: NewID(), Seq: 7, Type: "t", Outcome: Denied, Details: JSON(map[string]any{"a": "b\n"})}
	if _, err := freeze(&e, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	for i, f := range e.texts() {
		*f.text = strings.Repeat("é", i*20)
	}
	b := encode(nil, kindOwn, &e, e.Time)
	f, ok := decode(b)
	if !ok || f.kind != kindOwn || !f.at.Equal(e.Time) || f.Event != e {
		t.Errorf("%v: %+v, want %+v", ok, f.Event, e)
	}
	if _, ok := decode(append(b, 3, 'n', 'e', 'w')); !ok {
		t.Error("a text of a later version is not skipped")
	}
	for n := range b {
		if _, ok := decode(b[:n]); ok {
			t.Errorf("a frame cut to %d of %d bytes is read", n, len(b))
		}
	}
}

func FuzzFrame(f *testing.F) {
	e := Event{ID: NewID(), Type: "t", Reason: "r"}
	f.Add(encode(nil, kindEvent, &e, e.Time))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if one, ok := decode(payload); ok {
			if two, ok := decode(encode(nil, one.kind, &one.Event, one.at)); !ok || two != one {
				t.Errorf("%+v and then %+v", one, two)
			}
		}
	})
}
