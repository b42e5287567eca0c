// SPDX-License-Identifier: MIT

package redissession

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// The glance answers each load of a live record that changes nothing, and no
// other.
func TestTheGlanceAnswersLoadsThatChangeNothing(t *testing.T) {
	client, m := redistest.Virtual(t)
	script := redis.NewScript(source("glance") + "\nreturn 'left to others'")
	at := time.Date(2030, 1, 1, 0, 0, 0, int(987*time.Millisecond), time.UTC)
	now := at.UnixMilli()
	random := rand.New(rand.NewPCG(1, 2))
	answers := 0
	for range 3000 {
		h := header{rev: 1, last: now - random.Int64N(1<<48)>>(8+random.IntN(40)), created: now}
		h.last, h.ends = max(h.last, 0), now+random.Int64N(1<<40)>>random.IntN(40)*(random.Int64N(3)-1)
		touch, every := random.Int64N(2)*60_000, now-h.last+random.Int64N(3)-1
		raw := string(h.encode()) + []string{"", "payload"}[random.IntN(2)]
		m.SetTime(at.Add(time.Duration(random.IntN(2)*654) * time.Microsecond))
		m.Set("{0}:d", raw)
		got, err := script.Run(t.Context(), client, []string{"{0}:x", "{0}:d"}, "hash", touch, every, "0").Text()
		if err != nil {
			t.Fatal(err)
		}
		want := h.ends > now && (touch == 0 || now-h.last < every)
		if want {
			answers++
		}
		if (got == raw) != want {
			t.Fatalf("%+v with touch %d every %d, %d ms ago: answered %v, want %v", h, touch, every, now-h.last, got == raw, want)
		}
	}
	if answers < 300 || answers > 2700 {
		t.Fatalf("%d of 3000 were to be answered", answers)
	}
}
