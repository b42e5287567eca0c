// SPDX-License-Identifier: MIT

package hotel

import (
	"strconv"

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

// RoomName is the name of a room's lock.
func RoomName(room string) string { return "room/" + room }

// Overlap returns the nights that two stays share, if any.
func (s Stay) Overlap(other Stay) (Stay, bool) {
	if other.In.Before(s.In) {
		other.In = s.In
	}
	if s.Out.Before(other.Out) {
		other.Out = s.Out
	}
	return other, s.Room == other.Room && other.In.Before(other.Out)
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
