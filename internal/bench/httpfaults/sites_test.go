// SPDX-License-Identifier: MIT

package httpfaults

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// maker makes sites that do the same: /who and /count read, /add counts, /late counts
// behind the first byte, /login, /logout and /rotate do what they say. Each calls pause
// once it has the session.
type maker struct {
	name, module string
	new          func(t *testing.T, pause func(*http.Request)) http.Handler
}

var makers = []maker{
	{"holdfast", "", newHoldfast},
	{"scs", "github.com/alexedwards/scs/v2", newSCS},
	{"gorilla, in files", "github.com/gorilla/sessions", func(t *testing.T, pause func(*http.Request)) http.Handler {
		return gorilla{sessions.NewFilesystemStore(t.TempDir(), make([]byte, 32)), pause}
	}},
	{"gorilla, in cookies", "github.com/gorilla/sessions", func(_ *testing.T, pause func(*http.Request)) http.Handler {
		return gorilla{sessions.NewCookieStore(make([]byte, 32)), pause}
	}},
}

type counter struct{ N int }

func newHoldfast(t *testing.T, pause func(*http.Request)) http.Handler {
	users, err := session.New(memsession.New(), session.Config[counter]{Name: "users", IdleTimeout: 30 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	logins, err := httpsession.New(users, httpsession.Config[counter]{})
	if err != nil {
		t.Fatal(err)
	}
	return logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit, ctx := logins.From(r.Context()), r.Context()
		view, err := visit.View(ctx)
		pause(r)
		add := func() error { return visit.Update(ctx, func(c *counter) error { c.N++; return nil }) }
		switch r.URL.Path {
		case "/who":
			io.WriteString(w, view.Subject)
		case "/count":
			io.WriteString(w, strconv.Itoa(view.Data.N))
		case "/add":
			err = add()
		case "/late":
			io.WriteString(w, "begun")
			err = add()
		case "/login":
			err = visit.Login(ctx, "ann")
		case "/rotate":
			err = visit.Rotate(ctx)
		case "/logout":
			err = visit.Logout(ctx)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
}

// newSCS has the idle timeout of the other sites, as scs recommends.
func newSCS(_ *testing.T, pause func(*http.Request)) http.Handler {
	// What scs.New does, but for the goroutine of its store.
	m := &scs.SessionManager{IdleTimeout: 30 * time.Minute, Lifetime: 24 * time.Hour, Store: memstore.NewWithCleanupInterval(0), Codec: scs.GobCodec{}}
	m.Cookie = scs.SessionCookie{Name: "session", Path: "/", HttpOnly: true, Persist: true, SameSite: http.SameSiteLaxMode}
	return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pause(r)
		ctx, err := r.Context(), error(nil)
		add := func() { m.Put(ctx, "n", m.GetInt(ctx, "n")+1) }
		switch r.URL.Path {
		case "/who":
			io.WriteString(w, m.GetString(ctx, "user"))
		case "/count":
			io.WriteString(w, strconv.Itoa(m.GetInt(ctx, "n")))
		case "/add":
			add()
		case "/late":
			io.WriteString(w, "begun")
			add()
		case "/login":
			err = m.RenewToken(ctx)
			m.Put(ctx, "user", "ann")
		case "/rotate":
			err = m.RenewToken(ctx)
		case "/logout":
			err = m.Destroy(ctx)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
}

// gorilla saves what it reads, too: without that a session ends a fixed time after its
// last change, in the middle of its use.
type gorilla struct {
	store sessions.Store
	pause func(*http.Request)
}

func (g gorilla) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, _ := g.store.Get(r, "session") // the error is that of a cookie of another key
	g.pause(r)
	user, _ := s.Values["user"].(string)
	n, _ := s.Values["n"].(int)
	text := ""
	switch r.URL.Path {
	case "/who":
		text = user
	case "/count":
		text = strconv.Itoa(n)
	case "/add":
		s.Values["n"] = n + 1
	case "/late":
		io.WriteString(w, "begun")
		s.Values["n"] = n + 1
	case "/login":
		s.Values["user"] = "ann"
	case "/rotate":
		w.WriteHeader(http.StatusNotImplemented)
		return
	case "/logout":
		s.Options.MaxAge = -1
	}
	if s.IsNew && len(s.Values) == 0 {
		return
	}
	if err := s.Save(r, w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	io.WriteString(w, text)
}

// browser keeps the cookies of responses in the order in which they come.
type browser struct {
	*scene
	cookies map[string]string
}

// get asks for a page and returns its text.
func (b *browser) get(path string) string {
	b.Helper()
	return b.start(path)()
}

// start sends a request, which gets as far as the session. What it returns lets the
// request go on, and the browser have the response.
func (b *browser) start(path string) (finish func() string) {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://site.example"+path, nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	stop := &stop{began: make(chan struct{}), goOn: make(chan struct{})}
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		b.site.ServeHTTP(w, r.WithContext(stop.in(r.Context())))
	}()
	<-stop.began
	return func() string {
		b.Helper()
		close(stop.goOn)
		<-done
		for _, c := range w.Result().Cookies() {
			if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
				delete(b.cookies, c.Name)
			}
		}
		if w.Code == http.StatusInternalServerError {
			b.failed = append(b.failed, w.Body.String())
		}
		return w.Body.String()
	}
}

// other is another browser with the same cookies: a copy.
func (b *browser) copy() *browser {
	c := b.scene.browser()
	for name, value := range b.cookies {
		c.cookies[name] = value
	}
	return c
}
