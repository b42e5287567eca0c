// SPDX-License-Identifier: MIT

package migration

import (
	"io"
	"net/http"
	"strings"

	"github.com/gorilla/sessions"

	"github.com/holdfast-go/holdfast/session/httpsession"
)

// withGorilla is a shop whose carts and logins are in cookies of gorilla/sessions.
func withGorilla(key []byte) http.Handler {
	store := sessions.NewCookieStore(key)
	store.Options.HttpOnly = true
	store.Options.SameSite = http.SameSiteLaxMode

	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		visit, _ := store.Get(r, "session") // the error is that of a cookie of another key
		cart, _ := visit.Values["cart"].([]string)
		visit.Values["cart"] = append(cart, r.FormValue("item"))
		answer(w, visit.Save(r, w))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		visit, _ := store.Get(r, "session")
		visit.Values["user"] = r.FormValue("name")
		answer(w, visit.Save(r, w))
	})
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		visit, _ := store.Get(r, "session")
		user, _ := visit.Values["user"].(string)
		if user == "" {
			http.Error(w, "Log in first.", http.StatusUnauthorized)
			return
		}
		cart, _ := visit.Values["cart"].([]string)
		io.WriteString(w, user+": "+strings.Join(cart, ", "))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		visit, _ := store.Get(r, "session")
		visit.Options.MaxAge = -1
		answer(w, visit.Save(r, w))
	})
	return mux
}

// takeOverGorilla makes a session of holdfast of what a visitor has in one of
// gorilla/sessions, which ends.
func takeOverGorilla(store sessions.Store) func(*httpsession.Logins[user], http.Handler) http.Handler {
	return func(logins *httpsession.Logins[user], shop http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			old, _ := store.Get(r, "session")
			if old.IsNew {
				shop.ServeHTTP(w, r)
				return
			}
			visit := logins.From(r.Context())
			cart, _ := old.Values["cart"].([]string)
			err := visit.Update(r.Context(), func(u *user) error { u.Cart = append(u.Cart, cart...); return nil })
			if name, _ := old.Values["user"].(string); err == nil && name != "" {
				err = visit.Login(r.Context(), name)
			}
			old.Options.MaxAge = -1
			if err == nil {
				err = old.Save(r, w)
			}
			if answer(w, err) {
				shop.ServeHTTP(w, r)
			}
		})
	}
}
