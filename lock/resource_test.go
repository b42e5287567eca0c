// SPDX-License-Identifier: MIT

package lock_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that no machine lacks a zone

	"github.com/holdfast-go/holdfast/lock"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNightsAreCivilDatesWhateverTheClocksDo(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Madrid", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Australia/Lord_Howe"} {
		loc := zone(t, name)
		for _, in := range []time.Time{
			time.Date(2026, 3, 28, 23, 59, 0, 0, loc), time.Date(2026, 10, 24, 0, 1, 0, 0, loc),
			time.Date(2018, 11, 3, 12, 0, 0, 0, loc), time.Date(1969, 12, 30, 12, 0, 0, 0, loc),
		} {
			out := time.Date(in.Year(), in.Month(), in.Day()+3, 0, 30, 0, 0, loc)
			from, to := lock.Nights("room", in, out).Bounds()
			if to-from != 3 {
				t.Errorf("%s to %s are %d nights, want 3", in, out, to-from)
			}
			first, last := lock.Nights("room", in, out).Times()
			if first.Format(time.DateOnly) != in.Format(time.DateOnly) || last.Format(time.DateOnly) != out.Format(time.DateOnly) {
				t.Errorf("%s to %s come back as %s to %s", in, out, first, last)
			}
		}
	}
}

func TestNightsTakeEachTimesOwnDate(t *testing.T) {
	want := lock.Nights("room", time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC))
	madrid := zone(t, "Europe/Madrid")
	in, out := time.Date(2026, 10, 24, 15, 0, 0, 0, madrid), time.Date(2026, 10, 26, 11, 0, 0, 0, madrid) // summer time ends between
	for name, got := range map[string]lock.Resource{
		"one location":             lock.Nights("room", in, out),
		"loaded twice":             lock.Nights("room", in, out.In(zone(t, "Europe/Madrid"))),
		"fixed offsets":            lock.Nights("room", in.In(time.FixedZone("", 7200)), out.In(time.FixedZone("", 3600))),
		"an offset and a location": lock.Nights("room", in.In(time.FixedZone("+02", 7200)), out),
		"dates":                    lock.Dates("room", "2026-10-24", "2026-10-26"),
	} {
		if got.String() != want.String() {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestResourcesPrintWhatTheyAre(t *testing.T) {
	at := time.Date(2026, 12, 12, 15, 30, 0, 1500, time.UTC)
	for want, r := range map[string]lock.Resource{
		"room/101":                   lock.Key("room/101"),
		"room [-3, 9)":               lock.Span("room", -3, 9),
		"room [1, 2) ×3":             lock.Span("room", 1, 2).Units(3),
		`"a\nb"`:                     lock.Key("a\nb"),
		"a, b [1, 2)":                lock.All(lock.Span("b", 1, 2), lock.Key("a")),
		"a ×2, b ×2":                 lock.All(lock.Key("b"), lock.Key("a")).Units(2),
		"":                           {},
		"r [2026-12-12, 2026-12-13)": lock.Nights("r", at, at.AddDate(0, 0, 1)),
		"r [2026-12-12T15:30:00.000001Z, 2026-12-12T16:30:00.000001Z)": lock.Between("r", at, at.Add(time.Hour)),
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestResourcesSayWhatTheyAre(t *testing.T) {
	all := lock.All(lock.Span("b", 5, 6), lock.All(lock.Key("a"), lock.Span("b", 1, 2)))
	var parts []string
	for p := range all.Parts() {
		if parts = append(parts, p.String()); len(parts) == 3 {
			break
		}
	}
	wantList(t, "parts", parts, "a", "b [1, 2)", "b [5, 6)")
	if from, to := lock.Key("a").Bounds(); from != lock.MinBound || to != lock.MaxBound {
		t.Errorf("the whole name is [%d, %d)", from, to)
	}
	if from, to := lock.Span("a", 1, 2).Times(); !from.IsZero() || !to.IsZero() {
		t.Errorf("numbers have times %s, %s", from, to)
	}
	if r := lock.Between("a", date(1), date(2)); r.Kind() != lock.Instants || r.Name() != "a" || r.Size() != 1 {
		t.Errorf("got %s", r)
	}
	for range (lock.Resource{}).Parts() {
		t.Error("the zero resource has parts")
	}
}

func TestInstantsOutOfBoundsAreRefusedAndNeverWrap(t *testing.T) {
	d := newDesk(t, lock.Config{})
	last := time.UnixMicro(lock.MaxBound).UTC()
	d.take(t, lock.Between("a", time.UnixMicro(lock.MinBound), last))
	for _, far := range []time.Time{last.Add(time.Microsecond), time.Unix(1<<62, 0), time.Unix(1<<60, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := d.TryAcquire(t.Context(), lock.Between("b", date(1), far))
		wantErr(t, err, lock.ErrInvalid)
	}
	for _, far := range []time.Time{time.UnixMicro(lock.MinBound - 1), time.Unix(-1<<62, 0), {}} {
		_, err := d.TryAcquire(t.Context(), lock.Between("b", far, date(1)))
		wantErr(t, err, lock.ErrInvalid)
	}
}

func TestAReasonNamesWhatIsWrong(t *testing.T) {
	d := newDesk(t, lock.Config{})
	for want, r := range map[string]lock.Resource{
		"without a name":            lock.Key(""),
		"NUL in the name":           lock.Key("\x00"),
		"is not UTF-8":              lock.Key("a\xff"),
		"256 bytes":                 lock.Key(strings.Repeat("x", 256)),
		"from 5 is not before to 2": lock.Span("a", 5, 2),
		"from 2026-12-05 is not before to 2026-12-02": nights("a", 5, 2),
		`"2026-02-30" is no date`:                     lock.Dates("a", "2026-02-30", "2026-03-02"),
		"outside ±2^52":                               lock.Span("a", lock.MinBound-1, 0),
		"a [1, 3) overlaps a":                         lock.All(lock.Span("a", 1, 3), lock.Key("a")),
		"0 units":                                     lock.Key("a").Units(0),
		"wants 2 units of 1":                          lock.Key("a").Units(2),
		"All of nothing":                              lock.All(lock.All()),
		"the zero Resource":                           {},
		"zero Resource":                               lock.All(lock.Key("a"), lock.Resource{}),
	} {
		if _, err := d.TryAcquire(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	for want, ttl := range map[string]time.Duration{"TTL of 30ns": 30, "TTL of 0s": 0} { // 30 was meant to be seconds
		if _, err := d.TryAcquire(t.Context(), lock.Key("a"), lock.TTL(ttl)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
}

// FuzzSpans checks the order and the half-open bounds of ranges.
func FuzzSpans(f *testing.F) {
	f.Add(int64(1), int64(5), int64(5), int64(9))
	f.Add(int64(lock.MinBound), int64(lock.MaxBound), int64(-1), int64(0))
	f.Add(int64(-9), int64(-3), int64(-4), int64(100))
	f.Fuzz(func(t *testing.T, a, b, c, d int64) {
		x, y := lock.Span("room", a, b), lock.Span("room", c, d)
		if a >= b || c >= d {
			return
		}
		if x.Overlaps(y) != (a < d && c < b) || x.Overlaps(y) != y.Overlaps(x) {
			t.Errorf("%s and %s overlap: %t", x, y, x.Overlaps(y))
		}
		if lock.Span("room", a, b).Overlaps(lock.Span("room", b, b+1)) && b < lock.MaxBound {
			t.Errorf("what begins at the end of %s overlaps it", x)
		}
		if !lock.Key("room").Overlaps(x) && a >= lock.MinBound && b <= lock.MaxBound {
			t.Errorf("the whole name does not overlap %s", x)
		}
	})
}

// FuzzNights checks that a later date is a later day, one by one.
func FuzzNights(f *testing.F) {
	f.Add(int64(0), 1, uint8(0))
	f.Add(int64(1_774_659_540), 3, uint8(1))
	f.Add(int64(-86_401), 400, uint8(2))
	f.Fuzz(func(t *testing.T, unix int64, stay int, zoneNumber uint8) {
		if stay < 1 || stay > 1000 || unix < -1<<36 || unix > 1<<36 {
			return
		}
		offset := time.Duration(int(zoneNumber)%27-13) * time.Hour
		loc := time.FixedZone("there", int(offset.Seconds()))
		in := time.Unix(unix, 0).In(loc)
		out := in.AddDate(0, 0, stay)
		r := lock.Nights("room", in, out)
		if from, to := r.Bounds(); to-from != int64(stay) {
			t.Errorf("%s to %s are %d nights, want %d", in, out, to-from, stay)
		}
		first, _ := r.Times()
		if first.Format(time.DateOnly) != in.Format(time.DateOnly) {
			t.Errorf("%s comes back as %s", in, first)
		}
	})
}
