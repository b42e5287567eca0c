// SPDX-License-Identifier: MIT

package talk

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// Lang is a language of the bot.
type Lang string

const (
	English Lang = "en"
	Spanish Lang = "es"
)

// Of returns the text in the language, of English and Spanish.
func (l Lang) Of(both [2]string) string {
	if l == Spanish {
		return both[1]
	}
	return both[0]
}

var monthNames = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	Spanish: {"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
}

// Message is one thing that the bot can say, in English and Spanish.
type Message [2]string

//go:embed messages.json
var messages []byte

// Text is what the bot can say.
var Text struct {
	Booked, BookingCanceled, BookedByOther, AlreadyYours,
	Held, HeldByOther, HoldGone, HoldCanceled, HoldDropped, HoldStays, Extended, ExtendedEnough, NothingHeld,
	FreeRooms, NoFreeRoom, Yours, NothingYours, NotYours, NothingToCancel, CannotChange,
	NoAnswer, NoAnswerButHeld, CancelPending, InDoubt, Trouble,
	NeedDates, WrongDates, PastDates, NoSuchDay, DayOrMonth, HowManyNights, WholeNights, TooLong,
	NoSuchRoom, OneRoom, OneStay, OneThing, WhichOne, WhatToDo,
	ShallIBook, ShallIHold, ShallIExtend, ShallICancel,
	Helping, NotUnderstood, AllRight, OnlyRooms Message
}

func init() {
	if err := json.Unmarshal(messages, &Text); err != nil {
		panic(err)
	}
}

// AnyRoom is a room, or "a room" when it is empty.
type AnyRoom string

// Say puts a message into words. The arguments are strings, numbers, rooms as
// [AnyRoom], days as hotel.Date, nights as []hotel.Date, bookings as hotel.Booking, holds as
// those without a reference, times left as time.Duration and lists as []string or
// []hotel.Booking.
func Say(l Lang, m Message, args ...any) string {
	return put(l, l.Of(m), args)
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
