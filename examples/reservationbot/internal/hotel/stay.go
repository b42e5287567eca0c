// SPDX-License-Identifier: MIT

// Package hotel is the world outside the bot: dates and stays, and the
// hotel's property management system (PMS), simulated behind real HTTP.
//
// The simulated PMS trusts its clients, as real ones tend to: it accepts a
// booking that overlaps another. That is where double bookings are counted.
// What it does refuse is a stale fence: once a lease has asked for a night, no
// lease granted before it can book that night.
package hotel

import (
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// Stay is a room for the nights from In up to, but not including, Out.
type Stay struct {
	Room string `json:"room"`
	In   Date   `json:"check_in"`
	Out  Date   `json:"check_out"`
}

// Resource is what a lock on the stay locks. The day of departure is not part
// of it, so another guest can arrive on that day.
func (s Stay) Resource() lock.Resource {
	return lock.Nights(RoomName(s.Room), s.In.Time(), s.Out.Time())
}

// StayOf is the reverse of [Stay.Resource].
func StayOf(r lock.Resource) Stay {
	in, out := r.Times()
	return Stay{strings.TrimPrefix(r.Name(), RoomName("")), DateOf(in), DateOf(out)}
}

// RoomName is the name of a room's lock.
func RoomName(room string) string { return "room/" + room }

// Overlaps reports whether two stays share a night.
func (s Stay) Overlaps(other Stay) bool {
	return s.Room == other.Room && s.In.Before(other.Out) && other.In.Before(s.Out)
}

// Nights lists the dates of the nights.
func (s Stay) Nights() []Date {
	var nights []Date
	for d := s.In; d.Before(s.Out); d = d.Plus(1) {
		nights = append(nights, d)
	}
	return nights
}

// Rooms returns the numbers of n rooms, ten on a floor: 101 to 110, 201 …
func Rooms(n int) []string {
	rooms := make([]string, n)
	for i := range rooms {
		rooms[i] = strconv.Itoa((i/10+1)*100 + i%10 + 1)
	}
	return rooms
}

// Order asks the PMS for a booking.
type Order struct {
	Key   string `json:"key"` // the same key is the same order: it is booked once
	Guest string `json:"guest"`
	Stay  Stay   `json:"stay"`
	Fence uint64 `json:"fence,omitempty"` // of the lease on the nights; 0 = none
}

// Booking is an order that the PMS has accepted.
type Booking struct {
	Reference string `json:"reference"`
	Order
}

// Date is a civil date. The zero Date is no date.
type Date struct{ midnight time.Time }

// Day returns the date; a day or month out of range rolls over, as with
// [time.Date].
func Day(year int, month time.Month, day int) Date {
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// DateOf returns t's civil date in t's Location.
func DateOf(t time.Time) Date { return Day(t.Date()) }

// ParseDate reads a date such as 2026-12-12.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	return Date{t}, err
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d.midnight.IsZero() }

// Before reports whether d comes before other.
func (d Date) Before(other Date) bool { return d.midnight.Before(other.midnight) }

// Plus returns the date n days later.
func (d Date) Plus(n int) Date { return Date{d.midnight.AddDate(0, 0, n)} }

// Since returns the number of days from other to d.
func (d Date) Since(other Date) int { return int(d.midnight.Sub(other.midnight).Hours() / 24) }

// Time returns the date at 00:00 UTC.
func (d Date) Time() time.Time { return d.midnight }

// String returns the date as 2026-12-12.
func (d Date) String() string { return d.midnight.Format(time.DateOnly) }

// MarshalText implements [encoding.TextMarshaler].
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}
