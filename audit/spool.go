// SPDX-License-Identifier: MIT

package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
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
// also takes over the folders of instances that have ended. Without locks of
// files (flock), as on some network file systems, do not share Dir.
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
	// Linux, macOS and FreeBSD, once per segment, a 64th of MaxBytes. When one
	// of them is reached, [Config.WhenFull] decides as for a full queue, with the
	// reason [SpoolFull]: [DropOldest] drops a segment at a time. Behind a
	// [Multi] a sink that is behind the others loses its oldest segments first.
	MaxBytes, MinFree int64
}

// Durability is what an event survives from the moment on when Record has returned
// nil. The sinks get an event when it is that durable.
type Durability uint8

const (
	// Interval survives the end of the process, also by SIGKILL: Record returns
	// when the event is in a file (write). The end of the machine takes at most
	// the last 100 ms along, and what one sync lasts (fdatasync).
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
	readBytes = 256 << 10 // of the spool at a time
)

// spooler is the spool of a log. Log.mu guards it, and is unlocked while folder
// writes.
type spooler struct {
	folder   *spool.Folder
	tail     spool.Pos // after the newest frame that the lanes know
	opened   spool.Pos // of the stream's first event; zero: none
	ended    spool.Pos // of its last one
	stretch  map[uint64]*stretch
	next     *batch // gathers events; nil: none wait
	writing  *batch // being written
	spare    *batch // reused
	timer    *time.Timer
	syncing  *batch // stands for a sync under way
	closed   bool
	reported error // to the logger
}

// batch is what one write puts into the spool.
type batch struct {
	before  uint64 // the newest number before it
	frames  []byte
	n       int
	entries []entry       // pos is relative to the batch
	own     []int         // places of the stream's own events in the batch
	done    chan struct{} // made for those who wait, closed when err is set
	err     error
}

// stretch is what is known of a segment's events.
type stretch struct {
	span
	seq uint64 // lowest place in the order of acceptance; 0: from an earlier process
}

// openSpool opens the folder, and hands what is left to the lanes.
func (l *Log) openSpool(fs spool.FS) error {
	cfg := &l.cfg.Spool
	if cfg.Dir == "" {
		return nil
	}
	s := &spooler{stretch: make(map[uint64]*stretch), tail: spool.Pos{Index: math.MaxInt}}
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
		s.extend(at, &f.Event, f.at, 0)
		for i, a := range l.lanes {
			if at.Index >= settled[i] {
				a.leave(at)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.folder = folder
	for _, text := range damage {
		l.logger().Error("audit: a damaged part of the spool was cut off and kept as .torn", slog.String("log", l.cfg.Name), slog.String("file", text))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.lanes {
		if a.behind > 0 {
			a.start()
		}
	}
	for _, id := range order {
		if r := runs[id]; !r.ended {
			end := r.closing(now)
			s.queue(kindOwn, entry{Event: end, at: now, size: size(&end)}, 0)
		}
	}
	if b := s.next; b != nil {
		l.mu.Unlock()
		_ = l.commit(b, true) // or the next process does it
		l.mu.Lock()
	}
	return nil
}

func (l *Log) logger() *slog.Logger { return cmp.Or(l.cfg.Logger, slog.Default()) }

// folder returns the path of the log's folder.
func (l *Log) folder() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, l.cfg.Name+"-"+l.cfg.Instance)
	sum := sha256.Sum256([]byte(l.cfg.Name + "\x00" + l.cfg.Instance))
	return filepath.Join(l.cfg.Spool.Dir, fmt.Sprintf("%.80s-%x", name, sum[:4]))
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
	first, b := l.stream.first, l.spool.writing
	if b.before == 0 {
		return nil
	}
	first.Seq = b.before
	return encode(nil, kindHead, &first, first.Time)
}

// extend notes an event of a segment.
func (s *spooler) extend(at spool.Pos, e *Event, when time.Time, seq uint64) {
	known := s.stretch[at.Segment]
	if known == nil {
		known = &stretch{seq: seq}
		s.stretch[at.Segment] = known
	}
	one := span{n: 1, first: e.ID, last: e.ID, at: when}
	if e.Seq > 0 {
		one.stream, one.from, one.to = e.Stream, e.Seq, e.Seq
	}
	known.join(one)
}

// add puts an event of the log's own into the next batch. Like all that follows,
// it is called with mu held.
func (s *spooler) add(kind byte, e *Event, at time.Time, before uint64) *batch {
	if s.next == nil {
		b := cmp.Or(s.spare, new(batch))
		*b = batch{before: before, frames: b.frames[:0], entries: b.entries[:0]}
		s.next, s.spare = b, nil
	}
	b := s.next
	begin := len(b.frames)
	b.frames = encode(spool.Reserve(b.frames), kind, e, at)
	spool.Finish(b.frames[begin:])
	b.n++
	return b
}

// addOwn adds the first or the last event of the stream, which the lanes write by
// themselves.
func (s *spooler) addOwn(e *Event, at time.Time, before uint64) *batch {
	b := s.add(kindOwn, e, at, before)
	b.own = append(b.own, b.n-1)
	return b
}

// placeOf returns the place of the stream's first or last event, if any.
func (s *spooler) placeOf(kind string) spool.Pos {
	switch {
	case s == nil:
		return spool.Pos{}
	case kind == TypeOpened:
		return s.opened
	default:
		return s.ended
	}
}

// queue puts an event for the sinks into the next batch.
func (s *spooler) queue(kind byte, e entry, before uint64) *batch {
	b := s.add(kind, &e.Event, e.at, before)
	e.pos.Index = b.n - 1
	b.entries = append(b.entries, e)
	return b
}

// gather puts e into the next batch. It reports whether e is the first one, whose
// caller commits the batch for all.
func (l *Log) gather(e *Event, n int, now time.Time) (b *batch, first bool) {
	s := l.spool
	first = s.next == nil
	before := l.stream.number
	l.number(e, now)
	if before == 0 && e.Seq > 0 {
		s.addOwn(&l.stream.first, now, 0)
	}
	l.seq++
	b = s.queue(kindEvent, entry{Event: *e, seq: l.seq, at: now, size: n}, before)
	if !first {
		b.over()
	}
	return b, first
}

// over returns a channel that is closed when the batch is in the spool, or failed.
func (b *batch) over() chan struct{} {
	if b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

// await waits for a batch. It unlocks mu.
func (l *Log) await(b *batch) {
	over := b.over()
	l.mu.Unlock()
	<-over
	l.mu.Lock()
}

// commit returns when the batch is in the spool, or will not be. Called without mu.
func (l *Log) commit(b *batch, first bool) error {
	if !first {
		<-b.done
		return b.err
	}
	s := l.spool
	l.mu.Lock()
	defer l.mu.Unlock()
	for s.writing != nil {
		l.await(s.writing)
	}
	if s.writing = b; s.next == b {
		s.next = nil
	}
	l.mu.Unlock()
	at, err := s.folder.Append(b.frames, b.n)
	l.mu.Lock()
	s.writing = nil
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	} else {
		l.publish(b, at)
	}
	l.spoolTrouble(err)
	if l.cfg.Spool.Level == Interval && s.timer == nil && !s.closed {
		s.timer = time.AfterFunc(syncEvery, l.syncSpool)
	}
	for _, a := range l.lanes {
		a.settled()
	}
	clear(b.entries)
	if s.spare = b; b.done != nil { // others still read err
		b.err = err
		close(b.done)
		s.spare = &batch{frames: b.frames, entries: b.entries}
	}
	return err
}

// publish hands what is in the spool to the lanes.
func (l *Log) publish(b *batch, at spool.Pos) {
	s := l.spool
	for i := range b.entries {
		e := &b.entries[i]
		e.pos = spool.Pos{Segment: at.Segment, Index: at.Index + e.pos.Index}
		s.extend(e.pos, &e.Event, e.at, e.seq)
		for _, a := range l.lanes {
			if a.behind > 0 || !a.fits(e.size) {
				a.leave(e.pos)
			} else {
				*a.queue.push() = *e
				a.recorded++
				a.pending++
				a.bytes += e.size
			}
			a.start()
			a.rouse()
		}
	}
	for _, i := range b.own {
		place := spool.Pos{Segment: at.Segment, Index: at.Index + i}
		if l.closing == nil || s.opened.Segment == 0 {
			s.opened = place
		} else {
			s.ended = place
		}
	}
	if b.n > 0 {
		s.tail = spool.Pos{Segment: at.Segment, Index: at.Index + b.n}
	}
}

// newest returns the newest number of the stream.
func (l *Log) newest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream.number
}

// syncSpool makes durable what was accepted in an interval.
func (l *Log) syncSpool() {
	s := l.spool
	l.mu.Lock()
	if s.timer = nil; s.closed {
		l.mu.Unlock()
		return
	}
	s.syncing = new(batch)
	l.mu.Unlock()
	if s.folder.Sync() != nil { // the next file gets what this one may not have
		_ = l.commit(&batch{before: l.newest()}, true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(s.syncing.over())
	s.syncing = nil
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
	for s.writing != nil || s.next != nil || s.syncing != nil {
		switch {
		case s.writing != nil:
			l.await(s.writing)
		case s.next != nil:
			l.await(s.next)
		default:
			l.await(s.syncing)
		}
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

// of returns what is known of a segment, which may have no events.
func (s *spooler) of(segment uint64) stretch {
	if known := s.stretch[segment]; known != nil {
		return *known
	}
	return stretch{}
}

// gathered returns the place of the oldest event that is on its way into the
// spool; false when there is none.
func (s *spooler) gathered() (uint64, bool) {
	if s == nil {
		return 0, false
	}
	for _, b := range []*batch{s.writing, s.next} {
		if b != nil && len(b.entries) > 0 {
			return b.entries[0].seq, true
		}
	}
	return 0, false
}

// room reports whether n more bytes may be written, after it has dropped what may
// be dropped for them.
func (l *Log) room(n int) bool {
	f, oldest := l.spool.folder, l.cfg.WhenFull == DropOldest
	if f.Low() {
		return oldest && l.shed(true)
	}
	if b := l.spool.next; b != nil {
		n += len(b.frames)
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

// spoolEnd puts the last event of the stream into the spool, for the case that
// this process does not write it. It unlocks mu.
func (l *Log) spoolEnd(now time.Time) {
	if l.spool != nil && l.stream.number > 0 {
		first := l.spool.next == nil
		b := l.spool.addOwn(&l.stream.last, now, l.stream.number)
		b.over()
		l.mu.Unlock()
		_ = l.commit(b, first)
		l.mu.Lock()
	}
}

// spoolTrouble has the logger get an error of the spool, once.
func (l *Log) spoolTrouble(err error) {
	if err != nil && l.spool.reported == nil {
		a := l.lanes[0]
		a.complain(Activity{Op: OpWrite, Source: a, Err: fmt.Errorf("the spool: %w", err)})
	}
	l.spool.reported = err
}
