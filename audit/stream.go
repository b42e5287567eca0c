// SPDX-License-Identifier: MIT

package audit

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/spool"
)

// A [Log] numbers the events of each run in a stream, so that a reader of the
// trail can see what is missing.
const (
	// TypeOpened is the type of a stream's first event, which is written before
	// the first batch. The actor is the process, by [Config.Instance], the
	// resource the log, by [Config.Name]. Its details are host, pid and version,
	// that of the program. Its id is the stream's.
	TypeOpened = "audit.opened"
	// TypeClosed is the type of a stream's last event, written by [Log.Close].
	// A stream without it was cut off, or is still running.
	TypeClosed = "audit.closed"
	// TypeDropped is the type of the event that a [Log] puts into the trail where
	// others are missing. Its details are n, how many; first and last, the ids of
	// the first and the last of them; from and to, their numbers in the stream, if
	// they have any; reason, a [DropReason].
	TypeDropped = "audit.dropped"
	// TypeFiltered is the type of the event that a [Filter] writes in the place
	// of the numbered events that it has left out of a batch. Its details are
	// those of [TypeDropped].
	TypeFiltered = "audit.filtered"
)

// stream is the state of a log's stream; Log.mu guards it.
type stream struct {
	id          ID
	number      uint64    // of the newest event; 0: not begun
	about       Details   // of the process
	first, last Event     // TypeOpened and TypeClosed
	opened      spool.Pos // of first in the spool, if any
	ended       spool.Pos // of last
	over        bool      // last may be written
}

// number gives an event without an id its id and its number. 1 is that of
// TypeOpened.
func (l *Log) number(e *Event, now time.Time) {
	s := &l.stream
	if !e.ID.IsZero() {
		return
	}
	if s.number == 0 {
		s.id, s.number = newID(now), 1
		s.first = l.boundary(TypeOpened, 1, now)
	}
	e.ID = newID(now)
	s.number++
	e.Stream, e.Seq = s.id, s.number
}

// apart shortens a part of a batch so that the stream's own events are written
// alone: their trouble is not that of the others.
func apart(part []entry) []entry {
	if i := slices.IndexFunc(part, entry.own); i >= 0 {
		return part[:max(1, i)]
	}
	return part
}

// own reports whether e is the first or the last event of the stream.
func (e entry) own() bool { return e.mark && e.gap == nil }

// beginning reports whether the stream's first event is still to be written.
func (a *lane) beginning() bool { return a.log.stream.number > 0 && !a.begun }

// ending reports whether the stream's last event is still to be written.
func (a *lane) ending() bool { return a.log.stream.over && a.begun && !a.ended }

// opening returns the stream's first event, which goes before what is queued.
func (a *lane) opening() entry {
	a.begun = true
	oldest := a.queue.at(0)
	return entry{seq: oldest.seq, at: oldest.at, pos: a.log.stream.opened, mark: true, Event: a.log.stream.first}
}

// closing returns the stream's last event, which goes after everything.
func (a *lane) closing() entry {
	a.ended = true
	return entry{seq: a.log.seq + 1, at: time.Now(), pos: a.log.stream.ended, mark: true, Event: a.log.stream.last}
}

// endStream makes the stream's last event, when there is a stream, and puts it
// into the spool for the case that this process does not write it. It unlocks mu.
func (l *Log) endStream(now time.Time) {
	if l.stream.number == 0 {
		return
	}
	l.stream.last = l.boundary(TypeClosed, l.stream.number+1, now)
	if l.spool != nil {
		first := l.spool.next == nil
		b := l.spool.addOwn(&l.stream.last, now, l.stream.number)
		b.over()
		l.mu.Unlock()
		_ = l.commit(b, first)
		l.mu.Lock()
	}
	l.stream.over = true
	for _, a := range l.lanes {
		if a.begun {
			a.start() // writes it
		}
	}
}

// again has the first or last event written again, with a later batch.
func (a *lane) again(kind string) {
	if kind == TypeOpened {
		a.begun = false
	} else {
		a.ended = false
	}
}

// boundary makes the first or the last event, which counts as a mark.
func (l *Log) boundary(kind string, number uint64, at time.Time) Event {
	e := Event{
		ID: l.stream.id, Time: at.UTC().Truncate(time.Microsecond), Type: kind, Outcome: Success,
		Actor:    Entity{Type: "process", ID: l.cfg.Instance},
		Resource: Entity{Type: "audit", ID: l.cfg.Name},
		Stream:   l.stream.id, Seq: number,
	}
	if kind == TypeOpened {
		e.Details = l.stream.about
	} else {
		e.ID = newID(at)
	}
	return e
}

// process describes the process.
var process = sync.OnceValue(func() Details {
	host, _ := os.Hostname()
	version := ""
	if build, ok := debug.ReadBuildInfo(); ok {
		version = build.Main.Version
	}
	return Fields(slog.String("host", host), slog.Int("pid", os.Getpid()), slog.String("version", version))
})

// instance returns the default of Config.Instance.
func instance() string {
	host, _ := os.Hostname()
	program := "program"
	if path, err := os.Executable(); err == nil {
		program = filepath.Base(path)
	}
	return host + "/" + program
}

// gap counts the events lost at one place of the trail.
type gap [SpoolFailed + 1]span

// span is the part of a gap with one reason.
type span struct {
	n           int
	first, last ID
	stream      ID        // of those with a number
	from, to    uint64    // their lowest and highest number
	at          time.Time // when the first one was recorded
}

func (g *gap) add(why DropReason, e *Event, at time.Time) { g[why].join(e.span(at)) }

// span returns the span of one event.
func (e *Event) span(at time.Time) span {
	one := span{n: 1, first: e.ID, last: e.ID, at: at}
	if e.Seq > 0 {
		one.stream, one.from, one.to = e.Stream, e.Seq, e.Seq
	}
	return one
}

// join adds a later span.
func (s *span) join(l span) {
	switch {
	case s.n == 0:
		*s = l
		return
	case l.n == 0:
		return
	case s.from == 0:
		s.stream, s.from = l.stream, l.from
	}
	s.n += l.n
	s.last, s.to = l.last, max(s.to, l.to)
}

// filtered returns the event in the place of those that a filter has left out;
// a batch that is written again gets the same one.
func (s span) filtered() Event {
	return Event{
		ID: DerivedID(s.at, "filtered/"+s.first.String()+s.last.String()), Time: s.at, Type: TypeFiltered, Outcome: Success, Reason: "filtered",
		Resource: Entity{Type: "audit", ID: "filter"}, Stream: s.stream, Details: s.details("filtered"),
	}
}

// details describes the missing events for the trail.
func (s span) details(reason string) Details {
	attrs := []slog.Attr{slog.Int("n", s.n), slog.String("first", s.first.String()), slog.String("last", s.last.String())}
	if s.from > 0 {
		attrs = append(attrs, slog.Uint64("from", s.from), slog.Uint64("to", s.to))
	}
	return Fields(append(attrs, slog.String("reason", reason))...)
}

// join adds a later gap.
func (g *gap) join(later *gap) {
	for why, l := range later {
		g[why].join(l)
	}
}

// marks turns a gap into one event for each reason. The ids of marks are ordered
// like those of the lost events, but differ from them: a lost event may be
// recorded again, and its id must be free.
func (e entry) marks(log string) []entry {
	var marks []entry
	for why, s := range e.gap {
		if s.n > 0 {
			reason := DropReason(why).String()
			one := new(gap)
			one[why] = s
			marks = append(marks, entry{seq: e.seq, at: s.at, gap: one, pos: e.pos, mark: true, Event: Event{
				ID: s.first.beside(), Time: s.at.UTC().Truncate(time.Microsecond),
				Type: TypeDropped, Outcome: Failure, Reason: reason, Resource: Entity{Type: "audit", ID: log},
				Stream: s.stream, Details: s.details(reason),
			}})
		}
	}
	return marks
}
