// SPDX-License-Identifier: MIT

package migration

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// withSCS is a shop whose carts and logins are in sessions of scs.
func withSCS(client *redis.Client) (*scs.SessionManager, http.Handler) {
	sessions := scs.New()
	sessions.Store = goredisstore.New(client)
	sessions.IdleTimeout = 30 * time.Minute
	sessions.Lifetime = 24 * time.Hour
	sessions.Cookie.Secure = true

	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		cart, _ := sessions.Get(r.Context(), "cart").([]string)
		sessions.Put(r.Context(), "cart", append(cart, r.FormValue("item")))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, "Try again.", http.StatusServiceUnavailable)
			return
		}
		sessions.Put(r.Context(), "user", r.FormValue("name"))
	})
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		user := sessions.GetString(r.Context(), "user")
		if user == "" {
			http.Error(w, "Log in first.", http.StatusUnauthorized)
			return
		}
		cart, _ := sessions.Get(r.Context(), "cart").([]string)
		io.WriteString(w, user+": "+strings.Join(cart, ", "))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			http.Error(w, "Try again.", http.StatusServiceUnavailable)
		}
	})
	return sessions, sessions.LoadAndSave(mux)
}

// takeOverSCS makes a session of holdfast of what a visitor has in one of scs, which
// ends.
func takeOverSCS(sessions *scs.SessionManager) func(*httpsession.Logins[user], http.Handler) http.Handler {
	return func(logins *httpsession.Logins[user], shop http.Handler) http.Handler {
		return sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(sessions.Keys(r.Context())) == 0 {
				shop.ServeHTTP(w, r)
				return
			}
			visit := logins.From(r.Context())
			cart, _ := sessions.Get(r.Context(), "cart").([]string)
			err := visit.Update(r.Context(), func(u *user) error { u.Cart = append(u.Cart, cart...); return nil })
			if name := sessions.GetString(r.Context(), "user"); err == nil && name != "" {
				err = visit.Login(r.Context(), name)
			}
			if err == nil {
				err = sessions.Destroy(r.Context())
			}
			if answer(w, err) {
				shop.ServeHTTP(w, r)
			}
		}))
	}
}

// user is what a session of the shop has.
type user struct{ Cart []string }

// withHoldfast is the same shop. With takeOver it takes over the sessions of a peer.
func withHoldfast(client *redis.Client, takeOver func(*httpsession.Logins[user], http.Handler) http.Handler) (http.Handler, *session.Manager[user], error) {
	users, err := session.New(redissession.New(client), session.Config[user]{
		Name: "users", IdleTimeout: 30 * time.Minute, AbsoluteTimeout: 24 * time.Hour,
	})
	if err != nil {
		return nil, nil, err
	}
	users.Start() // removes expired sessions until users.Stop
	logins, err := httpsession.New(users, httpsession.Config[user]{})
	if err != nil {
		return nil, nil, err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		answer(w, logins.From(r.Context()).Update(r.Context(), func(u *user) error {
			u.Cart = append(u.Cart, r.FormValue("item"))
			return nil
		}))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		answer(w, logins.From(r.Context()).Login(r.Context(), r.FormValue("name")))
	})
	mux.Handle("GET /account", logins.Required(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		view, err := logins.From(r.Context()).View(r.Context())
		if answer(w, err) {
			io.WriteString(w, view.Subject+": "+strings.Join(view.Data.Cart, ", "))
		}
	})))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		answer(w, logins.From(r.Context()).Logout(r.Context()))
	})
	if takeOver != nil {
		return logins.Handler(takeOver(logins, mux)), users, nil
	}
	return logins.Handler(mux), users, nil
}

// answer reports whether all is well.
func answer(w http.ResponseWriter, err error) bool {
	if err != nil {
		http.Error(w, "Try again.", http.StatusServiceUnavailable)
	}
	return err == nil
}
