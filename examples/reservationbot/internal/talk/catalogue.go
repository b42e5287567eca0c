// SPDX-License-Identifier: MIT

package talk

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Message is one thing that the bot can say.
type Message int

const (
	Booked          Message = iota // room, nights, reference
	Held                           // room, nights, how long
	Extended                       // room, how long
	ExtendedEnough                 // room, how long
	NothingHeld                    //
	HoldGone                       // room
	HeldByOther                    // room, nights, how long
	BookedByOther                  // room, nights
	NoAnswer                       //
	NoAnswerButHeld                // room, nights, how long
	HoldCanceled                   // room, nights
	BookingCanceled                // room, nights, reference
	NothingToCancel                //
	FreeRooms                      // nights, rooms
	NoFreeRoom                     // nights
	NoSuchRoom                     // room
	NeedDates                      //
	WrongDates                     //
	PastDates                      //
	TooLong                        // most nights
	Helping                        //
	NotUnderstood                  //
	Trouble                        //
	numMessages
)

var catalogue = map[Lang][numMessages]string{
	English: {
		Booked:          "Booked: room %s for %s. Your reference is %s.",
		Held:            `I hold room %s for you for %s. You have %s: say "book", "extend" or "cancel".`,
		Extended:        "Room %s stays yours for another %s.",
		ExtendedEnough:  `I cannot extend the hold on room %s any further. You have %s left: say "book" or "cancel".`,
		NothingHeld:     "I am not holding a room for you.",
		HoldGone:        "Your hold on room %s has ended. Please ask again.",
		HeldByOther:     "Sorry, another guest is holding room %s for %s, for another %s.",
		BookedByOther:   "Sorry, room %s is already booked for %s.",
		NoAnswer:        "The hotel's booking system is not answering. Please try again in a moment.",
		NoAnswerButHeld: `The hotel's booking system is not answering. I keep room %s for you for %s: say "book" within %s.`,
		HoldCanceled:    "Your hold on room %s for %s is cancelled.",
		BookingCanceled: "Your booking of room %s for %s is cancelled (%s).",
		NothingToCancel: "There is nothing to cancel.",
		FreeRooms:       "Free for %s: %s.",
		NoFreeRoom:      "Sorry, nothing is free for %s.",
		NoSuchRoom:      "There is no room %s here.",
		NeedDates:       `Which nights? For example: "book room 101 from 2026-12-12 to 2026-12-15".`,
		WrongDates:      "The day of departure must come after the day of arrival.",
		PastDates:       "That day has passed.",
		TooLong:         "The longest stay is %s nights.",
		Helping:         `Try: "which rooms are free from 2026-12-12 to 2026-12-15", "hold room 101 for 3 nights from 2026-12-12", "extend", "book", "cancel".`,
		NotUnderstood:   `I did not understand that. Say "help" to see what I can do.`,
		Trouble:         "Something went wrong on our side, and nothing was booked. Please try again in a moment.",
	},
	Spanish: {
		Booked:          "Reservada: habitación %s para %s. Su referencia es %s.",
		Held:            `Le guardo la habitación %s para %s. Tiene %s: diga «reservar», «ampliar» o «cancelar».`,
		Extended:        "La habitación %s sigue siendo suya otros %s.",
		ExtendedEnough:  `No puedo ampliar más la espera de la habitación %s. Le quedan %s: diga «reservar» o «cancelar».`,
		NothingHeld:     "No le estoy guardando ninguna habitación.",
		HoldGone:        "La espera de la habitación %s ha terminado. Pídala otra vez, por favor.",
		HeldByOther:     "Lo siento, otro huésped tiene apartada la habitación %s para %s, otros %s.",
		BookedByOther:   "Lo siento, la habitación %s ya está reservada para %s.",
		NoAnswer:        "El sistema de reservas del hotel no responde. Inténtelo de nuevo en un momento.",
		NoAnswerButHeld: `El sistema de reservas del hotel no responde. Le guardo la habitación %s para %s: diga «reservar» antes de %s.`,
		HoldCanceled:    "La espera de la habitación %s para %s queda cancelada.",
		BookingCanceled: "Su reserva de la habitación %s para %s queda cancelada (%s).",
		NothingToCancel: "No hay nada que cancelar.",
		FreeRooms:       "Libres para %s: %s.",
		NoFreeRoom:      "Lo siento, no queda nada libre para %s.",
		NoSuchRoom:      "Aquí no hay ninguna habitación %s.",
		NeedDates:       `¿Qué noches? Por ejemplo: «reservar la habitación 101 del 2026-12-12 al 2026-12-15».`,
		WrongDates:      "El día de salida debe ser posterior al de llegada.",
		PastDates:       "Ese día ya ha pasado.",
		TooLong:         "La estancia más larga es de %s noches.",
		Helping:         `Pruebe: «habitaciones libres del 2026-12-12 al 2026-12-15», «guardar la habitación 101 por 3 noches desde 2026-12-12», «ampliar», «reservar», «cancelar».`,
		NotUnderstood:   `No le he entendido. Diga «ayuda» para ver qué puedo hacer.`,
		Trouble:         "Algo ha fallado por nuestra parte y no se ha reservado nada. Inténtelo de nuevo en un momento.",
	},
}

// Say puts a message into words. The arguments are strings, nights as
// []hotel.Date, times left as time.Duration and lists as []string.
func Say(l Lang, m Message, args ...any) string {
	texts := make([]any, len(args))
	for i, arg := range args {
		texts[i] = phrase(l, arg)
	}
	return fmt.Sprintf(catalogue[l][m], texts...)
}

func phrase(l Lang, arg any) string {
	switch arg := arg.(type) {
	case time.Duration:
		return minutes(l, arg)
	case []hotel.Date:
		return nights(l, arg)
	case []string:
		return strings.Join(arg, ", ")
	}
	return fmt.Sprint(arg)
}

// minutes rounds up, so that a guest is not told "0 minutes" while there is
// time.
func minutes(l Lang, left time.Duration) string {
	n := max(int((left+time.Minute-1)/time.Minute), 0)
	unit := map[Lang]string{English: "minute", Spanish: "minuto"}[l]
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// nights names each night, such as "the nights of 12, 13 and 14 December
// 2026", or the first one and the number of a long or month-crossing stay.
func nights(l Lang, dates []hotel.Date) string {
	if len(dates) == 0 {
		return ""
	}
	first, last := dates[0].Time(), dates[len(dates)-1].Time()
	month := monthNames[l][first.Month()-1]
	one, many, counted, and, form := "the night of %s", "the nights of %s", "%d nights from %s", " and ", "%s %s %d"
	if l == Spanish {
		one, many, counted, and, form = "la noche del %s", "las noches del %s", "%d noches desde el %s", " y ", "%s de %s de %d"
	}
	if len(dates) > 7 || first.Month() != last.Month() {
		return fmt.Sprintf(counted, len(dates), fmt.Sprintf(form, strconv.Itoa(first.Day()), month, first.Year()))
	}
	days := make([]string, len(dates))
	for i, d := range dates {
		days[i] = strconv.Itoa(d.Time().Day())
	}
	if len(days) == 1 {
		return fmt.Sprintf(one, fmt.Sprintf(form, days[0], month, first.Year()))
	}
	list := strings.Join(days[:len(days)-1], ", ") + and + days[len(days)-1]
	return fmt.Sprintf(many, fmt.Sprintf(form, list, month, first.Year()))
}
