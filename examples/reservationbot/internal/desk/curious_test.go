// SPDX-License-Identifier: MIT

package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
)

// curious guests said these to see what would happen.
const curious = `
reservé la habitación 101 mañana por 2 noches => "¿Reservo la habitación 101 para"
sí => books 101 2026-12-02 2
canceló la reserva => "No se ha cancelado nada. ¿Cancelo"
no => "De acuerdo, no cambia nada."
cancelé la reserva => "No se ha cancelado nada. ¿Cancelo"
no => "De acuerdo, no cambia nada."
anulé mi reserva => "No se ha cancelado nada. ¿Cancelo"

guardé la 102 del 12 al 14 de diciembre => "¿Guardo la habitación 102 para"

hold room 103 from 12 December for 2 nights => holds 103 2026-12-12 2
amplié la espera => "¿Amplío la espera de"
cancel at 5pm => "Nothing is cancelled. Shall I"
cancel in 10 minutes => "Nothing is cancelled. Shall I"
cancel it in the morning => "Nothing is cancelled. Shall I"
book it at noon => "Shall I book room 103 for the nights"
extend for 10 minutes => extended 1 times

book room 104 by Friday for 2 nights => "Shall I book room 104 for the nights"

book room 105 from 12 December for 2 nights => books 105 2026-12-12 2
cancel HF-AAAAA => "Nothing of yours is like that."
remove room 105 => "Nothing is cancelled. Shall I"
delete it => "Nothing is cancelled. Shall I"

hold room 105 from 10 December for 2 nights => holds 105 2026-12-10 2
another room => "Shall I hold a room for the nights"
106 => "Shall I hold room 106 for the nights"
yes => -holds 105 2026-12-10 2, holds 106 2026-12-10 2

guarda la 105 del 10 al 12 => "¿Guardo la habitación 105 para"
la 106 => "¿Guardo la habitación 106 para"
sí => holds 106 2026-12-10 2

2 nights from 12 December => "What shall I do about a room for"
102 => "What shall I do about room 102 for"
book => books 102 2026-12-12 2

2 nights from 12 December => "What shall I do about a room for"
room 102 please => "What shall I do about room 102 for"
blah => "What shall I do about room 102 for"
room 102 => "What shall I do about room 102 for"
from 14 December => "What shall I do about room 102 for"
hold => holds 102 2026-12-14 2

book => "Which nights? For example: "book"
102 => "Which nights? For example: "book"
tomorrow for 2 nights => books 102 2026-12-02 2

room 106 => "Which nights? For example: "book"
tomorrow => "How many nights?"
tomorrow => "How many nights?"
2 => "What shall I do about room 106 for"
book it => books 106 2026-12-02 2

tomorrow => "How many nights?"
what => "How many nights?"
for 2 nights => "What shall I do about a room for"
room 107 => "What shall I do about room 107 for"
hold it => holds 107 2026-12-02 2

me quedo con la 102 desde mañana, 2 noches => "¿Qué hago con la habitación 102 para"
reservar => books 102 2026-12-02 2

305 => "Which nights? For example: "book"
tomorrow => "How many nights?"
1 => "What shall I do about room 305 for"
hold => holds 305 2026-12-02 1
305 => "Shall I hold room 305 for the night"
extend room 102 => "Nothing of yours is like that."

mañana => "¿Cuántas noches?"
dos => "¿Qué hago con una habitación para"
reservar => books 101 2026-12-02 2

book room 106 tomorrow for 2 nights? => "Shall I book room 106 for the nights"
no, 107 => "Shall I book room 107 for the nights"
no => "All right, nothing is changed."
`

func TestTheExamplesOfTheBotAreStaysToCome(t *testing.T) {
	f := newFixture(t)
	f.Today = func() hotel.Date { return hotel.Day(2027, time.February, 20) }
	for lang, said := range map[string]string{"en": "help", "es": "ayuda"} {
		if r := f.Answer(t.Context(), lang, said); strings.Count(r.Text, "2027-03-03") != 2 || strings.Count(r.Text, "2027-03-06") != 1 {
			t.Errorf("%s: %s", said, r.Text)
		}
	}
	f.as(t, "ana", "book", OK)
	f.as(t, "ana", "book room 101 from 2027-03-03 to 2027-03-06", OK)
	if len(f.pms.bookings) != 1 {
		t.Errorf("the example books %v", f.pms.bookings)
	}
}

func TestABookingThatTheHotelHasEndedIsListedNoMore(t *testing.T) {
	f := newFixture(t)
	f.say(t, "book "+stay, OK)
	f.pms.fail(errors.New("out of order"))
	if r := f.say(t, "my bookings", OK); r.Text == talk.Text.NothingYours[0] {
		t.Errorf("without the PMS: %s", r.Text)
	}
	f.pms.fail(nil)
	f.pms.bookings = nil
	if r := f.say(t, "my bookings", OK); r.Text != talk.Text.NothingYours[0] {
		t.Errorf("the hotel was emptied: %s", r.Text)
	}
}
