// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

func stormOf(t *testing.T, args ...string) (int, site.Tally) {
	t.Helper()
	code, out, errs := command(t, args...)
	t.Log(out, errs)
	var result site.Tally
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		t.Errorf("%v in %q", err, out)
	}
	if decoder.More() {
		t.Errorf("more than one JSON object: %s", out)
	}
	return code, result
}

func TestAStormNeverBooksANightTwice(t *testing.T) {
	code, r := stormOf(t, "-storm", "100", "-rooms", "3", "-seed", "7")
	if code != 0 || r.DoubleBookings != 0 || r.Errors != 0 || r.Guests != 100 || r.Rooms != 3 {
		t.Fatalf("exit code %d, %+v", code, r)
	}
	if r.Booked+r.Conflicts+r.Fallbacks != r.Guests || r.Booked == 0 || r.Conflicts == 0 {
		t.Errorf("the guests do not add up: %+v", r)
	}
	// A booking is acquired, released and confirmed; a refusal is at least one
	// event.
	if least := 3*r.Booked + r.Conflicts; r.AuditEvents < uint64(least) {
		t.Errorf("%d audit events, want at least %d", r.AuditEvents, least)
	}
	if r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("p50 %v, p99 %v", r.P50, r.P99)
	}
}

func TestTheSameStormWithoutLocksDoubleBooks(t *testing.T) {
	code, r := stormOf(t, "-storm", "100", "-rooms", "3", "-seed", "7", "-no-locks")
	if code != 1 || r.DoubleBookings == 0 || r.Errors != 0 {
		t.Errorf("exit code %d, %+v", code, r)
	}
}
