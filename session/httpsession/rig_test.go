// SPDX-License-Identifier: MIT

package httpsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// user is the data of a session in these tests.
type user struct {
	State
	Cart []string
}

// store counts the calls of a store. It fails them while down is set, and loses
// the answers of those that change something while lose is. Each call begins with
// before, if there is one.
type store struct {
	session.Store
	calls      atomic.Int64
	down, lose atomic.Bool
	before     func()
}

var errDown = errors.New("no connection")

func (s *store) called() error {
	if s.before != nil {
		s.before()
	}
	s.calls.Add(1)
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *store) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	if err := s.called(); err != nil {
		return session.StoreReply{}, err
	}
	return lossy(s, func() (session.StoreReply, error) { return s.Store.Create(ctx, w) })
}

func (s *store) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	if err := s.called(); err != nil {
		return session.StoreReply{}, err
	}
	return s.Store.Load(ctx, l)
}

func (s *store) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	if err := s.called(); err != nil {
		return session.StoreReply{}, err
	}
	return lossy(s, func() (session.StoreReply, error) { return s.Store.Save(ctx, w) })
}

func (s *store) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	if err := s.called(); err != nil {
		return session.StoreRemoved{}, err
	}
	return lossy(s, func() (session.StoreRemoved, error) { return s.Store.Delete(ctx, d) })
}

func (s *store) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	if err := s.called(); err != nil {
		return session.StoreReply{}, err
	}
	return lossy(s, func() (session.StoreReply, error) { return s.Store.Move(ctx, from, w) })
}

// lossy makes a call, whose answer may get lost.
func lossy[T any](s *store, call func() (T, error)) (answer T, err error) {
	if answer, err = call(); s.lose.Load() {
		var none T
		return none, errDown
	}
	return answer, err
}

// rig is a site with logins, and its server.
type rig struct {
	testing.TB
	store  *store
	users  *session.Manager[user]
	logins *Logins[user]
	mux    *http.ServeMux
	server *httptest.Server
}

// newRig starts a site whose paths do what their names say; see the tests for
// those that they add.
func newRig(t testing.TB, cfg Config[user]) *rig {
	t.Helper()
	r := &rig{TB: t, store: &store{Store: memsession.New()}, mux: http.NewServeMux()}
	var err error
	if r.users, err = session.New(r.store, session.Config[user]{Name: "users"}); err != nil {
		t.Fatal(err)
	}
	if r.logins, err = New(r.users, cfg); err != nil {
		t.Fatal(err)
	}
	r.handle("/read", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		data, err := v.Data(t.Context())
		io.WriteString(w, strings.Join(data.Cart, ","))
		return err
	})
	r.handle("/who", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		subject, err := v.Subject(t.Context())
		if errors.Is(err, ErrNoLogin) {
			subject, err = "nobody", nil
		}
		io.WriteString(w, subject)
		return err
	})
	r.handle("/add", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		return v.Update(t.Context(), func(u *user) error { u.Cart = append(u.Cart, q.Get("item")); return nil })
	})
	r.handle("/login", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		return v.Login(t.Context(), q.Get("as"))
	})
	r.handle("/rotate", func(w http.ResponseWriter, v *Visit[user], q url.Values) error { return v.Rotate(t.Context()) })
	r.handle("/logout", func(w http.ResponseWriter, v *Visit[user], q url.Values) error { return v.Logout(t.Context()) })
	r.handle("/elsewhere", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		n, err := v.LogoutElsewhere(t.Context())
		fmt.Fprint(w, n)
		return err
	})
	r.mux.Handle("/nothing", r.logins.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	r.mux.Handle("/account", r.logins.Required(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "yours") })))
	r.server = httptest.NewTLSServer(r.mux)
	t.Cleanup(r.server.Close)
	return r
}

// handle adds a path. An error is status 500 and the error's text.
func (r *rig) handle(path string, do func(w http.ResponseWriter, v *Visit[user], q url.Values) error) {
	r.mux.Handle(path, r.logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if err := do(w, r.logins.From(q.Context()), q.URL.Query()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
}

// browser keeps cookies as browsers do.
type browser struct {
	*rig
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.Fatal(err)
	}
	return &browser{r, &http.Client{Transport: r.server.Client().Transport, Jar: jar}}
}

// get returns the body of a page, which must be there.
func (b *browser) get(path string) string {
	b.Helper()
	status, body, _ := b.try(path)
	if status != http.StatusOK {
		b.Fatalf("%s: %d %s", path, status, body)
	}
	return body
}

func (b *browser) try(path string) (status int, body string, header http.Header) {
	b.Helper()
	answer, err := b.client.Get(b.server.URL + path)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text)), answer.Header
}

// cookies returns the browser's cookies of the site.
func (b *browser) cookies() map[string]string {
	u, _ := url.Parse(b.server.URL)
	all := make(map[string]string)
	for _, c := range b.client.Jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

// setCookie gives the browser a cookie, as the site or an attacker might.
func (b *browser) setCookie(name, value string) {
	u, _ := url.Parse(b.server.URL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

func (b *browser) want(path, body string) {
	b.Helper()
	if got := b.get(path); got != body {
		b.Errorf("%s: %q, want %q", path, got, body)
	}
}

func (r *rig) count() int64 {
	r.Helper()
	n, err := r.users.Count(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return n
}
