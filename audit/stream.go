// SPDX-License-Identifier: MIT

package audit

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"
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
	// TypeFiltered is the type of the event that a [Filter] writes in the place
	// of the numbered events that it has left out of a batch. Its details are
	// those of [TypeDropped].
	TypeFiltered = "audit.filtered"
)

// stream is the state of a log's stream; Log.mu guards it.
type stream struct {
	id           ID
	number       uint64 // of the newest event; 0: not begun
	begun, ended bool   // its first and its last event were handed to the writer
}

// number gives an event its id and its number. 1 is that of TypeOpened. The
// log of a sink of a Multi gets events with numbers.
func (l *Log) number(e *Event, now time.Time) {
	s := &l.stream
	if !e.ID.IsZero() {
		if l.lane && e.Seq > 0 {
			s.id, s.number = e.Stream, e.Seq
		}
		return
	}
	if s.number == 0 {
		s.id, s.number = newID(now), 1
	}
	e.ID = newID(now)
	s.number++
	e.Stream, e.Seq = s.id, s.number
}

// again has the first or last event written again, with a later batch.
func (s *stream) again(kind string) {
	if kind == TypeOpened {
		s.begun = false
	} else {
		s.ended = false
	}
}

// opening makes the stream's first event, which goes before what is queued.
func (l *Log) opening() entry {
	l.stream.begun = true
	host, _ := os.Hostname()
	version := ""
	if build, ok := debug.ReadBuildInfo(); ok {
		version = build.Main.Version
	}
	oldest := l.queue.at(0)
	return l.boundary(TypeOpened, 1, oldest.seq, oldest.at,
		slog.String("host", host), slog.Int("pid", os.Getpid()), slog.String("version", version))
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
func (l *Log) beginning() bool { return l.lanes == nil && l.stream.number > 0 && !l.stream.begun }

// ending reports whether the stream's last event is still to be written.
func (l *Log) ending() bool {
	return l.closing != nil && l.stream.begun && !l.stream.ended
}

// closingEvent makes the stream's last event, which goes after everything.
func (l *Log) closingEvent() entry {
	l.stream.ended = true
	return l.boundary(TypeClosed, l.stream.number+1, l.seq+1, time.Now())
}

// boundary makes the first or the last event, which counts as a mark.
func (l *Log) boundary(kind string, number, seq uint64, at time.Time, details ...slog.Attr) entry {
	id := l.stream.id // that of the first event, too
	if number > 1 {
		id = newID(at)
	}
	return entry{seq: seq, at: at, mark: true, Event: Event{
		ID: id, Time: at.UTC().Truncate(time.Microsecond), Type: kind, Outcome: Success,
		Actor:    Entity{Type: "process", ID: l.cfg.Instance},
		Resource: Entity{Type: "audit", ID: l.cfg.Name},
		Details:  Fields(details...), Stream: l.stream.id, Seq: number,
	}}
}

// instance returns the default of Config.Instance.
func instance() string {
	host, _ := os.Hostname()
	program := "program"
	if path, err := os.Executable(); err == nil {
		program = filepath.Base(path)
	}
	return host + "/" + program
}
