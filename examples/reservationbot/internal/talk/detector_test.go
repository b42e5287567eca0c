// SPDX-License-Identifier: MIT

package talk

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Tuesday, 1 December 2026.
var detector = Detector{Today: func() hotel.Date { return hotel.Day(2026, time.December, 1) }}

func TestDetectUnderstandsMessages(t *testing.T) {
	date := func(text string) hotel.Date {
		if text == "" {
			return hotel.Date{}
		}
		d, err := hotel.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		text          string
		intent        Intent
		lang          Lang
		room, in, out string
		reference     string
	}{
		{"book room 101 from 2026-12-12 to 2026-12-15", Book, English, "101", "2026-12-12", "2026-12-15", ""},
		{"Book 101 for 3 nights from 12 December", Book, English, "101", "2026-12-12", "2026-12-15", ""},
		{"hold room 7 for two nights from December 30, 2026!", Hold, English, "7", "2026-12-30", "2027-01-01", ""},
		{"reserve a room for two from 12 to 15 December", Book, English, "", "2026-12-12", "2026-12-15", ""},
		{"a room for 2 from 12 December to 15 December, please book", Book, English, "", "2026-12-12", "2026-12-15", ""},
		{"book 2 nights from friday", Book, English, "", "2026-12-04", "2026-12-06", ""},
		{"book a night from tuesday", Book, English, "", "2026-12-08", "2026-12-09", ""},
		{"book tonight until tomorrow", Book, English, "", "2026-12-01", "2026-12-02", ""},
		{"book from 3 March to 5 March", Book, English, "", "2027-03-03", "2027-03-05", ""},
		{"book from 12 December", Book, English, "", "2026-12-12", "", ""},
		{"book from 31 June for 2 nights", Book, English, "", "", "", ""},
		{"Is room 101 free? I want to book it", Availability, English, "101", "", "", ""},
		{"extend my hold", Extend, English, "", "", "", ""},
		{"please cancel my booking HF-7K2QP", Cancel, English, "", "", "", "HF-7K2QP"},
		{"hello", Help, English, "", "", "", ""},
		{"Reservar la habitación 102 del 12 de diciembre de 2026 al 15 de diciembre", Book, Spanish, "102", "2026-12-12", "2026-12-15", ""},
		{"guárdame la habitación 101 por dos noches desde mañana", Hold, Spanish, "101", "2026-12-02", "2026-12-04", ""},
		{"¿Qué habitaciones hay libres el sábado por una noche?", Availability, Spanish, "", "2026-12-05", "2026-12-06", ""},
		{"ampliar", Extend, Spanish, "", "", "", ""},
		{"sí", Book, Spanish, "", "", "", ""},
		{"Ayuda, por favor", Help, Spanish, "", "", "", ""},
		{"what is the weather", Unknown, English, "", "", "", ""},
		{"42", Unknown, "", "", "", "", ""},
		{"", Unknown, "", "", "", "", ""},
	} {
		want := Request{c.intent, c.lang, c.room, date(c.in), date(c.out), c.reference}
		if got := detector.Detect(c.text); got != want {
			t.Errorf("Detect(%q) = %v, want %v", c.text, got, want)
		}
	}
}

func FuzzDetectNeverFails(f *testing.F) {
	f.Add("book room 101 from 2026-12-12 to 2026-12-15")
	f.Add("de de 12 de diciembre de 99999 room a hf-")
	f.Add("hf-7k2qp from 31 to 31 february\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		r := detector.Detect(text)
		if r.Room != "" && number(r.Room) == 0 {
			t.Errorf("room %q is no number", r.Room)
		}
		for _, d := range []hotel.Date{r.In, r.Out} {
			if again, err := hotel.ParseDate(d.String()); !d.IsZero() && (err != nil || again != d) {
				t.Errorf("date %s does not survive being written", d)
			}
		}
		if r.In.IsZero() && !r.Out.IsZero() {
			t.Errorf("a departure %s without an arrival", r.Out)
		}
	})
}
