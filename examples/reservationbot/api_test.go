// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// call sends a JSON body, "" = none, and decodes the answer.
func call(t *testing.T, c *http.Client, method, to, body string, header ...string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if len(content) > 0 && strings.HasSuffix(answer.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(content, &decoded); err != nil {
			t.Fatalf("%s %s: %v in %s", method, to, err, content)
		}
	}
	if answer.StatusCode >= 400 && answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d is no problem+json: %s", method, to, answer.StatusCode, content)
	}
	return answer.StatusCode, decoded
}

func state(t *testing.T, c *http.Client, base string) (s site.State) {
	t.Helper()
	_, body := get(t, c, base+"/api/state?guest=ana")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return s
}

func TestTheAPIAnswersAGuestAndTellsHow(t *testing.T) {
	server, client := page(t)
	code, reply := call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"book room 101 for 2 nights from tomorrow"}`)
	trace, _ := reply["trace"].(map[string]any)
	if code != 200 || reply["booking"] == nil || trace["intent"] != "book" || trace["breaker"] != "closed" || trace["pms_calls"] != 2.0 {
		t.Errorf("%d, %v", code, reply)
	}
	events, _ := trace["audit"].([]any)
	if len(events) != 3 {
		t.Errorf("the trace has the audit events %v, want acquired, released and confirmed", events)
	}
	s := state(t, client, server.URL)
	if len(s.Bookings) != 1 || len(s.Lines) != 2 || s.Sessions.Active != 1 || len(s.Missing) != 0 {
		t.Errorf("the state is %+v", s)
	}
}

func TestListsOfTheStateAreNeverNull(t *testing.T) {
	server, client := page(t)
	if _, body := get(t, client, server.URL+"/api/state"); strings.Contains(body, "null") {
		t.Errorf("a state with nothing in it is %s", body)
	}
}

func TestEachSwitchBreaksItsPartAndHealsIt(t *testing.T) {
	server, client := page(t)
	turn := func(body string) {
		t.Helper()
		if code, answer := call(t, client, "PUT", server.URL+"/api/faults", body); code != 200 {
			t.Fatalf("%s: %d, %v", body, code, answer)
		}
	}
	chat := func(text string) string {
		t.Helper()
		_, answer := call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"`+text+`"}`)
		reply, _ := answer["text"].(string)
		return reply
	}
	turn(`{"pms":"failing"}`)
	if got := chat("hold room 101 for a night from tomorrow"); !strings.Contains(got, "not answering") {
		t.Errorf("with a failing PMS: %s", got)
	}
	turn(`{"pms":"healthy"}`)
	if got := chat("book"); !strings.Contains(got, "Booked") {
		t.Errorf("with a healed PMS: %s", got)
	}

	turn(`{"redis":"down"}`)
	if code, _ := get(t, client, server.URL+"/readyz"); code != 503 {
		t.Errorf("without Redis readyz is %d", code)
	}
	if got := chat("hello"); !strings.Contains(got, "our side") {
		t.Errorf("without Redis: %s", got)
	}
	turn(`{"redis":"up"}`)
	if code, _ := get(t, client, server.URL+"/readyz"); code != 200 {
		t.Errorf("with Redis readyz is %d", code)
	}

	turn(`{"audit":"down"}`)
	if got := chat("hold room 102 for a night from tomorrow"); !strings.Contains(got, "hold room 102") {
		t.Errorf("without the audit database: %s", got)
	}
	if a := state(t, client, server.URL).Audit; a.Queued == 0 {
		t.Errorf("the trail does not wait for its database: %+v", a)
	}
	post(t, client, server.URL+"/switches", url.Values{"audit": {"up"}}) // a form flushes
	if a := state(t, client, server.URL).Audit; a.Queued != 0 || a.Written != a.Recorded || a.Dropped != 0 {
		t.Errorf("after the outage the trail has %+v", a)
	}

	turn(`{"cleanup":"stopped"}`)
	if s := state(t, client, server.URL).Switches; s["cleanup"] != "stopped" {
		t.Errorf("the cleanup is %s", s["cleanup"])
	}
	turn(`{"cleanup":"running"}`)
	const good = `{"audit":"up","cleanup":"running","pms":"healthy","redis":"up","trail":"sealed"}`
	if _, stand := get(t, client, server.URL+"/api/faults"); strings.TrimSpace(stand) != good {
		t.Errorf("the switches are %s", stand)
	}
}

func TestACorruptedConversationIsCountedAndBeginsAfresh(t *testing.T) {
	server, client := page(t)
	say := `{"guest":"ana","text":"hello"}`
	call(t, client, "POST", server.URL+"/api/chat", say)
	if code, _ := call(t, client, "POST", server.URL+"/api/sessions/ana/corrupt", ""); code != 204 {
		t.Fatalf("answered %d", code)
	}
	if code, _ := call(t, client, "POST", server.URL+"/api/sessions/nobody/corrupt", ""); code != 404 {
		t.Errorf("a conversation that is not there: %d", code)
	}
	if code, reply := call(t, client, "POST", server.URL+"/api/chat", say); code != 200 || reply["text"] == "" {
		t.Errorf("%d, %v", code, reply)
	}
	if _, body := get(t, client, server.URL+"/metrics"); !strings.Contains(body, `holdfast_session_ended_total{manager="chats",reason="corrupted"} 1`) {
		t.Error("the damaged record was not counted")
	}
	if code, report := call(t, client, "POST", server.URL+"/api/cleanup", ""); code != 200 || report["active"] != 1.0 {
		t.Errorf("cleanup: %d, %v", code, report)
	}
}

func TestStormsFromThePageBookNothingTwiceAndBeginAlike(t *testing.T) {
	server, client := page(t)
	call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"book room 101 for 2 nights from tomorrow"}`)
	var s site.Storms
	press := func() {
		t.Helper()
		if code, _ := call(t, client, "POST", server.URL+"/api/storm", `{"guests":60}`); code != 202 {
			t.Fatalf("answered %d", code)
		}
		if code, _ := call(t, client, "POST", server.URL+"/api/storm", ""); code != 409 {
			t.Errorf("a second storm at once, without a body: %d", code)
		}
		for s = state(t, client, server.URL).Storm; s.Running; s = state(t, client, server.URL).Storm {
		}
		if s.Error != "" || s.With == nil || s.Without == nil || s.With.DoubleBookings != 0 || s.With.Errors != 0 || s.Without.Guests != 60 {
			t.Fatalf("with locks: %+v; without: %+v; %s", s.With, s.Without, s.Error)
		}
		if n := len(state(t, client, server.URL).Bookings); n != s.With.Booked+1 {
			t.Errorf("the hotel has %d bookings; the storm made %d, and ana one", n, s.With.Booked)
		}
	}
	press()
	if s.With.Booked == 0 {
		t.Errorf("nothing was booked: %+v", s.With)
	}
	press() // what the first storm booked is not in the way
	call(t, client, "PUT", server.URL+"/api/faults", `{"pms":"failing"}`)
	press()
	if s.With.Booked != 0 || s.Without.Booked != 0 {
		t.Errorf("with a failing PMS, with locks %+v and without %+v", s.With, s.Without)
	}
	if code, _ := call(t, client, "POST", server.URL+"/api/reset", ""); code != 204 || len(state(t, client, server.URL).Bookings) != 0 {
		t.Errorf("emptying the hotel: %d", code)
	}
}

// A client that streams its body does not say beforehand that it is empty.
func TestAnEmptyBodyOfUnknownLengthBeginsAStorm(t *testing.T) {
	server, client := serverOf(t, site.New(start(t, "-rooms", "3").Parts))
	answer, err := client.Post(server.URL+"/api/storm", "", struct{ io.Reader }{strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Errorf("answered %s", answer.Status)
	}
}

func TestAStormWhoseTrailIsOutOfOrderHasItsControl(t *testing.T) {
	b := start(t)
	b.Trail = closedTrail(t)
	var tallies []site.Tally
	err := b.stormsHere(t.Context(), 10, func(tally site.Tally) { tallies = append(tallies, tally) })
	if err == nil || len(tallies) != 2 {
		t.Errorf("%v, %+v", err, tallies)
	}
}

// closedTrail is a trail that stores nothing.
func closedTrail(t *testing.T) *audit.Log {
	t.Helper()
	trail, err := audit.New(audit.NewMemory(), audit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return trail
}

func TestErrorsOfTheAPIAreProblems(t *testing.T) {
	server, client := page(t)
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		want               int
	}{
		"no JSON":         {"POST", "/api/chat", `{`, nil, 400},
		"two objects":     {"POST", "/api/chat", `{"guest":"a","text":"b"}{}`, nil, 400},
		"unknown field":   {"POST", "/api/chat", `{"guest":"a","txt":"b"}`, nil, 400},
		"no name":         {"POST", "/api/chat", `{"text":"b"}`, nil, 400},
		"too large":       {"POST", "/api/chat", `{"text":"` + strings.Repeat("b", 1<<14) + `"}`, nil, 413},
		"large, no JSON":  {"POST", "/api/chat", strings.Repeat("b", 1<<14+1), []string{"Content-Type", "text/plain"}, 413},
		"a form":          {"POST", "/api/chat", `guest=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"wrong method":    {"DELETE", "/api/chat", "", nil, 405},
		"nowhere":         {"GET", "/api/nowhere", "", nil, 404},
		"sleepy PMS":      {"PUT", "/api/faults", `{"pms":"sleepy"}`, nil, 400},
		"half-down Redis": {"PUT", "/api/faults", `{"redis":"half"}`, nil, 400},
		"no guests":       {"POST", "/api/storm", `{"guests":0}`, nil, 400},
		"too many guests": {"POST", "/api/storm", `{"guests":1000000}`, nil, 400},
		"cross-site":      {"PUT", "/api/faults", `{"pms":"failing"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another origin":  {"POST", "/api/reset", "", []string{"Origin", "http://evil.example"}, 403},
	} {
		if code, answer := call(t, client, c.method, server.URL+c.path, c.body, c.header...); code != c.want {
			t.Errorf("%s: %d, %v; want %d", name, code, answer, c.want)
		}
	}
	if s := state(t, client, server.URL).Switches; s["pms"] != "healthy" || s["redis"] != "up" {
		t.Errorf("a refused request switched something: %+v", s)
	}
}

func TestWhatIsWrongWithABodyIsSaidInPlainWords(t *testing.T) {
	server, client := page(t)
	for body, want := range map[string]string{
		`{"guest":1,"text":"b"}`:       "guest has the wrong type: number",
		`{"guest":"a","text":["b"]}`:   "text has the wrong type: array",
		`[]`:                           "it has the wrong type: array",
		`"ana"`:                        "it has the wrong type: string",
		`{"guest":"a","txt":"b"}`:      `unknown field "txt"`,
		`{"guest":"a"`:                 "unexpected EOF",
		" ":                            "it is empty",
		`{"guest":"a","text":"b"} "c"`: "The body has more than one JSON object.",
	} {
		code, answer := call(t, client, "POST", server.URL+"/api/chat", body)
		if detail, _ := answer["detail"].(string); code != 400 || !strings.HasSuffix(detail, want) {
			t.Errorf("%s: %d, %q; want %q", body, code, detail, want)
		}
	}
}

// A page from elsewhere can have its name point to this site's address. The browser
// then sends that name.
func TestASiteAnswersToItsOwnNamesOnly(t *testing.T) {
	for _, c := range []struct {
		own, host string
		want      int
	}{
		{"", "127.0.0.1:8080", 200},
		{"", "[::1]:8080", 200},
		{"", "192.168.0.7", 200},
		{"", "LOCALHOST:8080", 200},
		{"", "localhost", 200},
		{"", "evil.example:8080", 421},
		{"", "localhost.evil.example", 421},
		{"", "127.0.0.1.evil.example", 421},
		{"bot.hotel.example", "Bot.Hotel.example:8080", 200},
		{"bot.hotel.example", "evil.example", 421},
	} {
		here := site.New(start(t).Parts)
		here.Hosts = []string{c.own}
		server, client := serverOf(t, here)
		for _, at := range []struct{ method, path string }{{"GET", "/api/state"}, {"POST", "/api/reset"}} {
			r, err := http.NewRequestWithContext(t.Context(), at.method, server.URL+at.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.StatusCode; got != c.want && (got != 204 || c.want != 200) {
				t.Errorf("%s for %q on %q: %d, want %d", at.method, c.host, c.own, got, c.want)
			}
		}
	}
}

func TestARealPMSHasNoSwitch(t *testing.T) {
	b := start(t, "-pms", "http://127.0.0.1:1")
	server, client := serverOf(t, site.New(b.Parts))
	if code, _ := call(t, client, "PUT", server.URL+"/api/faults", `{"pms":"failing"}`); code != 502 {
		t.Errorf("answered %d", code)
	}
	code, body := get(t, client, server.URL+"/?"+url.Values{"guest": {"ana"}}.Encode())
	if code != 200 || !strings.Contains(body, "No answer. Unknown.") || strings.Contains(body, `: free"`) {
		t.Errorf("%d: the page does not say that the bookings are unknown", code)
	}
}
