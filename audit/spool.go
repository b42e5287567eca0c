// SPDX-License-Identifier: MIT

package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// Spool configures a log on disk between Record and the sinks: what Record
// accepted is written to it first, and kept until every sink has it. [New] of a
// later process sends what is left, before new events.
//
// Dir is shared by all logs and processes of the machine. Each log has a folder
// of its own in it, named after [Config.Name] and [Config.Instance]. A second
// process that opens the same one gets an error from New, after a second. New
// also takes over the folders of instances of the same name that have ended.
// Without locks of files (flock), as on some network file systems, do not share Dir.
//
// Record and Close wait for the disk, also beyond the end of their contexts. An event
// that the disk refused is refused by Record, with [ErrUnavailable] and the disk's
// error.
//
// An event that was in the sink when the process ended may be written again, with
// the same id. The sinks of a [Multi] are known by their places, so keep their
// order, and add new ones at the end.
type Spool struct {
	Dir string // made with mode 0700; empty: no spool
	// Level is what an accepted event survives. Default [Interval].
	Level Durability
	// MaxBytes bounds the files. Default 1 GiB, at least 1 MiB. MinFree is what
	// the disk should keep free; default 64 MiB, negative: nothing. It is read on
	// Linux, macOS and FreeBSD, once per segment: an open file of a 64th of MaxBytes,
	// from 128 KiB to 64 MiB. When one of them is reached, [Config.WhenFull] decides
	// as for a full queue, with the reason [SpoolFull]: [DropOldest] drops a segment
	// at a time. Behind a [Multi] a sink that is behind the others loses its oldest
	// segments first.
	MaxBytes, MinFree int64
}

// Durability is what an event survives from the moment on when Record has returned
// nil. The sinks get an event when it is that durable.
type Durability uint8

const (
	// Interval survives the end of the process, also by SIGKILL: Record returns
	// when the event is in a file (write). The end of the machine takes at most
	// the last 100 ms along, and what two syncs last (fdatasync).
	Interval = Durability(spool.Interval)
	// Process survives the end of the process, and promises nothing for that of
	// the machine. It never syncs.
	Process = Durability(spool.Process)
	// Disk survives the end of the machine: Record returns when the event is on
	// the disk. Calls at the same time share a sync.
	Disk = Durability(spool.Disk)
)

const (
	syncEvery = 100 * time.Millisecond
	lookEvery = time.Second // for space on the disk, while a Record waits
	readBytes = 256 << 10   // of the spool at a time
)

// openSpool opens the folder, and hands what is left to the lanes.
func (l *Log) openSpool(fs spool.FS) error {
	cfg := &l.cfg.Spool
	if cfg.Dir == "" {
		return nil
	}
	if n := len(l.lanes); n > spool.MaxReaders {
		return fmt.Errorf("%w: %d sinks with a spool, more than %d", ErrInvalid, n, spool.MaxReaders)
	}
	s := &spooler{tail: spool.Pos{Index: math.MaxInt}}
	l.spool = s
	runs := make(map[ID]*run)
	var order []ID
	now := time.Now()
	folder, damage, err := spool.Open(l.folder(), spool.Options{
		Level: spool.Level(cfg.Level), Readers: len(l.lanes), SegmentBytes: min(max(cfg.MaxBytes/64, 128<<10), 64<<20),
		MaxBytes: cfg.MaxBytes, MinFree: cfg.MinFree, Head: l.head, FS: fs,
	}, func(at spool.Pos, payload []byte, settled []int) {
		f, ok := decode(payload)
		if !ok {
			return
		}
		if f.kind != kindEvent {
			r := runs[f.Stream]
			if r == nil {
				r = &run{opened: f.Event}
				runs[f.Stream] = r
				order = append(order, f.Stream)
			}
			r.ended = r.ended || f.Type == TypeClosed
		}
		if r := runs[f.Stream]; r != nil {
			r.last = max(r.last, f.Seq)
		}
		s.tail.Segment = at.Segment
		if f.kind == kindHead {
			return
		}
		for i, a := range l.lanes {
			if at.Index >= settled[i] {
				a.leave(at, &f.Event, f.at, 0)
			}
		}
	})
	if errors.Is(err, spool.ErrLocked) {
		err = fmt.Errorf("%w %s; logs of one name that run at once need a Config.Instance each", err, l.folder())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.folder = folder
	for _, text := range damage {
		l.logger().Error("audit: a damaged part of the spool was cut off and kept as .torn", slog.String("log", l.cfg.Name), slog.String("file", text))
	}
	for _, id := range order {
		if r := runs[id]; !r.ended {
			end := r.closing(now)
			s.queue(kindOwn, entry{Event: end, at: now, size: size(&end)}, 0)
		}
	}
	return nil
}

// resume sends what earlier processes have left, and ends their streams.
func (l *Log) resume() {
	if l.spool == nil {
		return
	}
	l.mu.Lock()
	for _, a := range l.lanes {
		if a.behind > 0 {
			a.start()
		}
	}
	b := l.spool.next
	l.mu.Unlock()
	if b != nil {
		_ = l.commit(b, true) // or the next process does it
	}
}

func (l *Log) logger() *slog.Logger { return cmp.Or(l.cfg.Logger, slog.Default()) }

// folder returns the path of the log's folder. Those of one name are the same up
// to the dot.
func (l *Log) folder() string {
	return filepath.Join(l.cfg.Spool.Dir, fileName(l.cfg.Name)+"."+fileName(l.cfg.Instance))
}

// fileName returns a name for files that no other text has.
func fileName(text string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, text)
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%.50s-%x", plain, sum[:4])
}

// run is a stream of an earlier process.
type run struct {
	opened Event
	last   uint64
	ended  bool
}

// closing returns the last event of a stream that was cut off.
func (r *run) closing(now time.Time) Event {
	e := r.opened
	e.ID, e.Time, e.Type, e.Details = newID(now), now.UTC().Truncate(time.Microsecond), TypeClosed, Details{}
	e.Outcome, e.Reason, e.Seq = Unknown, "recovered", r.last+1
	return e
}

// head returns the frame that begins a segment: the stream, and how far it is.
// The frames of the batch itself follow.
func (l *Log) head() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.stream.first
	first.Seq = l.stream.number
	if b := l.spool.writing; b != nil {
		first.Seq = b.before
	}
	if first.Seq == 0 {
		return nil
	}
	return encode(nil, kindHead, &first, first.Time)
}

// closeSpool ends the spool. It deletes it when every sink has everything.
func (l *Log) closeSpool() error {
	s := l.spool
	if s == nil {
		return nil
	}
	l.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	for b := s.busy(); b != nil; b = s.busy() {
		l.await(b)
	}
	done := true
	for _, a := range l.lanes {
		done = done && a.pending == 0 && !a.gaveUp
	}
	l.mu.Unlock()
	return s.folder.Close(done)
}

// kept is the error of Close about events that a later process will send.
func (l *Log) kept(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var most *lane
	for _, a := range l.lanes {
		if a.gaveUp && (most == nil || a.pending > most.pending) {
			most = a
		}
	}
	if most == nil || most.pending == 0 {
		return nil
	}
	return fmt.Errorf("audit: %d events stay in the spool: %w", most.pending, most.named(most.waitedInVain(ctx)))
}

// room reports whether n more bytes may be written, after it has dropped what may
// be dropped for them.
func (l *Log) room(n int) bool {
	f, oldest := l.spool.folder, l.cfg.WhenFull == DropOldest
	if f.Low() {
		return oldest && l.shed(true)
	}
	for _, b := range []*batch{l.spool.writing, l.spool.next} {
		if b != nil {
			n += len(b.frames)
		}
	}
	for !f.Room(n) {
		if !l.shed(oldest) {
			return false
		}
	}
	return true
}

// shed drops the oldest segment that some sinks need and others do not, or, with
// all, the oldest one. What a lane has begun to read stays.
func (l *Log) shed(all bool) bool {
	for _, segment := range l.spool.folder.Complete() {
		var needing []*lane
		untouched := true
		for _, a := range l.lanes {
			if l.spool.folder.Needs(a.place, segment) {
				needing = append(needing, a)
				untouched = untouched && a.behind > 0 && a.next.Segment < segment
			}
		}
		if len(needing) > 0 && untouched && (all || len(needing) < len(l.lanes)) {
			for _, a := range needing {
				a.abandon(segment, SpoolFull, ErrFull)
			}
			return true
		}
	}
	return false
}

func (s *spooler) healthy(name string) error {
	_, _, err := s.folder.State()
	if err == nil && (s.folder.Low() || !s.folder.Room(maxEvent)) {
		err = ErrFull
	}
	if err != nil {
		return fmt.Errorf("%w: %s: the spool: %w", ErrUnavailable, name, err)
	}
	return nil
}
