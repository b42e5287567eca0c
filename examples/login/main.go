// SPDX-License-Identifier: MIT

// A site with accounts: register, log in on several devices, log out elsewhere.
// It prints its address, and forgets everything when it ends.
package main

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"flag"
	"html/template"
	"log"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// User is what a session has of its user.
type User struct {
	httpsession.State
	Admin bool
}

// site keeps the hashes of passwords by name; a real one has a database.
type site struct {
	logins    *httpsession.Logins[User]
	passwords sync.Map
}

// noOne is a hash that no password fits.
var noOne, _ = bcrypt.GenerateFromPassword([]byte(rand.Text()), bcrypt.DefaultCost)

//go:embed page.html
var text string
var page = template.Must(template.New("page").Parse(text))

func (s *site) home(w http.ResponseWriter, r *http.Request) error {
	visit := s.logins.From(r.Context())
	devices, err := visit.Devices(r.Context())
	if err != nil && !errors.Is(err, httpsession.ErrNoLogin) {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // not for the back button after the logout
	view, err := visit.View(r.Context())
	if err != nil {
		return err
	}
	return page.Execute(w, map[string]any{"View": view, "Devices": devices})
}

func (s *site) register(visit *httpsession.Visit[User], r *http.Request) error {
	name, password := r.FormValue("name"), r.FormValue("password")
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil || name == "" || len(password) < 8 {
		return visit.Flash(r.Context(), "A name is needed, and a password of 8 to 72 characters.")
	}
	if _, taken := s.passwords.LoadOrStore(name, hash); taken {
		return visit.Flash(r.Context(), "The name is taken.")
	}
	return visit.Login(r.Context(), name)
}

func (s *site) login(visit *httpsession.Visit[User], r *http.Request) error {
	hash, known := s.passwords.Load(r.FormValue("name"))
	if !known {
		hash = noOne // so that the answer takes as long
	}
	if bcrypt.CompareHashAndPassword(hash.([]byte), []byte(r.FormValue("password"))) != nil {
		return visit.Flash(r.Context(), "Name or password is wrong.")
	}
	var remember httpsession.LoginOption // none
	if r.FormValue("remember") != "" {
		remember = httpsession.Remember(30 * 24 * time.Hour)
	}
	return visit.Login(r.Context(), r.FormValue("name"), remember)
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", answer(s.home))
	for path, do := range map[string]func(*httpsession.Visit[User], *http.Request) error{
		"register": s.register,
		"login":    s.login,
		"promote": func(visit *httpsession.Visit[User], r *http.Request) error {
			if err := visit.Rotate(r.Context()); err != nil { // other rights, another id
				return err
			}
			return visit.Update(r.Context(), func(u *User) error { u.Admin = true; return nil })
		},
		"logout": func(visit *httpsession.Visit[User], r *http.Request) error { return visit.Logout(r.Context()) },
		"elsewhere": func(visit *httpsession.Visit[User], r *http.Request) error {
			_, err := visit.LogoutElsewhere(r.Context())
			return err
		},
		"end": func(visit *httpsession.Visit[User], r *http.Request) error {
			return visit.EndDevice(r.Context(), r.FormValue("device"))
		},
	} {
		mux.HandleFunc("POST /"+path, answer(func(w http.ResponseWriter, r *http.Request) error {
			err := do(s.logins.From(r.Context()), r)
			if err == nil {
				http.Redirect(w, r, "/", http.StatusSeeOther)
			}
			return err
		}))
	}
	return s.logins.Handler(mux)
}

func answer(do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch err := do(w, r); {
		case errors.Is(err, httpsession.ErrNoLogin), errors.Is(err, session.ErrNotFound):
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case err != nil:
			log.Print(err)
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
		}
	}
}

func newSite() (http.Handler, *session.Manager[User], error) {
	users, err := session.New(memsession.New(), session.Config[User]{Name: "users"}) // or redissession.New(client)
	if err != nil {
		return nil, nil, err
	}
	logins, err := httpsession.New(users, httpsession.Config[User]{})
	return (&site{logins: logins}).handler(), users, err
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "`address` to listen on")
	flag.Parse()
	site, users, err := newSite()
	if err != nil {
		log.Fatal(err)
	}
	users.Start() // removes expired sessions in the background
	log.Printf("http://%s", *addr)
	log.Fatal(http.ListenAndServe(*addr, site))
}
