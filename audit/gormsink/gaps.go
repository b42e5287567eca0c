// SPDX-License-Identifier: MIT

package gormsink

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
)

// Gap is a part of a stream that the table does not have, and for which no event
// of the trail gives a reason.
type Gap struct {
	Stream audit.ID
	// Instance and Log are those of [audit.TypeOpened], "" when the table does not
	// have it.
	Instance, Log string
	// From and To are the lowest and the highest number that may be missing.
	// To is 0 for a stream that was cut off: how much followed is unknown.
	From, To uint64
	// Missing is how many numbers of these are missing, 0 when unknown.
	Missing uint64
}

// Gaps reports what is missing in the trail, by stream: numbers that are not in
// the table, unless [audit.TypeDropped], [audit.TypeFiltered] or [TypePurged] say
// why; and the streams without [audit.TypeClosed] whose instance has opened a
// newer one for the same log, so that a process that was killed is reported when
// its successor runs. Events without a number are not looked at, and a stream of
// which nothing was stored is unknown.
//
// It reads the index of all numbers, about a second for a million, and more for
// each stream with holes.
func (s *Sink) Gaps(ctx context.Context) ([]Gap, error) {
	if s.err != nil {
		return nil, s.err
	}
	gaps, err := s.gaps(s.db.WithContext(ctx))
	if err != nil {
		return nil, s.dialect.explain("gaps", err)
	}
	return gaps, nil
}

// source begins a statement that reads: plugins that send reading to replicas
// know it by the word SELECT at its beginning, and a replica may be late.
const source = "/* source */ "

// run is what the table has of a stream.
type run struct {
	Stream          string
	Lowest, Highest uint64
	Stored          uint64
	Opened, Closed  string // types of the first and the last stored event
	Instance, Log   string // of the first
}

func (s *Sink) gaps(db *gorm.DB) (gaps []Gap, err error) {
	var runs []run
	t := string(s.table)
	err = db.Raw(source + "SELECT s.stream, s.lowest, s.highest, s.stored, f.type AS opened, l.type AS closed, f.actor_id AS instance, f.resource_id AS log FROM " +
		"(SELECT stream, MIN(seq) AS lowest, MAX(seq) AS highest, COUNT(*) AS stored FROM " + t + " WHERE seq > 0 GROUP BY stream) s " +
		"JOIN " + t + " f ON f.stream = s.stream AND f.seq = s.lowest JOIN " + t + " l ON l.stream = s.stream AND l.seq = s.highest ORDER BY s.stream").Scan(&runs).Error
	if err != nil {
		return nil, err
	}
	type origin struct{ instance, log string }
	newest := make(map[origin]string)
	for i := range runs {
		r := &runs[i]
		if r.Opened != audit.TypeOpened {
			r.Instance, r.Log = "", ""
			continue
		}
		newest[origin{r.Instance, r.Log}] = r.Stream // they come in the order of their opening
	}
	for _, r := range runs {
		cut := r.Closed != audit.TypeClosed && r.Opened == audit.TypeOpened && newest[origin{r.Instance, r.Log}] != r.Stream
		if !cut && r.Stored == r.Highest {
			continue
		}
		found, err := s.gapsOf(db, r, cut)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, found...)
	}
	return gaps, nil
}

// reasons are what the trail says about missing numbers of a stream.
type reasons struct {
	purged uint64 // up to here everything may be missing
	spans  []span
}

// span is the reason why n of the numbers in a range are missing.
type span struct {
	N, From, To  uint64
	Type, Tenant string // of a purge
}

// gapsOf returns the gaps of one stream.
func (s *Sink) gapsOf(db *gorm.DB, r run, cut bool) (gaps []Gap, err error) {
	known, err := s.reasons(db, r.Stream)
	if err != nil {
		return nil, err
	}
	var holes []struct{ Prev, Seq uint64 }
	err = db.Raw(source+"SELECT prev, seq FROM (SELECT seq, COALESCE(LAG(seq) OVER (ORDER BY seq), 0) AS prev FROM "+string(s.table)+
		" WHERE stream = ? AND seq > 0) numbers WHERE seq > prev + 1 ORDER BY seq", r.Stream).Scan(&holes).Error
	if err != nil {
		return nil, err
	}
	own := Gap{Instance: r.Instance, Log: r.Log}
	parseID(&own.Stream, r.Stream)
	doubtful := own // numbers in ranges for which there are reasons
	for _, h := range holes {
		from, to := max(h.Prev+1, known.purged+1), h.Seq-1
		for from <= to {
			end, explained := known.at(from, to)
			if explained {
				if doubtful.Missing == 0 {
					doubtful.From = from
				}
				doubtful.To = end
				doubtful.Missing += end - from + 1
			} else {
				g := own
				g.From, g.To, g.Missing = from, end, end-from+1
				gaps = append(gaps, g)
			}
			from = end + 1
		}
	}
	if n := known.total(); doubtful.Missing > n {
		doubtful.Missing -= n
		gaps = append(gaps, doubtful)
	}
	if cut && r.Highest > known.purged {
		g := own
		g.From = r.Highest + 1
		gaps = append(gaps, g)
	}
	return gaps, nil
}

// reasons reads the marks of a stream.
func (s *Sink) reasons(db *gorm.DB, stream string) (known reasons, err error) {
	var marks []struct{ Type, Details string }
	err = db.Raw(source+"SELECT type, details FROM "+string(s.table)+" WHERE stream = ? AND seq IS NULL AND type IN ?",
		stream, []string{audit.TypeDropped, audit.TypeFiltered, TypePurged}).Scan(&marks).Error
	for _, m := range marks {
		var one span
		if json.Unmarshal([]byte(m.Details), &one) != nil {
			continue // Query reports unreadable rows
		}
		if m.Type == TypePurged && one.Type == "" && one.Tenant == "" {
			known.purged = max(known.purged, one.To)
		} else {
			known.spans = append(known.spans, one)
		}
	}
	return known, err
}

// at reports whether there is a reason for a number, and up to which number,
// limit at most, the answer is the same.
func (k reasons) at(number, limit uint64) (end uint64, explained bool) {
	end = limit
	for _, s := range k.spans {
		switch {
		case s.From <= number && number <= s.To:
			return min(limit, s.To), true
		case s.From > number:
			end = min(end, s.From-1)
		}
	}
	return end, false
}

// total is how many numbers the reasons are for.
func (k reasons) total() (n uint64) {
	for _, s := range k.spans {
		if s.To > k.purged {
			n += s.N
		}
	}
	return n
}
