// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"iter"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// Cursor is how far [Sink.Tail] has read. The zero Cursor is the beginning. It is
// stored as JSON, about 50 bytes for each stream in the table.
type Cursor struct {
	Streams map[audit.ID]uint64 `json:"streams"` // the last number of each
	Written time.Time           `json:"written"` // of the last event without a number
	ID      audit.ID            `json:"id"`      // of that event
}

// Tail yields the events that are new since the cursor, each once, and ends when
// there are no more; call it again later with the same cursor. In the body of the
// loop the cursor is past the event: store it when what was read is safe. A
// reader that stops before that gets those events again.
//
// Events with a number come by stream and number, whatever order they were
// committed in: a missing number is waited for as long as the event after it is
// younger than the grace ([WithGrace]). Those without one come in the order of
// their writing, after the grace: a transaction of [Sink.In] that commits later
// than that is missed, and so are processes whose clocks are off by more.
//
// A row that cannot be read is yielded as a [*RowError], or, when that is its stream or
// number, left out; any other error ends the loop. A round without news costs two
// look-ups in an index for each stream.
func (s *Sink) Tail(ctx context.Context, c *Cursor) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		if s.err != nil {
			yield(audit.Event{}, s.err)
			return
		}
		t := tail{sink: s, db: s.db.WithContext(ctx), cursor: c, young: time.Now().Add(-s.grace), yield: yield}
		if more, err := t.streams(); err != nil {
			yield(audit.Event{}, s.dialect.explain("tail", err))
		} else if more {
			if err := t.others(); err != nil {
				yield(audit.Event{}, s.dialect.explain("tail", err))
			}
		}
	}
}

// tail is one round.
type tail struct {
	sink   *Sink
	db     *gorm.DB
	cursor *Cursor
	young  time.Time // what was written after that is younger than the grace
	yield  func(audit.Event, error) bool
}

// head is a stream with its highest number.
type head struct {
	Stream string
	Head   *int64
}

// heads returns the next streams of the table, each by look-ups in the index.
// Databases bound how deep a statement may recurse; MariaDB ends it at 1000
// without an error.
func (t tail) heads(after string) (page []head, err error) {
	table := string(t.sink.table)
	err = t.db.Raw("WITH RECURSIVE streams AS ("+
		"SELECT (SELECT t.stream FROM "+table+" t WHERE t.stream > ? ORDER BY t.stream LIMIT 1) AS stream, 1 AS place UNION ALL "+
		"SELECT (SELECT t.stream FROM "+table+" t WHERE t.stream > streams.stream ORDER BY t.stream LIMIT 1), place + 1 FROM streams "+
		"WHERE streams.stream IS NOT NULL AND place < ?) "+
		"SELECT stream, (SELECT MAX(t.seq) FROM "+table+" t WHERE t.stream = streams.stream) AS head FROM streams WHERE stream IS NOT NULL ORDER BY stream",
		after, pageRows).Scan(&page).Error
	return page, err
}

// streams yields the events with numbers. It returns false when the caller has
// enough.
func (t tail) streams() (more bool, err error) {
	var heads []head
	for after := (audit.ID{}).String(); ; after = heads[len(heads)-1].Stream {
		page, err := t.heads(after)
		if err != nil {
			return false, err
		}
		heads = append(heads, page...)
		if len(page) < pageRows {
			break
		}
	}
	read := make(map[audit.ID]uint64)
	for _, h := range heads {
		var stream audit.ID
		if parseID(&stream, h.Stream) && h.Head != nil {
			read[stream] = t.cursor.Streams[stream]
		}
	}
	t.cursor.Streams = read // without those that are not in the table any more
	for _, h := range heads {
		var stream audit.ID
		if !parseID(&stream, h.Stream) || h.Head == nil || int64(read[stream]) >= *h.Head {
			continue
		}
		if more, err := t.stream(stream); !more || err != nil {
			return more, err
		}
	}
	return true, nil
}

// stream yields the news of one stream.
func (t tail) stream(stream audit.ID) (more bool, err error) {
	for full := true; full; {
		where := conditions{dialect: t.sink.dialect}
		where.and("stream = ?", stream.String()).and("seq > ?", t.cursor.Streams[stream])
		rows, err := t.page(where, "seq")
		if err != nil {
			return false, err
		}
		full = len(rows) == pageRows
		for _, r := range rows {
			number, _ := parseNumber(r.seq)
			if uint64(number) > t.cursor.Streams[stream]+1 && r.recorded.After(t.young) {
				return true, nil
			}
			t.cursor.Streams[stream] = uint64(number)
			if !t.yield(r.event, r.err) {
				return false, nil
			}
		}
	}
	return true, nil
}

// others yields the events without numbers.
func (t tail) others() error {
	d := t.sink.dialect
	for at := (place{d.time(t.cursor.Written), t.cursor.ID.String()}); ; {
		where := conditions{dialect: d}
		where.and("seq IS NULL").and("recorded_at < ?", d.time(t.young))
		where.side("recorded_at", ">", at)
		rows, err := t.page(where, "recorded_at, id")
		if err != nil {
			return err
		}
		for _, r := range rows {
			at = place{d.time(r.recorded), r.id}
			if parseID(&t.cursor.ID, r.id) {
				t.cursor.Written = r.recorded
			}
			if !t.yield(r.event, r.err) {
				return nil
			}
		}
		if len(rows) < pageRows {
			return nil
		}
	}
}

// page reads the next rows.
func (t tail) page(where conditions, order string) ([]found, error) {
	return find(t.db, source+"SELECT "+columnNames+" FROM "+string(t.sink.table)+where.sql+" ORDER BY "+order+" LIMIT ?", append(where.args, pageRows))
}
