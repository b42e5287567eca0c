// SPDX-License-Identifier: MIT

// Package hotel is the world outside the bot: dates and stays, and the
// hotel's property management system (PMS), simulated behind real HTTP.
//
// The simulated PMS trusts its clients, as real ones tend to: it accepts a
// booking that overlaps another. That is where double bookings are counted.
// What it does refuse is a stale fence: once a lease has asked for a night, no
// lease granted before it can book that night.
package hotel
