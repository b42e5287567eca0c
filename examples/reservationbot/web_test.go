// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// page is a bot's web page; requests to it do not follow redirects.
func page(t *testing.T) (*httptest.Server, *http.Client) {
	t.Helper()
	return serverOf(t, site.New(start(t).Parts))
}

func serverOf(t *testing.T, here *site.Site) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewServer(here.Handler())
	t.Cleanup(func() {
		here.Close()
		server.Close()
	})
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server, client
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func post(t *testing.T, c *http.Client, to string, form url.Values, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}

func TestAGuestTalksToTheBotOnThePage(t *testing.T) {
	server, client := page(t)
	answer := post(t, client, server.URL+"/message", url.Values{"guest": {"ana"}, "text": {"hold room 101 for 2 nights from tomorrow"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/?guest=ana" {
		t.Fatalf("answered %s to %q", answer.Status, answer.Header.Get("Location"))
	}
	code, body := get(t, client, server.URL+answer.Header.Get("Location"))
	for _, want := range []string{"I hold room 101 for you", `held by ana,`, `closed`, "1 alive", "<td>lock.acquired</td>"} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d: no %q on the page:\n%s", code, want, body)
		}
	}
}

func TestWhatGuestsWriteStaysText(t *testing.T) {
	server, client := page(t)
	const evil = `<script>alert(1)</script>`
	post(t, client, server.URL+"/message", url.Values{"guest": {evil}, "text": {evil + " hold room 101 for a night from tomorrow"}})
	_, body := get(t, client, server.URL+"/?"+url.Values{"guest": {evil}}.Encode())
	if strings.Contains(body, "<script>") || strings.Count(body, "&lt;script&gt;") < 3 {
		t.Errorf("the page has:\n%s", body)
	}
}

func TestAFormThatWasOfNoUseSaysSoInItsPlace(t *testing.T) {
	server, client := page(t)
	for lang, want := range map[string]string{"en": "Not done: there is no such conversation.", "es": "No hecho: no existe esa conversación."} {
		for accept, place := range map[string]string{"text/html": `<p class="unsent bad" role="alert">` + want + "</p>", "*/*": want} {
			form := url.Values{"guest": {"ana"}, "lang": {lang}, "who": {"no one"}}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/corrupt", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept", accept)
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusNotFound || strings.Count(string(body), place) != 1 {
				t.Errorf("%s, %s: %d, %v, %s", lang, accept, answer.StatusCode, err, body)
			}
		}
	}
}

func TestMetricsHaveTheBotsAndTheLibrarysSeries(t *testing.T) {
	server, client := page(t)
	post(t, client, server.URL+"/message", url.Values{"guest": {"ana"}, "text": {"book room 101 for 2 nights from tomorrow"}})
	code, body := get(t, client, server.URL+"/metrics")
	for _, want := range []string{
		`orchestrator_requests_total{intent="book",outcome="ok"} 1`,
		`orchestrator_latency_seconds_count 1`,
		`intents_detected{intent="book"} 1`,
		`nlp_fallbacks_total{reason="breaker_open"} 0`,
		`pms_operations_total{operation="book",result="success"} 1`,
		`pms_api_latency_seconds_count{operation="book"} 1`,
		`holdfast_circuitbreaker_state{breaker="pms",state="closed"} 1`,
		`holdfast_lock_operations_total{manager="rooms",operation="acquire",result="success"} 1`,
		`holdfast_session_`, `holdfast_audit_`,
	} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d: no %s", code, want)
		}
	}
}

func TestHealthzAnswersOK(t *testing.T) {
	server, client := page(t)
	if code, body := get(t, client, server.URL+"/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("%d, %q", code, body)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	server, client := page(t)
	good := url.Values{"guest": {"ana"}, "text": {"hello"}}
	for name, c := range map[string]struct {
		form   url.Values
		header []string
		want   int
	}{
		"no guest":   {url.Values{"text": {"hello"}}, nil, 400},
		"no text":    {url.Values{"guest": {"ana"}, "text": {"  "}}, nil, 400},
		"not UTF-8":  {url.Values{"guest": {"ana\xff"}, "text": {"hello"}}, nil, 400},
		"NUL":        {url.Values{"guest": {"ana\x00"}, "text": {"hello"}}, nil, 400},
		"long name":  {url.Values{"guest": {strings.Repeat("a", 65)}, "text": {"hello"}}, nil, 400},
		"huge":       {url.Values{"guest": {"ana"}, "text": {strings.Repeat("a", 1<<14)}}, nil, 413},
		"cross-site": {good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"fine":       {good, []string{"Sec-Fetch-Site", "same-origin"}, 303},
	} {
		if got := post(t, client, server.URL+"/message", c.form, c.header...).StatusCode; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if code, _ := get(t, client, server.URL+"/nowhere"); code != http.StatusNotFound {
		t.Errorf("an unknown page is answered %d", code)
	}
}

func TestTheServerBoundsHowLongAClientCanTake(t *testing.T) {
	s := newServer(nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Errorf("a time limit is missing: %+v", s)
	}
}

// The page is up when its URL is printed, and gone when serve has returned.
func TestServePrintsOneURLAndEndsWithItsContext(t *testing.T) {
	b := start(t, "-addr", "127.0.0.1:0")
	ctx, stop := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, b, out) }()
	line := make([]byte, 100)
	n, err := in.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.TrimSpace(string(line[:n]))
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	if code, body := get(t, client, page); code != http.StatusOK || !strings.Contains(body, "a Go library of resilience primitives") {
		t.Errorf("%s: %d, %s", page, code, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	if answer, err := client.Do(r); err != nil || answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("on loopback, for another host: %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if r, err := client.Get(page); err == nil {
		r.Body.Close()
		t.Error("the page is still up")
	}
}

func TestEachShippedAlertLeadsToItsRunbook(t *testing.T) {
	server, client := page(t)
	_, body := get(t, client, server.URL+"/")
	links := regexp.MustCompile(`/runbooks/\w+`).FindAllString(body, -1)
	if len(links) < 36 {
		t.Errorf("the page lists %d alerts", len(links))
	}
	for _, link := range links {
		if code, text := get(t, client, server.URL+link); code != http.StatusOK || !strings.HasPrefix(text, "# ") {
			t.Errorf("%s: %d, %.40s", link, code, text)
		}
	}
	if code, _ := get(t, client, server.URL+"/runbooks/..%2falerts%2flock.yml"); code != http.StatusBadRequest {
		t.Errorf("another file: %d", code)
	}
}
