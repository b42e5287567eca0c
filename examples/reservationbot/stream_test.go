// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// listener is a page that is open.
type listener struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func listen(t *testing.T, c *http.Client, base, query string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	hangUp := func() {
		cancel()
		answer.Body.Close()
	}
	t.Cleanup(hangUp)
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &listener{t, lines, hangUp}
}

// next returns the name of the next event and the sections that it has.
func (l *listener) next() (name string, sections map[string]string) {
	l.t.Helper()
	sections = make(map[string]string)
	for l.lines.Scan() {
		switch field, value, _ := strings.Cut(l.lines.Text(), ": "); field {
		case "event":
			name = value
		case "data":
			id, html, _ := strings.Cut(value, " ")
			sections[id] = html
		case "":
			if name != "" {
				return name, sections
			}
		}
	}
	l.t.Fatalf("the stream ended: %v", l.lines.Err())
	return "", nil
}

// change returns the sections of the next change of a section. Others may change
// before it: a part that answers late on a busy machine is shown as unknown.
func (l *listener) change(of string) map[string]string {
	l.t.Helper()
	for {
		if name, sections := l.next(); name != "change" {
			l.t.Fatalf("%s instead of a change of %s: %v", name, of, sections)
		} else if sections[of] != "" {
			return sections
		}
	}
}

// slowly is a site whose pages look for changes once an hour.
func slowly(t *testing.T) (*httptest.Server, *http.Client) {
	t.Helper()
	b := start(t)
	parts := b.Parts
	parts.Tick = time.Hour
	return serverOf(t, site.New(parts))
}

func TestTheFirstEventDoesNotWaitForATick(t *testing.T) {
	server, client := slowly(t)
	name, sections := listen(t, client, server.URL, "guest=ana").next()
	if name != "reload" {
		t.Errorf("the first event is %q", name)
	}
	for _, id := range []string{"chat", "breaker", "switches", "storm", "sessions", "audit", "metrics", "nights", "r101", "r210", "now"} {
		if _, ok := sections[id]; !ok {
			t.Errorf("the first event has no %s", id)
		}
	}
}

func TestWhatIsDoneHereShowsAtOnceAndAlone(t *testing.T) {
	server, client := slowly(t)
	l := listen(t, client, server.URL, "guest=ana")
	l.next()
	call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"hold room 101 for a night from tomorrow"}`)
	sections := l.change("chat")
	if !strings.Contains(sections["chat"], "I hold room 101") || !strings.Contains(sections["r101"], "held mine") {
		t.Error(sections)
	}
	if _, ok := sections["r102"]; ok {
		t.Error("a row that is as it was is sent again")
	}
}

func TestWhatGuestsWriteDoesNotEndALineOfTheStream(t *testing.T) {
	server, client := slowly(t)
	l := listen(t, client, server.URL, "guest=ana")
	l.next()
	call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"help\r\revent: evil\r\ndata: storm <b>won</b>\n\n"}`)
	sections := l.change("chat")
	if _, storm := sections["storm"]; storm || !strings.Contains(sections["chat"], "&lt;b&gt;won") {
		t.Error(sections)
	}
}

// stuck takes the first bytes and nothing after.
type stuck struct {
	*httptest.ResponseRecorder
	writes   int
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(d time.Time) error { s.deadline = d; return nil }

func (s *stuck) Write(b []byte) (int, error) {
	if s.writes++; s.writes > 2 {
		return 0, os.ErrDeadlineExceeded // as when the deadline has come
	}
	return len(b), nil
}

func TestAClientThatTakesNothingIsCutOffAndHoldsUpNobody(t *testing.T) {
	b := start(t)
	parts := b.Parts
	parts.Tick = time.Hour
	here := site.New(parts)
	server, client := serverOf(t, here)
	l := listen(t, client, server.URL, "guest=ana")
	l.next()

	slow := &stuck{ResponseRecorder: httptest.NewRecorder()}
	began, gone := time.Now(), make(chan struct{})
	go func() {
		defer close(gone)
		here.Handler().ServeHTTP(slow, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/events", nil))
	}()
	for {
		call(t, client, "POST", server.URL+"/api/chat", `{"guest":"ana","text":"help"}`)
		l.change("chat")
		select {
		case <-gone:
			if slow.deadline.Before(began) || slow.deadline.After(time.Now().Add(time.Minute)) {
				t.Errorf("the client could hold on until %v", slow.deadline)
			}
			return
		default:
		}
	}
}

// visit opens a page from an address, and returns what is closed when it has ended.
func visit(t *testing.T, here *site.Site, address string) (ended chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan struct{})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/events", nil)
	r.RemoteAddr = address + ":1234"
	w := &opened{ResponseRecorder: httptest.NewRecorder(), shown: make(chan struct{})}
	go func() {
		defer close(ended)
		here.Handler().ServeHTTP(w, r)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	<-w.shown
	return ended
}

// opened says when the first event was sent.
type opened struct {
	*httptest.ResponseRecorder
	shown chan struct{}
}

func (*opened) SetWriteDeadline(time.Time) error { return nil }

func (o *opened) Flush() {
	o.ResponseRecorder.Flush()
	select {
	case <-o.shown:
	default:
		close(o.shown)
	}
}

func TestOneAddressDoesNotShutOthersOut(t *testing.T) {
	b := start(t)
	parts := b.Parts
	parts.Tick = time.Hour
	here := site.New(parts)
	t.Cleanup(here.Close)
	other := visit(t, here, "192.0.2.1")
	var greedy []chan struct{}
	for range 63 {
		greedy = append(greedy, visit(t, here, "192.0.2.2"))
	}
	third := visit(t, here, "192.0.2.3")
	<-greedy[0] // for the third
	visit(t, here, "192.0.2.2")
	<-greedy[1] // for its own
	for _, still := range []chan struct{}{other, greedy[2], third} {
		select {
		case <-still:
			t.Error("a page was closed without need")
		default:
		}
	}
}
