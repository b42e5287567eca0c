// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
)

// A frozen process keeps its connections open and answers nothing. The page is
// meant to take 1 s and an answer 2 s; the limit here leaves room for a busy
// machine, and is under the time limits of the parts' clients.
func TestThePageAndTheDeskAnswerWhileAPartIsFrozen(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	bot, redis, postgres := buildBot(t), redistest.Real(t), startPostgres(t)
	elsewhere, pms := openHotel(t, bot)
	address, _ := openHotel(t, bot, "-redis", redis.Addr, "-audit", postgres.URL(postgres.Addr(), "postgres"), "-pms", stateOf(t, elsewhere).PMS)
	database := &ground{T: t, server: postgres, beside: postgres.open(t)}
	say := func(text string) string {
		t.Helper()
		began := time.Now()
		answer, err := http.Post(address+"/api/chat", "application/json", strings.NewReader(fmt.Sprintf(`{"guest":"ana","text":%q}`, text)))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if took := time.Since(began); err != nil || took > limit {
			t.Errorf("%q was answered after %s: %v", text, took, err)
		} else {
			t.Logf("%q was answered after %s", text, took)
		}
		return string(body)
	}
	page := func() string {
		t.Helper()
		began := time.Now()
		body := fetch(t, address+"/?guest=ana")
		if took := time.Since(began); took > limit {
			t.Errorf("the page took %s", took)
		} else {
			t.Logf("the page took %s", took)
		}
		return body
	}
	if got := say("hold room 101 for 2 nights from tomorrow"); !strings.Contains(got, "I hold room 101") {
		t.Fatal(got)
	}
	soon(t, 10*time.Second, "the trail is written", func() bool {
		return strings.Contains(page(), "<td>lock.acquired</td>") && len(stateOf(t, address).Missing) == 0
	})
	for _, part := range []struct {
		name           string
		freeze, resume func()
		message, reply string
		missing        []string // of the state
	}{
		{"Redis", redis.Suspend, redis.Resume, "hold room 102 for a night from tomorrow", "our side", []string{"holds", "sessions"}},
		{"PostgreSQL", func() { database.backends(syscall.SIGSTOP); postgres.Suspend() }, func() { postgres.Resume(); database.backends(syscall.SIGCONT) },
			"hold room 103 for a night from tomorrow", "I hold room 103", []string{"audit"}},
		{"the PMS", pms.Suspend, pms.Resume, "hold room 104 for a night from tomorrow", "not answering", []string{"bookings"}},
	} {
		part.freeze()
		if got := say(part.message); !strings.Contains(got, part.reply) {
			t.Errorf("%s frozen: answered %s", part.name, got)
		}
		soon(t, 10*time.Second, part.name+" is missed", func() bool { return len(stateOf(t, address).Missing) == len(part.missing) })
		if got := slices.Sorted(maps.Keys(stateOf(t, address).Missing)); !slices.Equal(got, part.missing) {
			t.Errorf("%s frozen: the state misses %q, want %q", part.name, got, part.missing)
		}
		body := page()
		for _, want := range []string{"No answer. As it was", part.message, part.reply, "held by ana", "booked by Dr Okafor", "<td>lock.acquired</td>"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s frozen: the page does not have %q", part.name, want)
			}
		}
		part.resume()
		soon(t, 30*time.Second, part.name+" is back", func() bool { return len(stateOf(t, address).Missing) == 0 })
	}
}
