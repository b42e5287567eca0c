// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

const nights = 14

// Calendar is the rooms by the coming nights.
type Calendar struct {
	Days []Day
	Rows []Row
}

// Day is a column's head.
type Day struct {
	Weekday string
	Number  int
	Weekend bool
}

// Row is a room.
type Row struct {
	Room   string
	Nights []Night
}

// ID is the row's element.
func (r Row) ID() string { return "r" + r.Room }

// Night is a room in one night.
type Night struct {
	Value string // of its button
	Kind  string // free, held, booked, clash or unknown
	Mine  bool
	Until int64  // when a hold ends, in milliseconds since 1970; 0 without
	Label string // all of it in words
}

// calendarOf puts bookings over holds, and what was just refused over both.
func calendarOf(st State, q question, rooms []string) Calendar {
	cells := make(map[string]Night)
	key := func(room string, d hotel.Date) string { return room + "." + d.String() }
	put := func(s hotel.Stay, n Night) {
		for _, d := range s.Nights() {
			cells[key(s.Room, d)] = n
		}
	}
	for _, h := range st.Holds {
		put(h.Stay, Night{Kind: "held", Mine: h.Guest == q.guest, Until: h.ExpiresAt.UnixMilli(), Label: say(q.lang, "held by %s", "guardada por %s", h.Guest)})
	}
	for _, b := range st.Bookings {
		put(b.Stay, Night{Kind: "booked", Mine: b.Guest == q.guest, Label: say(q.lang, "booked by %s", "reservada por %s", b.Guest)})
	}
	for _, s := range st.Clashes {
		for _, d := range s.Nights() {
			n := cells[key(s.Room, d)]
			n.Kind, n.Label = "clash", say(q.lang, "refused just now", "rechazada ahora mismo")
			cells[key(s.Room, d)] = n
		}
	}
	free := Night{Kind: "free", Label: say(q.lang, "free", "libre")}
	for _, part := range []string{"holds", "bookings"} {
		if asOf, missing := st.Missing[part]; missing && asOf.IsZero() {
			free = Night{Kind: "unknown", Label: say(q.lang, "unknown", "se desconoce")}
		} else if missing && free.Kind == "free" {
			free.Label = say(q.lang, "free when last seen", "libre la última vez")
		}
	}
	var c Calendar
	for i := range nights {
		day := st.Today.Plus(i).Time()
		c.Days = append(c.Days, Day{weekdays[q.lang][day.Weekday()], day.Day(), day.Weekday() == time.Saturday || day.Weekday() == time.Sunday})
	}
	for _, room := range rooms {
		row := Row{Room: room}
		for i := range nights {
			value := key(room, st.Today.Plus(i))
			n, taken := cells[value]
			if !taken {
				n = free
			}
			n.Value = value
			n.Label = fmt.Sprintf("%s, %s %d: %s", room, c.Days[i].Weekday, c.Days[i].Number, n.Label)
			row.Nights = append(row.Nights, n)
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// Left is how long a hold lasts, such as "4:59"; a reader with a script counts
// on from Until.
func (n Night) Left() string {
	d := max(time.Until(time.UnixMilli(n.Until)), 0).Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
