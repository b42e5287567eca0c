// SPDX-License-Identifier: MIT

package httpsession_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/memsession"
)

type User struct {
	httpsession.State // for flash messages and the list of devices
	Cart              []string
}

func Example() {
	ctx := context.Background()
	users, err := session.New(memsession.New(), session.Config[User]{Name: "users"}) // or redissession.New(client)
	if err != nil {
		log.Fatal(err)
	}
	users.Start() // removes expired sessions in the background
	defer users.Stop(ctx)
	logins, err := httpsession.New(users, httpsession.Config[User]{})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/add", logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := logins.From(r.Context()).Update(r.Context(), func(u *User) error {
			u.Cart = append(u.Cart, r.FormValue("item"))
			return nil
		})
		answer(w, "added", err)
	})))
	mux.Handle("/login", logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Check the password here.
		answer(w, "welcome", logins.From(r.Context()).Login(r.Context(), r.FormValue("name")))
	})))
	mux.Handle("/account", logins.Required(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		view, err := logins.From(r.Context()).View(r.Context())
		answer(w, fmt.Sprint(view.Subject, " has ", view.Data.Cart), err)
	})))
	mux.Handle("/logout", logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, "bye", logins.From(r.Context()).Logout(r.Context()))
	})))

	browse(mux, "/account", "/add?item=soap", "/login?name=ann", "/account", "/logout", "/account")
	// Output:
	// /account: 401 Log in first.
	// /add?item=soap: 200 added
	// /login?name=ann: 200 welcome
	// /account: 200 ann has [soap]
	// /logout: 200 bye
	// /account: 401 Log in first.
}

// answer is what a handler says; a store that does not answer is not the
// visitor's fault.
func answer(w http.ResponseWriter, text string, err error) {
	switch {
	case errors.Is(err, session.ErrUnavailable):
		http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, "That did not work.", http.StatusInternalServerError)
	default:
		fmt.Fprintln(w, text)
	}
}

// browse visits pages as a browser does, with cookies.
func browse(h http.Handler, paths ...string) {
	server := httptest.NewTLSServer(h)
	defer server.Close()
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	for _, path := range paths {
		answer, err := client.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Printf("%s: %d %s", path, answer.StatusCode, body)
	}
}
