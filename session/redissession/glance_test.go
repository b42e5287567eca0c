// SPDX-License-Identifier: MIT

package redissession

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// What comes before the rest of load answers each load of a live record that takes
// no lease: as it is, or with the activity recorded when that is due.
func TestTheGlanceAnswersLoadsOfLiveRecords(t *testing.T) {
	client, m := redistest.Virtual(t)
	script := redis.NewScript(source("clock", "glance", "touch", "seen") + "\nreturn 'left to others'")
	at := time.Date(2030, 1, 1, 0, 0, 0, int(987*time.Millisecond), time.UTC)
	now := at.UnixMilli()
	random := rand.New(rand.NewPCG(1, 2))
	answers := map[string]int{}
	for range 3000 {
		h := header{rev: 1, last: now - random.Int64N(1<<48)>>(8+random.IntN(40)), created: now}
		h.last, h.ends = max(h.last, 0), now+random.Int64N(1<<40)>>random.IntN(40)*(random.Int64N(3)-1)
		h.idle, h.absolute = random.Int64N(1<<40)>>random.IntN(50), h.ends+random.Int64N(2)*random.Int64N(1<<40)>>random.IntN(40)
		every := max(now-h.last+random.Int64N(3)-1, 0)
		touch := any("")
		if random.IntN(2) == 1 {
			touch = every
		}
		raw := string(h.encode()) + []string{"", "payload"}[random.IntN(2)]
		m.SetTime(at.Add(time.Duration(random.IntN(2)*654) * time.Microsecond))
		m.Set("{0}:d", raw)
		got, err := script.Run(t.Context(), client, []string{"{0}:x", "{0}:d"}, "hash", touch, "0").Result()
		if err != nil {
			t.Fatal(err)
		}
		due := every
		if h.idle > 0 {
			due = min(due, (h.idle+1)/2)
		}
		kind, want := "left", any("left to others")
		if h.ends > now {
			kind, want = "read", raw
			if touch != "" && now-h.last >= due {
				h.last, h.ends = now, h.absolute
				if h.idle > 0 && (h.absolute == 0 || now+h.idle < h.absolute) {
					h.ends = now + h.idle
				}
				kind, want = "touched", []any{"done", raw, string(h.encode()[42:54]), int64(0)}
			}
		}
		if answers[kind]++; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%+v with touch every %v: answered %q, want %q", h, touch, got, want)
		}
	}
	for _, kind := range []string{"left", "read", "touched"} {
		if answers[kind] < 300 {
			t.Fatalf("of 3000 answers, by kind: %v", answers)
		}
	}
}
