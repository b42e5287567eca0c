// SPDX-License-Identifier: MIT

package site

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestEverythingThatThePageCanSayIsInBothLanguages(t *testing.T) {
	var keys []string
	for s := circuitbreaker.Closed; s <= circuitbreaker.Disabled; s++ {
		keys = append(keys, "state."+s.String(), "means."+s.String())
	}
	for _, c := range charts {
		keys = append(keys, "chart."+c.Name)
	}
	for _, i := range talk.Intents() {
		keys = append(keys, "intent."+string(i))
	}
	for name, positions := range fault.Switches {
		keys = append(keys, "switch."+name, "expect."+name)
		for _, p := range positions {
			keys = append(keys, "mode."+p)
		}
	}
	for _, status := range []int{400, 404, 409, 413, 422, 500, 502, 503} {
		keys = append(keys, fmt.Sprintf("unsent.%d", status))
	}
	for _, c := range session.EndReasons() {
		keys = append(keys, "ended."+c.String())
	}
	for severity := range shippedAlerts {
		keys = append(keys, "severity."+severity)
	}
	if len(keys) < 50 {
		t.Fatalf("only %d texts were found", len(keys))
	}
	for _, key := range keys {
		if both := words[key]; both[0] == "" || both[1] == "" {
			t.Errorf("%s is %q", key, both)
		}
	}
}

func TestACurveEndsAtTheRightAndFitsItsBox(t *testing.T) {
	for latest, want := range map[float64]string{0: "118,27 120,27", 4: "118,27 120,1"} {
		s := Spark{values: [samples]float64{samples - 1: latest}}
		if got := s.Points(); !strings.HasPrefix(got, "0,27 ") || !strings.HasSuffix(got, want) {
			t.Errorf("%v is drawn as %q, want %q at the end", latest, got, want)
		}
	}
}

func TestTheWindowIsShownAsAtMostTwentySigns(t *testing.T) {
	for _, c := range []struct{ success, failure, signs, bad uint64 }{
		{0, 0, 0, 0}, {3, 1, 4, 1}, {1000, 1, 20, 1}, {0, 1000, 20, 20}, {500, 500, 20, 10},
	} {
		signs := pips(c.success, c.failure)
		bad := uint64(0)
		for _, good := range signs {
			if !good {
				bad++
			}
		}
		if uint64(len(signs)) != c.signs || bad != c.bad {
			t.Errorf("%d answered and %d failed: %d signs, %d of them failures", c.success, c.failure, len(signs), bad)
		}
	}
}
