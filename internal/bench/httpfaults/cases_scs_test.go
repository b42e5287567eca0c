// SPDX-License-Identifier: MIT

package httpfaults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// scsCase is something that scs's own tests promise, and what holdfast does in the
// same place.
type scsCase struct {
	promise string
	differs string // what holdfast does instead, and why; empty where it does the same
	run     func(*trial)
}

var scsCases = []scsCase{
	{"a value is there at the next request, which sets no cookie, and a change keeps the token", "", func(t *trial) {
		first := t.cookie(t.serve("", put("a")))
		t.equal(t.serve(first, t.holds("a")).Header().Get("Set-Cookie"), "")
		t.equal(t.serve(first, put("b")).Header().Get("Set-Cookie"), "")
		t.serve(first, t.holds("b"))
	}},
	{"a session ends after its lifetime, however much it is used", "", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		for range 23 {
			time.Sleep(time.Hour - time.Minute) // in the bubble
			t.serve(token, t.holds("a"))
		}
		time.Sleep(time.Hour) // in the bubble
		t.serve(token, t.holds(""))
	}},
	{"a session ends after its idle timeout, and use moves that", "within TouchEvery of it: not every request writes", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		for range 3 {
			time.Sleep(59 * time.Minute) // in the bubble
			t.serve(token, t.holds("a"))
		}
		time.Sleep(time.Hour) // in the bubble
		t.serve(token, t.holds(""))
	}},
	{"destroying a session removes it and its cookie", "", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		gone := t.serve(token, func(v *visit) error { return v.Logout(t.Context()) })
		t.equal(gone.Result().Cookies()[0].MaxAge, -1)
		t.serve(token, t.holds(""))
	}},
	{"a new token has the data of the old one", "for a login: a visitor has no rights to renew for", func(t *trial) {
		old := t.cookie(t.serve("", login))
		t.serve(old, put("a"))
		fresh := t.cookie(t.serve(old, func(v *visit) error { return v.Rotate(t.Context()) }))
		t.equal(fresh != old, true)
		t.serve(fresh, t.holds("a"))
	}},
	{"a cookie outlives the browser when the session is to be remembered, and only then", "decided at the login, for its whole life", func(t *trial) {
		t.equal(t.serve("", login).Result().Cookies()[0].MaxAge, 0)
		kept := t.serve("", func(v *visit) error { return v.Login(t.Context(), "ann", httpsession.Remember(48*time.Hour)) })
		t.equal(kept.Result().Cookies()[0].MaxAge, 48*3600)
	}},
	{"all sessions can be visited, and an error ends that", "by ranging over Manager.All", func(t *trial) {
		for _, value := range []string{"a", "b", "c"} {
			t.serve("", put(value))
		}
		found := map[string]bool{}
		for s, err := range t.users.All(t.Context()) {
			t.must(err)
			found[s.Data.Text] = true
		}
		t.equal(found, map[string]bool{"a": true, "b": true, "c": true})
	}},
	{"a handler can flush and hijack", "through http.ResponseController, and Flusher and Hijacker", func(t *trial) {
		t.site(func(w http.ResponseWriter, _ *http.Request) {
			_, flushes := w.(http.Flusher)
			_, hijacks := w.(http.Hijacker)
			t.equal(flushes && hijacks && http.NewResponseController(w).Flush() == nil, true)
		}).ServeHTTP(httptest.NewRecorder(), t.request(""))
	}},
	{"a request without a token has an empty session", "", func(t *trial) { t.serve("", t.holds("")) }},
	{"a token that the store does not know is an empty session, and is not adopted", "", func(t *trial) {
		unknown := t.cookie(t.serve("", put("a")))
		t.serve(unknown, func(v *visit) error { return v.Logout(t.Context()) })
		t.serve(unknown, t.holds(""))
		t.equal(t.cookie(t.serve(unknown, put("b"))) != unknown, true)
	}},
	{"when the store does not answer, the request fails", "in the call that needs it, with its error: a page that asks nothing is served", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		t.store.down = true
		t.serve(token, func(*visit) error { return nil })
		t.serve(token, func(v *visit) error {
			_, err := v.Data(t.Context())
			t.equal(errors.Is(err, session.ErrUnavailable), true)
			t.equal(errors.Is(v.Update(t.Context(), func(*data) error { return nil }), session.ErrUnavailable), true)
			return nil
		})
	}},
	{"a session that cannot be decoded fails the request", "OnError is called, and the request has an empty session: a site that changed a type goes on", func(t *trial) {
		old, err := session.New(t.store, session.Config[string]{Name: "users"})
		t.must(err)
		s, err := old.Create(t.Context(), "of another type")
		t.must(err)
		t.serve(s.ID.Token(), t.holds(""))
		t.equal(t.reported, 1)
	}},
	{"the store sees a hash of the token, on request", "always", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		t.equal(strings.Contains(fmt.Sprint(t.store.seen), token), false)
		t.equal(len(t.store.seen) > 0, true)
	}},
	{"a session that expired while the request ran is committed", "it is session.ErrNotFound: it does not begin anew in the middle of a request", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		t.serve(token, func(v *visit) error {
			_, err := v.Data(t.Context())
			t.must(err)
			time.Sleep(25 * time.Hour) // in the bubble
			t.equal(errors.Is(v.Update(t.Context(), func(*data) error { return nil }), session.ErrNotFound), true)
			return nil
		})
	}},
	{"values of any type are put, read, popped, removed, cleared and listed by key", "the data is one type: its fields are set and read, and the compiler knows them", func(t *trial) {
		want := data{"a", true, 7, 1.5, []byte{0, 255}, time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)}
		token := t.cookie(t.serve("", func(v *visit) error {
			return v.Update(t.Context(), func(d *data) error { *d = want; return nil })
		}))
		t.serve(token, func(v *visit) error {
			got, err := v.Data(t.Context())
			t.equal(got, want)
			return err
		})
		t.serve(token, func(v *visit) error { return v.Update(t.Context(), func(d *data) error { *d = data{}; return nil }) })
		t.serve(token, t.holds(""))
	}},
	{"the status of a session says whether it has to be committed", "there is nothing to commit: Update has stored the change, or returned an error", func(t *trial) {
		token := t.cookie(t.serve("", put("a")))
		t.serve(token, func(v *visit) error {
			t.must(v.Update(t.Context(), func(d *data) error { d.Text = "b"; return nil }))
			t.serve(token, t.holds("b")) // another request sees it already
			return nil
		})
	}},
}

func TestWhatScsPromises(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, c := range scsCases {
		if c.differs != "" {
			fmt.Fprintf(w, "%s\t%s\n", c.promise, c.differs)
		}
		t.Run(c.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(newTrial(t)) })
		})
	}
	_ = w.Flush()
	t.Logf("%d cases; holdfast does otherwise:\n%s", len(scsCases), table.String())
}

// data is what the sessions have.
type data struct {
	Text  string
	Bool  bool
	Int   int
	Float float64
	Bytes []byte
	Time  time.Time
}

type visit = httpsession.Visit[data]

// watched is a store that can be down, and notes what it was asked for.
type watched struct {
	session.Store
	down bool
	seen []session.StoreWrite
}

func (s *watched) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	if s.down {
		return session.StoreReply{}, errors.New("down")
	}
	return s.Store.Load(ctx, l)
}

func (s *watched) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	s.seen = append(s.seen, w)
	return s.Store.Create(ctx, w)
}

// trial is one case, in virtual time: sessions end an hour after their last use, and
// after a day.
type trial struct {
	*testing.T
	store    *watched
	users    *session.Manager[data]
	logins   *httpsession.Logins[data]
	reported int // to OnError
}

func newTrial(t *testing.T) *trial {
	c := &trial{T: t, store: &watched{Store: memsession.New()}}
	var err error
	c.users, err = session.New(c.store, session.Config[data]{Name: "users", IdleTimeout: time.Hour, AbsoluteTimeout: 24 * time.Hour})
	c.must(err)
	c.logins, err = httpsession.New(c.users, httpsession.Config[data]{OnError: func(*http.Request, error) { c.reported++ }})
	c.must(err)
	return c
}

func (t *trial) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *trial) equal(got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func (t *trial) site(h http.HandlerFunc) http.Handler { return t.logins.Handler(h) }

func (t *trial) request(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://site.example/", nil)
	if token != "" { // of a login or a visitor
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: token})
	}
	return r
}

// serve has a handler answer a request with a token.
func (t *trial) serve(token string, do func(*visit) error) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	t.site(func(_ http.ResponseWriter, r *http.Request) { t.must(do(t.logins.From(r.Context()))) }).ServeHTTP(w, t.request(token))
	return w
}

// cookie is the token that a response sets.
func (t *trial) cookie(w *httptest.ResponseRecorder) string {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			return c.Value
		}
	}
	t.Fatal("the response sets no cookie")
	return ""
}

func put(text string) func(*visit) error {
	return func(v *visit) error {
		return v.Update(context.Background(), func(d *data) error { d.Text = text; return nil })
	}
}

func login(v *visit) error { return v.Login(context.Background(), "ann") }

// holds is a handler that wants a text in the session.
func (t *trial) holds(text string) func(*visit) error {
	return func(v *visit) error {
		t.Helper()
		got, err := v.Data(context.Background())
		t.equal(got.Text, text)
		return err
	}
}
