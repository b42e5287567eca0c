// SPDX-License-Identifier: MIT

package sessionbench

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/holdfast-go/holdfast/session/httpsession"
)

// page serves a request whose handler reads the session and records the
// activity, without sockets.
func page(t testing.TB, h http.Handler, cookies []*http.Cookie) func() func(int) {
	var requests []*http.Request
	for _, c := range cookies {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		requests = append(requests, r)
	}
	return func() func(int) {
		return func(n int) {
			for i := range n {
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, requests[i%len(requests)]); w.Code != http.StatusOK {
					t.Fatal(w.Code)
				}
			}
		}
	}
}

// page reads the session through the middleware. Each request records the
// activity, as with scs.
func (h *holdfast) page(t testing.TB) func() func(int) {
	logins, err := httpsession.New(h.touching, httpsession.Config[cart]{})
	if err != nil {
		t.Fatal(err)
	}
	var cookies []*http.Cookie
	for _, id := range h.ids {
		cookies = append(cookies, &http.Cookie{Name: "__Host-session", Value: id.Token()})
	}
	return page(t, logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := logins.From(r.Context()).Data(r.Context()); err != nil || len(c.Text) != len(data) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})), cookies)
}

func (u *scsUsers) page(t testing.TB) func() func(int) {
	u.Cookie.Name = "session"
	u.Cookie.Path = "/"
	var cookies []*http.Cookie
	for _, token := range u.tokens {
		cookies = append(cookies, &http.Cookie{Name: "session", Value: token})
	}
	return page(t, u.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(u.GetString(r.Context(), "text")) != len(data) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})), cookies)
}
