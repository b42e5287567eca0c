// SPDX-License-Identifier: MIT

package audit

import (
	"cmp"
	"fmt"
	"runtime"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// spooler is the spool of a log. Log.mu guards it, and is unlocked while folder
// writes.
type spooler struct {
	folder   *spool.Folder
	tail     spool.Pos   // after the newest frame that the lanes know
	next     *batch      // gathers events; nil: none wait
	writing  *batch      // being written
	spare    *batch      // reused
	timer    *time.Timer // of the next sync; stays during it, so that only one runs
	syncing  *batch      // stands for a sync under way
	closed   bool
	reported error // to the logger
}

// batch is what one write puts into the spool.
type batch struct {
	before  uint64 // the newest number before it
	frames  []byte
	n       int
	entries []entry       // pos is relative to the batch
	opened  int           // place of the stream's first event in the batch, from 1; 0: none
	ended   int           // of its last one
	done    chan struct{} // made for those who wait, closed when err is set
	err     error
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
	if e.Type == TypeOpened {
		b.opened = b.n
	} else {
		b.ended = b.n
	}
	return b
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

// busy returns a batch, or a sync, that is under way; nil when there is none.
func (s *spooler) busy() *batch { return cmp.Or(s.writing, s.next, s.syncing) }

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
	runtime.Gosched() // callers that can run join the batch, which halves the cost of an event when there are some
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
	if s.timer == nil {
		l.syncIn(syncEvery)
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
		for _, a := range l.lanes {
			if a.behind > 0 || !a.fits(e.size) {
				a.leave(e.pos, &e.Event, e.at, e.seq)
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
	if b.opened > 0 {
		l.stream.opened = spool.Pos{Segment: at.Segment, Index: at.Index + b.opened - 1}
	}
	if b.ended > 0 {
		l.stream.ended = spool.Pos{Segment: at.Segment, Index: at.Index + b.ended - 1}
	}
	if b.n > 0 {
		s.tail = spool.Pos{Segment: at.Segment, Index: at.Index + b.n}
	}
}

// syncIn starts syncSpool after d, at Interval. Called with mu held.
func (l *Log) syncIn(d time.Duration) {
	if s := l.spool; l.cfg.Spool.Level == Interval && !s.closed {
		s.timer = time.AfterFunc(d, l.syncSpool)
	}
}

// syncSpool makes durable what was accepted in an interval.
func (l *Log) syncSpool() {
	s := l.spool
	l.mu.Lock()
	if s.closed {
		l.mu.Unlock()
		return
	}
	s.syncing = new(batch)
	tail, repair := s.tail, &batch{before: l.stream.number}
	l.mu.Unlock()
	start := time.Now()
	err := s.folder.Sync()
	if err != nil { // the next file gets what this one may not have
		err = l.commit(repair, true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(s.syncing.over())
	s.syncing, s.timer = nil, nil
	if err != nil || s.tail != tail {
		l.syncIn(syncEvery - time.Since(start))
	}
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

// spoolTrouble has the logger get an error of the spool, once.
func (l *Log) spoolTrouble(err error) {
	if err != nil && l.spool.reported == nil {
		a := l.lanes[0]
		a.complain(Activity{Op: OpWrite, Source: a, Err: fmt.Errorf("the spool: %w", err)})
	}
	l.spool.reported = err
}
