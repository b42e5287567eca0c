// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// FuzzBodies sends anything to the chat and the API: nothing panics, what is
// refused is refused as documented, and what is stored stays text.
func FuzzBodies(f *testing.F) {
	f.Add(`{"guest":"ana","text":"book room 101 from 2026-12-12 to 2026-12-15"}`, "ana")
	f.Add(`{"guest":"<script>alert(1)</script>","text":"<script>alert(1)</script>"}`, "<script>")
	f.Add(`{"pms":"failing","redis":"up"}`, `"'><script>`)
	f.Add(`{"guests":-1}`, "\r\ndata: x")
	f.Add("\xff{", "\x00")
	b := onMemory(f, start(f, "-rooms", "1"))
	here := site.New(b.Parts)
	f.Cleanup(here.Close)
	handler := here.Handler()
	send := func(method, path, kind, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, body, text string) {
		for path, method := range map[string]string{"/api/chat": http.MethodPost, "/api/faults": http.MethodPut, "/api/nothing": http.MethodPost} {
			w := send(method, path, "application/json", body)
			var answer map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= 500 {
				t.Errorf("%s %s: %d, %s", method, path, w.Code, w.Body)
			}
			if problem := w.Header().Get("Content-Type") == "application/problem+json"; problem != (w.Code >= 400) {
				t.Errorf("%s %s: %d as %s", method, path, w.Code, w.Header().Get("Content-Type"))
			}
		}
		send("PUT", "/api/faults", "application/json", `{"pms":"healthy","redis":"up","audit":"up","cleanup":"running"}`)
		if w := send("POST", "/message", "application/x-www-form-urlencoded", body); w.Code >= 500 {
			t.Errorf("form: %d, %s", w.Code, w.Body)
		}
		form := url.Values{"guest": {text}, "text": {text + " hold room 101 for a night from tomorrow"}}
		if w := send("POST", "/message", "application/x-www-form-urlencoded", form.Encode()); w.Code != http.StatusSeeOther && w.Code != http.StatusBadRequest {
			t.Errorf("form: %d, %s", w.Code, w.Body)
		}
		w := send("GET", "/?"+url.Values{"guest": {text}, "lang": {text}}.Encode(), "", "")
		page := w.Body.String()
		if w.Code != http.StatusOK || strings.Count(page, "<script") != 1 || !strings.HasPrefix(page, "<!DOCTYPE html>") {
			t.Errorf("the page for %q: %d\n%s", text, w.Code, page)
		}
	})
}
