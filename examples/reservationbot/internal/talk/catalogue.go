// SPDX-License-Identifier: MIT

package talk

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Message is one thing that the bot can say; 0 is none.
type Message int

// catalogue has each message in English and Spanish.
var catalogue = [][2]string{{}}

func message(english, spanish string) Message {
	catalogue = append(catalogue, [2]string{english, spanish})
	return Message(len(catalogue) - 1)
}

// What the bot can say.
var (
	Booked = message("Booked: room %s for %s. Your reference is %s.", "Reservada: habitación %s para %s. Su referencia es %s.")
	Held   = message(`I hold room %s for you for %s. You have %s: say "book", "extend" or "cancel".`,
		`Le guardo la habitación %s para %s. Tiene %s: diga «reservar», «ampliar» o «cancelar».`)
	Extended       = message("Room %s stays yours for another %s.", "La habitación %s sigue siendo suya otros %s.")
	ExtendedEnough = message(`I cannot extend the hold on room %s any further. You have %s left: say "book" or "cancel".`,
		`No puedo ampliar más la espera de la habitación %s. Le quedan %s: diga «reservar» o «cancelar».`)
	NothingHeld = message("I am not holding a room for you.", "No le estoy guardando ninguna habitación.")
	HoldGone    = message("Your hold on room %s has ended. Please ask again.", "La espera de la habitación %s ha terminado. Pídala otra vez, por favor.")
	HeldByOther = message("Sorry, another guest is holding room %s for %s, for another %s. Another room?",
		"Lo siento, otro huésped tiene apartada la habitación %s para %s, otros %s. ¿Otra habitación?")
	BookedByOther = message("Sorry, room %s is already booked for %s. Another room?",
		"Lo siento, la habitación %s ya está reservada para %s. ¿Otra habitación?")
	NoAnswer = message("The hotel's booking system is not answering. Please try again in a moment.",
		"El sistema de reservas del hotel no responde. Inténtelo de nuevo en un momento.")
	NoAnswerButHeld = message(`The hotel's booking system is not answering. I keep room %s for you for %s: say "book" within %s.`,
		`El sistema de reservas del hotel no responde. Le guardo la habitación %s para %s: diga «reservar» antes de %s.`)
	HoldCanceled    = message("Your hold on room %s for %s is cancelled.", "La espera de la habitación %s para %s queda cancelada.")
	HoldDropped     = message("Your hold on room %s for %s is given up.", "La espera de la habitación %s para %s queda sin efecto.")
	HoldStays       = message("Your hold on room %s for %s stays.", "La espera de la habitación %s para %s sigue en pie.")
	BookingCanceled = message("Your booking of room %s for %s is cancelled (%s).", "Su reserva de la habitación %s para %s queda cancelada (%s).")
	NothingToCancel = message("There is nothing to cancel.", "No hay nada que cancelar.")
	FreeRooms       = message("Free for %s: %s.", "Libres para %s: %s.")
	NoFreeRoom      = message("Sorry, nothing is free for %s.", "Lo siento, no queda nada libre para %s.")
	NoSuchRoom      = message("There is no room %s here. Which room?", "Aquí no hay ninguna habitación %s. ¿Qué habitación?")
	NeedDates       = message(`Which nights? For example: "book room 101 from 2026-12-12 to 2026-12-15".`,
		`¿Qué noches? Por ejemplo: «reservar la habitación 101 del 2026-12-12 al 2026-12-15».`)
	WrongDates = message("The day of departure must come after the day of arrival.", "El día de salida debe ser posterior al de llegada.")
	PastDates  = message("That day has passed.", "Ese día ya ha pasado.")
	TooLong    = message("The longest stay is %s nights.", "La estancia más larga es de %s noches.")
	Helping    = message(`Try: "which rooms are free from 2026-12-12 to 2026-12-15", "hold room 101 for 3 nights from 2026-12-12", "extend", "book", "cancel".`,
		`Pruebe: «habitaciones libres del 2026-12-12 al 2026-12-15», «guardar la habitación 101 por 3 noches desde 2026-12-12», «ampliar», «reservar», «cancelar».`)
	NotUnderstood = message(`I did not understand that. I read English and Spanish: say "help" to see what I can do.`,
		`No le he entendido. Leo español e inglés: diga «ayuda» para ver qué puedo hacer.`)
	HowManyNights = message("How many nights?", "¿Cuántas noches?")
	WholeNights   = message("A stay is a number of whole nights. How many?", "Una estancia son noches enteras. ¿Cuántas?")
	NoSuchDay     = message("There is no %s in the calendar. Which nights do you mean?", "No existe el día %s. ¿Qué noches quiere decir?")
	OneRoom       = message("One room at a time, please. Which room comes first?", "De una habitación en una, por favor. ¿Cuál va primero?")
	OneStay       = message("One stay at a time, please. Which nights come first?", "De una estancia en una, por favor. ¿Qué noches van primero?")
	OneThing      = message("One thing at a time, please. What comes first?", "De una cosa en una, por favor. ¿Qué va primero?")
	DayOrMonth    = message(`Is that %s or %s? Say "day first" or "month first".`, `¿Es el %s o el %s? Diga «día primero» o «mes primero».`)
	ShallIBook    = message(`Shall I book %s for %s? Say "yes" or "no".`, `¿Reservo %s para %s? Diga «sí» o «no».`)
	ShallIHold    = message(`Shall I hold %s for %s? Say "yes" or "no".`, `¿Guardo %s para %s? Diga «sí» o «no».`)
	ShallIExtend  = message(`Shall I extend your hold on %s? Say "yes" or "no".`, `¿Amplío la espera de %s? Diga «sí» o «no».`)
	ShallICancel  = message(`Nothing is cancelled. Shall I cancel %s? Say "yes" or "no".`, `No se ha cancelado nada. ¿Cancelo %s? Diga «sí» o «no».`)
	WhichOne      = message("Which one do you mean: %s?", "¿A cuál se refiere: %s?")
	NotYours      = message("Nothing of yours is like that. You have %s.", "No tiene nada así. Tiene %s.")
	AlreadyYours  = message("That is yours already: %s.", "Eso ya es suyo: %s.")
	Yours         = message("You have %s.", "Tiene %s.")
	NothingYours  = message("You have neither a hold nor a booking.", "No tiene ninguna espera ni reserva.")
	CannotChange  = message("I cannot change the nights of a stay. Ask for the other nights first, then cancel these.",
		"No puedo cambiar las noches de una estancia. Pida primero las otras noches y cancele luego estas.")
	WhatToDo = message(`What shall I do about %s: "book", "hold", or see what is "free"?`,
		`¿Qué hago con %s: «reservar», «guardar» o ver qué está «libre»?`)
	AllRight = message(`All right, nothing is changed. Say "help" to see what I can do.`,
		`De acuerdo, no cambia nada. Diga «ayuda» para ver qué puedo hacer.`)
	OnlyRooms = message("I only know which rooms are free on which nights. Please ask the hotel about everything else.",
		"Solo sé qué habitaciones están libres y qué noches. Lo demás, pregúntelo al hotel, por favor.")
	Trouble = message("Something went wrong on our side, and nothing was booked. Please try again in a moment.",
		"Algo ha fallado por nuestra parte y no se ha reservado nada. Inténtelo de nuevo en un momento.")
	CancelPending = message("Your hold on room %s for %s is cancelled. The hotel's booking system is not answering: if it has booked the room, I cancel that as soon as it answers.",
		"La espera de la habitación %s para %s queda cancelada. El sistema de reservas del hotel no responde: si la ha reservado, lo anulo en cuanto responda.")
	InDoubt = message("Something went wrong on our side, and I do not know whether you have the room. Please look again in a minute.",
		"Algo ha fallado por nuestra parte y no sé si tiene la habitación. Mire otra vez en un minuto, por favor.")
)

// AnyRoom is a room, or "a room" when it is empty.
type AnyRoom string

// Say puts a message into words. The arguments are strings, numbers, rooms as
// [AnyRoom], days as hotel.Date, nights as []hotel.Date, bookings as hotel.Booking, holds as
// those without a reference, times left as time.Duration and lists as []string or
// []hotel.Booking.
func Say(l Lang, m Message, args ...any) string {
	return put(l, l.Of(catalogue[m]), args)
}

func put(l Lang, form string, args []any) string {
	texts := make([]any, len(args))
	for i, arg := range args {
		texts[i] = phrase(l, arg)
	}
	return fmt.Sprintf(form, texts...)
}

func phrase(l Lang, arg any) string {
	form := func(english, spanish string, args ...any) string {
		return put(l, l.Of([2]string{english, spanish}), args)
	}
	switch arg := arg.(type) {
	case time.Duration:
		return minutes(l, arg)
	case hotel.Date:
		return form("%s %s %s", "%s de %s de %s", arg.Time().Day(), monthNames[l][arg.Time().Month()-1], arg.Time().Year())
	case []hotel.Date: // of a long or month-crossing stay the first one and the number
		switch n := len(arg); {
		case n == 0:
			return ""
		case n == 1:
			return form("the night of %s", "la noche del %s", arg[0])
		case n > 7 || arg[0].Time().Month() != arg[n-1].Time().Month():
			return form("%s nights from %s", "%s noches desde el %s", n, arg[0])
		default:
			var days []string
			for _, d := range arg[:n-1] {
				days = append(days, strconv.Itoa(d.Time().Day()))
			}
			return form("the nights of %s and %s", "las noches del %s y %s", days, arg[n-1])
		}
	case []string:
		return strings.Join(arg, ", ")
	case AnyRoom:
		if arg == "" {
			return form("a room", "una habitación")
		}
		return form("room %s", "la habitación %s", string(arg))
	case hotel.Booking:
		if arg.Reference == "" {
			return form("the hold on %s for %s", "la espera de %s para %s", AnyRoom(arg.Stay.Room), arg.Stay.Nights())
		}
		return form("the booking of %s for %s (%s)", "la reserva de %s para %s (%s)", AnyRoom(arg.Stay.Room), arg.Stay.Nights(), arg.Reference)
	case []hotel.Booking:
		var all []string
		for _, a := range arg {
			all = append(all, phrase(l, a))
		}
		return strings.Join(all, "; ")
	}
	return fmt.Sprint(arg)
}

// minutes rounds up, so that a guest does not read "0 minutes" while there is
// time.
func minutes(l Lang, left time.Duration) string {
	n := max(int((left+time.Minute-1)/time.Minute), 0)
	unit := l.Of([2]string{"minute", "minuto"})
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}
