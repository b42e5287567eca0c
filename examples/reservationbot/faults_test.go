// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// turn sends a body to an address and returns the answer.
func turn(t *testing.T, c *http.Client, method, to, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, strings.TrimSpace(string(content))
}

func TestSwitchesBreakAndHealTheParts(t *testing.T) {
	server, client := page(t)
	said := 0
	answers := func(outcome string) {
		t.Helper()
		said++
		guest := "guest" + string(rune('a'+said))
		before := sample(t, client, server.URL, outcome)
		post(t, client, server.URL+"/message", url.Values{"guest": {guest}, "text": {"book room 101 for a night from tomorrow"}})
		if after := sample(t, client, server.URL, outcome); after == before {
			t.Errorf("no answer counts as %s", outcome)
		}
	}
	for _, c := range []struct{ put, stands, outcome string }{
		{`{}`, `{"pms":"healthy","redis":"up","audit":"up","cleanup":"running"}`, `outcome="ok"`},
		{`{"pms":"failing"}`, `{"pms":"failing","redis":"up","audit":"up","cleanup":"running"}`, `outcome="fallback"`},
		{`{"pms":"healthy","redis":"down"}`, `{"pms":"healthy","redis":"down","audit":"up","cleanup":"running"}`, `outcome="error"`},
		{`{"redis":"up","audit":"down","cleanup":"stopped"}`, `{"pms":"healthy","redis":"up","audit":"down","cleanup":"stopped"}`, `outcome="refused"`},
		{`{"audit":"up","cleanup":"running"}`, `{"pms":"healthy","redis":"up","audit":"up","cleanup":"running"}`, `outcome="refused"`},
	} {
		if status, got := turn(t, client, http.MethodPut, server.URL+"/api/faults", c.put); status != http.StatusOK || got != c.stands {
			t.Errorf("%s: %d %s, want %s", c.put, status, got, c.stands)
		}
		if _, got := turn(t, client, http.MethodGet, server.URL+"/api/faults", ""); got != c.stands {
			t.Errorf("%s: stands at %s", c.put, got)
		}
		answers(c.outcome)
	}
}

// sample returns the lines of the metrics that have the text in them.
func sample(t *testing.T, c *http.Client, base, text string) (found string) {
	t.Helper()
	_, body := get(t, c, base+"/metrics")
	for line := range strings.Lines(body) {
		if strings.Contains(line, text) {
			found += line
		}
	}
	return found
}

func TestSwitchesThatDoNotExistAreRefused(t *testing.T) {
	server, client := page(t)
	for _, body := range []string{``, `[]`, `{`, `{"pms":"tired"}`, `{"redis":"DOWN"}`, `{"audit":"off"}`, `{"cleanup":"down"}`, `{"pmss":"failing"}`} {
		if status, got := turn(t, client, http.MethodPut, server.URL+"/api/faults", body); status != http.StatusBadRequest || !strings.Contains(got, `"detail"`) {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	if status, _ := turn(t, client, http.MethodDelete, server.URL+"/api/faults", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
}

func TestCorruptedConversationsBeginAnewAndAreCounted(t *testing.T) {
	server, client := page(t)
	hello := func() {
		post(t, client, server.URL+"/message", url.Values{"guest": {"ana"}, "text": {"help"}})
	}
	hello()
	if status, got := turn(t, client, http.MethodPost, server.URL+"/api/sessions/corrupt", ""); status != http.StatusOK || got != `{"corrupted":1}` {
		t.Fatalf("%d %s", status, got)
	}
	hello()
	if got := sample(t, client, server.URL, `session_ended_total{manager="chats",reason="corrupted"} 1`); got == "" {
		t.Errorf("not counted: %s", sample(t, client, server.URL, "session_ended_total"))
	}
	turn(t, client, http.MethodPut, server.URL+"/api/faults", `{"redis":"down"}`)
	if status, _ := turn(t, client, http.MethodPost, server.URL+"/api/sessions/corrupt", ""); status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d", status)
	}
}
