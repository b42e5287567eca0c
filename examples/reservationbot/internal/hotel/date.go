// SPDX-License-Identifier: MIT

package hotel

import "time"

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
	if err != nil {
		return Date{}, err
	}
	return Date{t}, nil
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
