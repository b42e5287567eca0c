// SPDX-License-Identifier: MIT

package audittest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
)

var cases = []struct {
	name  string
	once  bool // about storing an id once
	check func(*subject)
}{
	{"stores every field as it was", false, everyField},
	{"keeps the text of details", false, detailsText},
	{"stores texts of all kinds", false, oddTexts},
	{"stores the largest event", false, largest},
	{"stores times far off", false, farTimes},
	{"takes batches of any size", false, sizes},
	{"does not keep the batch", false, reusedBatch},
	{"does not change the batch", false, unchangedBatch},
	{"returns nil only for stored events under a cancelled context", false, cancelled},
	{"stores an id once", true, writtenAgain},
	{"keeps what was stored first", true, firstWins},
	{"completes a batch of which a part is stored", true, overlap},
	{"stores an id once that a batch has twice", true, twiceInBatch},
	{"takes writes at the same time", true, atOnce},
}

// frozen returns events as a Recorder hands them to a sink.
func frozen(events ...audit.Event) []audit.Event {
	m := audit.NewMemory()
	direct := audit.Direct(m)
	for _, e := range events {
		if err := direct.Record(context.Background(), e); err != nil {
			panic(err) // the suite's own events are valid
		}
	}
	return m.Events()
}

func some(n int) []audit.Event {
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = audit.Event{Type: "test.some", Reason: fmt.Sprint(i), Details: audit.Fields(slog.Int("i", i))}
	}
	return frozen(events...)
}

func full() audit.Event {
	return audit.Event{
		Time: time.Date(2026, 12, 11, 23, 59, 59, 123456789, time.FixedZone("east", 3600)),
		Type: "test.full", Outcome: audit.Denied, Reason: "because",
		Actor:      audit.Entity{Type: "guest", ID: "g-1", Name: "Ana"},
		Resource:   audit.Entity{Type: "lock", ID: "room/101", Name: "Room 101"},
		OnBehalfOf: audit.Entity{Type: "company", ID: "c-7", Name: "Acme"}, SourceAddress: "192.0.2.1", UserAgent: "kiosk/1.0",
		Tenant: "hotel", Session: "s-1", Correlation: "c-1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		Details: audit.Fields(slog.Int("nights", 3)),
	}
}

func everyField(s *subject) {
	batch := frozen(full(), audit.Event{Type: "test.bare"})
	for _, o := range []audit.Outcome{audit.Unknown, audit.Success, audit.Failure} {
		e := full()
		e.Outcome = o
		batch = append(batch, frozen(e)...)
	}
	batch[0].Stream, batch[0].Seq = audit.NewID(), 1<<40
	batch[1].Stream = batch[0].Stream // a mark of missing events
	s.write(batch)
	s.want(batch, "a trail that changes events proves nothing; times have microseconds and are in UTC")
}

func detailsText(s *subject) {
	var batch []audit.Event
	for _, text := range []string{
		`{"z":1,"a":2}`, `{"n":1e3,"m":1.50,"big":12345678901234567890}`, `{"k":1,"k":2}`, "{ \"spaced\" :\t[ ] }", `{"quote":"\"\\\/\u00e9"}`, `{}`,
	} {
		d, err := audit.ParseDetails(text)
		if err != nil {
			s.Fatal(err)
		}
		batch = append(batch, frozen(audit.Event{Type: "test.details", Details: d})...)
	}
	s.write(batch)
	s.want(batch, "details are text: a store that sorts keys or rewrites numbers breaks every hash over them")
}

func oddTexts(s *subject) {
	var batch []audit.Event
	for _, text := range []string{"'; DROP TABLE lock_audit; --", "?", "$1 @name %s", "line\nbreak\r\ttab", "\u2028 \u00a0 \u202e", "🏨 habitación", "nul\x00 and \xff", "\x01\x7f", ` "quoted" \ `, " "} {
		e := full()
		e.Reason, e.Actor.Name, e.Resource.ID = text, text, text
		e.Details = audit.Fields(slog.String("text", text), slog.String(text, "key"))
		batch = append(batch, frozen(e)...)
	}
	s.write(batch)
	s.want(batch, "texts such as the names of guests come from outside; none may fail, change, or end up in another place")
}

func largest(s *subject) {
	e, long := full(), strings.Repeat("é", audit.MaxText)
	for _, text := range []*string{
		&e.Reason, &e.Actor.Type, &e.Actor.ID, &e.Actor.Name, &e.Resource.Type, &e.Resource.ID, &e.Resource.Name,
		&e.OnBehalfOf.Type, &e.OnBehalfOf.ID, &e.OnBehalfOf.Name,
		&e.Tenant, &e.Session, &e.Correlation, &e.TraceID, &e.SourceAddress, &e.UserAgent,
	} {
		*text = long
	}
	e.Type = strings.Repeat("t", audit.MaxType)
	e.Details = audit.Fields(slog.String("k", strings.Repeat("d", audit.MaxDetails-len(`{"k":""}`))))
	batch := frozen(e)
	if len(batch[0].Details.String()) != audit.MaxDetails {
		s.Fatal("the largest event is not the largest")
	}
	s.write(batch)
	s.want(batch, "an event within the bounds must not make a batch fail")
}

func farTimes(s *subject) {
	batch := frozen(
		audit.Event{Type: "test.time", Time: time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)},
		audit.Event{Type: "test.time", Time: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		audit.Event{Type: "test.time", Time: time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC)},
	)
	s.write(batch)
	s.want(batch, "a wrong clock must not lose an event")
}

func sizes(s *subject) {
	var all []audit.Event
	for _, n := range []int{0, 1, 2, 3, 7, 64, 65, 512, 1100} {
		batch := some(n)
		s.write(batch)
		all = append(all, batch...)
	}
	s.want(all, "the log decides how many events a batch has")
}

func reusedBatch(s *subject) {
	first, second := some(10), some(10)
	buffer := slices.Clone(first)
	s.write(buffer)
	copy(buffer, second)
	s.want(first, "the log uses the batch's memory again as soon as Write returns")
}

func unchangedBatch(s *subject) {
	batch := some(10)
	before := slices.Clone(batch)
	s.write(batch)
	if !slices.Equal(batch, before) {
		s.Error("Write changed the batch: the same one is written again when the answer was an error")
	}
}

func cancelled(s *subject) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	batch := some(3)
	if err := s.sink.Write(ctx, batch); err != nil {
		s.write(batch)
	}
	s.want(batch, "nil means stored; after an error the batch can be written again")
}

func writtenAgain(s *subject) {
	batch := some(100)
	s.write(batch)
	s.write(batch)
	s.want(batch, "a batch whose answer was lost is written again")
}

func firstWins(s *subject) {
	batch := some(1)
	s.write(batch)
	forged := batch[0]
	forged.Reason = "forged"
	s.write([]audit.Event{forged})
	s.want(batch, "a stored event does not change")
}

func overlap(s *subject) {
	batch := some(20)
	s.write(batch[5:12])
	s.write(batch)
	s.want(batch, "an error may come after a part of the batch was stored")
}

func twiceInBatch(s *subject) {
	batch := some(2)
	s.write([]audit.Event{batch[0], batch[1], batch[0]})
	s.want(batch, "an expiry is reported again until it is recorded, so one batch may have it twice")
}

func atOnce(s *subject) {
	batch := some(200)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for chunk := range slices.Chunk(batch[i*20:i*20+140], 20) {
				if err := s.sink.Write(s.Context(), chunk); err != nil {
					s.Errorf("writing while others do: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.want(batch, "several logs and processes share a sink")
}
