// SPDX-License-Identifier: MIT

package httpsession

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestNetworksNameNoSinglePerson(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.17:80": "192.0.2.0/24", "192.0.2.17": "192.0.2.0/24", "[::ffff:192.0.2.17]:80": "192.0.2.0/24",
		"[2001:db8::1]:80": "2001:db8::/48", "[fe80::1%eth0]:80": "fe80::/48", "": "", "unix": "", "@": "",
	} {
		if got := network(addr); got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}

// A developer's browser may not send Secure cookies over plain HTTP. Everywhere
// else they are Secure, whatever the request says.
func TestCookiesAreOnlyPlainOnLoopback(t *testing.T) {
	for _, c := range []struct {
		why, host, remote string
		header            http.Header
		plain             bool
	}{
		{"a developer", "localhost:8080", "127.0.0.1:50000", nil, true},
		{"a developer, IPv6", "[::1]:8080", "[::1]:50000", nil, true},
		{"a form of a developer", "127.0.0.1:8080", "127.0.0.1:50000", http.Header{"Origin": {"http://127.0.0.1:8080"}}, true},
		{"a site", "example.com", "192.0.2.1:50000", nil, false},
		{"a hostile Host", "localhost", "192.0.2.1:50000", nil, false},
		{"a local proxy that passes the host", "example.com", "127.0.0.1:50000", nil, false},
		{"a local proxy that passes the address", "127.0.0.1:8080", "127.0.0.1:50000", http.Header{"X-Forwarded-For": {"192.0.2.1"}}, false},
		{"a local proxy that passes nothing", "127.0.0.1:8080", "127.0.0.1:50000", http.Header{"Referer": {"https://example.com/login"}}, false},
		{"a local proxy that passes nothing, form", "127.0.0.1:8080", "127.0.0.1:50000", http.Header{"Origin": {"https://example.com"}}, false},
	} {
		r := newRig(t, Config[user]{})
		q := httptest.NewRequest(http.MethodGet, "/login?as=ann", nil)
		q.Host, q.RemoteAddr = c.host, c.remote
		if c.header != nil {
			q.Header = c.header
		}
		w := httptest.NewRecorder()
		r.mux.ServeHTTP(w, q)
		line := w.Header().Get("Set-Cookie")
		if plain := strings.HasPrefix(line, "session=") && !strings.Contains(line, "Secure"); plain != c.plain || !strings.Contains(line, "HttpOnly") {
			t.Errorf("%s: %s", c.why, line)
		}
	}
}

// A browser refuses each of these without Secure.
func TestNoPlainCookieNeedsSecure(t *testing.T) {
	for name, template := range map[string]http.Cookie{
		"session ":  {Name: "__Secure-session", SameSite: http.SameSiteNoneMode},
		"session":   {Partitioned: true},
		"session  ": {Name: "__HOST-session"},
		"other":     {Name: "__Http-other"},
	} {
		r := newRig(t, Config[user]{Cookie: template})
		q := httptest.NewRequest(http.MethodGet, "/login?as=ann", nil)
		q.Host, q.RemoteAddr = "localhost:8080", "127.0.0.1:50000"
		w := httptest.NewRecorder()
		r.mux.ServeHTTP(w, q)
		c := w.Result().Cookies()[0]
		if c.Name != strings.TrimSpace(name) || c.Secure || c.Partitioned || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%s: %s", template.Name, c)
		}
	}
}

func TestPlainCookiesAreLoggedOnce(t *testing.T) {
	var lines strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil)))
	defer slog.SetDefault(before)
	r := newRig(t, Config[user]{})
	for range 3 {
		q := httptest.NewRequest(http.MethodGet, "/login?as=ann", nil)
		q.Host, q.RemoteAddr = "localhost:8080", "127.0.0.1:50000"
		r.mux.ServeHTTP(httptest.NewRecorder(), q)
	}
	if text := lines.String(); strings.Count(text, "not Secure") != 1 {
		t.Errorf("logged: %s", text)
	}
}

// Without it, some browsers would send the cookie with requests of other sites.
func TestTheModeOfTheBrowserIsLax(t *testing.T) {
	r := newRig(t, Config[user]{Cookie: http.Cookie{SameSite: http.SameSiteDefaultMode}})
	_, _, header := r.browser().try("/login?as=ann")
	if line := header.Get("Set-Cookie"); !strings.Contains(line, "SameSite=Lax") {
		t.Error(line)
	}
}

func TestACookieThatBrowsersWouldRefuseIsAnError(t *testing.T) {
	for field, cfg := range map[string]Config[user]{
		"Cookie.Path":     {Cookie: http.Cookie{Path: "/shop"}},
		"Cookie.Domain":   {Cookie: http.Cookie{Domain: "example.com"}},
		"Cookie is":       {Cookie: http.Cookie{MaxAge: 5}},
		"Cookie is \"a":   {Cookie: http.Cookie{Name: "a b"}},
		"Cookie.Path ":    {Cookie: http.Cookie{Name: "__HOST-session", Path: "/shop"}}, // in any case of letters
		"Cookie.Domain ":  {Cookie: http.Cookie{Name: "__host-session", Domain: "example.com"}},
		"Cookie.Path  ":   {Cookie: http.Cookie{Name: "session", Path: "shop"}},
		"Cookie.Path   ":  {Cookie: http.Cookie{Name: "session", Path: "/" + strings.Repeat("a", 1024)}},
		"Cookie.Name":     {Cookie: http.Cookie{Name: strings.Repeat("a", 4096)}},
		"Cookie.Name ":    {Cookie: http.Cookie{Name: "__Host-"}},
		"Cookie.SameSite": {Cookie: http.Cookie{SameSite: http.SameSiteNoneMode + 1}},
		"Header":          {Header: "X Session"},
		"Header ":         {Header: "cookie"},
	} {
		users, err := session.New(memsession.New(), session.Config[user]{Name: "users"})
		if err != nil {
			t.Fatal(err)
		}
		logins, err := New(users, cfg)
		detail, ok := errors.AsType[*ConfigError](err)
		if logins != nil || !ok || detail.Why == "" || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := New[user](nil, Config[user]{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no manager: %v", err)
	}
}

func FuzzACookieIsNeverAnError(f *testing.F) {
	for _, line := range []string{"", "__Host-session=x", "__Host-session=", "a=b; __Host-session=\"AAAA\"", "__Host-session=" + strings.Repeat("A", 43)} {
		f.Add(line, "example.com")
	}
	users, err := session.New(memsession.New(), session.Config[user]{Name: "users"})
	if err != nil {
		f.Fatal(err)
	}
	logins, err := New(users, Config[user]{OnError: func(_ *http.Request, err error) { panic(fmt.Sprint("a cookie caused ", err)) }})
	if err != nil {
		f.Fatal(err)
	}
	h := logins.Handler(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if _, err := logins.From(q.Context()).Subject(q.Context()); !errors.Is(err, ErrNoLogin) {
			panic(err)
		}
	}))
	f.Fuzz(func(t *testing.T, line, host string) {
		q := httptest.NewRequest(http.MethodGet, "/", nil)
		q.Header.Set("Cookie", line)
		q.Host = host
		h.ServeHTTP(httptest.NewRecorder(), q)
	})
}

func TestATokenInAHeaderIsALogin(t *testing.T) {
	for _, name := range []string{"Authorization", "X-Session"} {
		r := newRig(t, Config[user]{Header: name})
		r.handle("/token", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
			if err := v.Login(t.Context(), "ann"); err != nil {
				return err
			}
			token, err := v.Token(t.Context())
			io.WriteString(w, token)
			return err
		})
		token := r.browser().get("/token")
		scheme := ""
		if name == "Authorization" {
			scheme = "Bearer "
		}
		for value, want := range map[string]string{scheme + token: "ann", scheme + "x": "nobody", "Basic " + token: "nobody", "": "nobody"} {
			q := httptest.NewRequest(http.MethodGet, "/who", nil)
			q.Header.Set(name, value)
			w := httptest.NewRecorder()
			r.mux.ServeHTTP(w, q)
			if w.Body.String() != want || w.Header().Get("Set-Cookie") != "" || !strings.Contains(w.Header().Get("Vary"), name) {
				t.Errorf("%s %.10q: %s, %v", name, value, w.Body, w.Header())
			}
		}
	}
}
