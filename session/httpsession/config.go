// SPDX-License-Identifier: MIT

package httpsession

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/internal/configerr"
	"github.com/holdfast-go/holdfast/session"
)

// Config says how [Logins] meets browsers. The zero value is the default, and
// right for a site on HTTPS.
type Config[T any] struct {
	// Cookie is the template of the cookies: Name, Path, Domain, SameSite and
	// Partitioned count, and nothing else may be set. Default: "__Host-session"
	// for "/", SameSite=Lax. Every cookie is HttpOnly and Secure. Visitors who are
	// not logged in have a cookie of their own, Name with "-visitor" behind it, so
	// that a late response to one never replaces a login.
	Cookie http.Cookie

	// Header is the name of a request header that may have the token instead of
	// a cookie, for apps and other programs: "Authorization" (with the scheme
	// Bearer) or a name of your own. Responses to such requests set no cookie;
	// [Visit.Token] returns the token of a new login. Default: none.
	Header string

	// Protection refuses unsafe requests (POST and the like) that a browser
	// sends from another site. Default: an [http.CrossOriginProtection] without
	// trusted origins.
	Protection *http.CrossOriginProtection

	// Unauthorized answers a request that [Logins.Required] refuses because it
	// has no login. Default: status 401. A site sends browsers to its login page.
	Unauthorized http.Handler

	// OnError is called with what no caller gets: a session that cannot be
	// read, whose request goes on without one, and what makes Required answer 503.
	// Default: a line to [slog.Default].
	OnError func(r *http.Request, err error)

	// RemoteAddr returns the client's address, with or without a port, for
	// [Device]. Default: Request.RemoteAddr, which behind a proxy is the proxy's.
	RemoteAddr func(r *http.Request) string
}

// ErrInvalid: the configuration makes no sense, or a method was called where it
// cannot work; nothing was changed.
var ErrInvalid = errors.New("httpsession: invalid")

// ErrSent: the response has begun, so that its cookies cannot change any more;
// nothing was changed.
var ErrSent = errors.New("httpsession: the response has begun")

// ErrNoLogin: the request has no login.
var ErrNoLogin = errors.New("httpsession: no login")

// ConfigError is one contradiction in a [Config]. [New] joins all it finds. It
// matches [ErrInvalid].
type ConfigError struct {
	Field string
	Value any
	Why   string // what is wanted instead
}

// Error names the field, its value and what is wanted instead.
func (e *ConfigError) Error() string {
	return configerr.Text("httpsession", "Config."+e.Field, e.Value, e.Why)
}

// Unwrap returns [ErrInvalid].
func (*ConfigError) Unwrap() error { return ErrInvalid }

// Logins serves the sessions of one manager to browsers. Make it with [New]. It
// is safe for concurrent use.
type Logins[T any] struct {
	sessions *session.Manager[T]
	cfg      Config[T]
	login    cookie // of those who are logged in
	visitor  cookie // of those who are not
	vary     []string
	plain    sync.Once
}

// New returns a Logins for the sessions of m, or every contradiction in cfg.
func New[T any](m *session.Manager[T], cfg Config[T]) (*Logins[T], error) {
	p := configerr.Collect(func(field string, value any, want string) error {
		return &ConfigError{Field: field, Value: value, Why: want}
	})
	if m == nil {
		p.Add(fmt.Errorf("%w: New needs a manager of sessions", ErrInvalid))
	}
	c := cfg.Cookie
	p.Want(c.Value == "" && c.Expires.IsZero() && c.MaxAge == 0 && !c.Secure && !c.HttpOnly && !c.Quoted && c.Raw == "" && c.Unparsed == nil,
		"Cookie", c.String(), "a template: only Name, Path, Domain, SameSite and Partitioned may be set")
	configerr.Default(&c.Name, defaultName)
	configerr.Default(&c.Path, "/")
	if c.SameSite == http.SameSiteDefaultMode { // of the browser, and not every one has Lax
		c.SameSite = 0
	}
	configerr.Default(&c.SameSite, http.SameSiteLaxMode)
	c.Secure, c.HttpOnly = true, true
	p.Want(c.Valid() == nil, "Cookie", c.Name, "a name, path and domain that a cookie can have")
	prefix, rest := cutPrefix(c.Name)
	p.Want(rest != "" && len(c.Name) <= maxName, "Cookie.Name", c.Name, fmt.Sprintf("one of at most %d bytes, with some after the prefix", maxName))
	p.Want(strings.HasPrefix(c.Path, "/") && len(c.Path) <= maxPath, "Cookie.Path", c.Path, fmt.Sprintf(`one that begins with "/", of at most %d bytes: browsers ignore others`, maxPath))
	p.Want(http.SameSiteDefaultMode < c.SameSite && c.SameSite <= http.SameSiteNoneMode, "Cookie.SameSite", c.SameSite, "a mode of net/http")
	host := strings.EqualFold(prefix, hostPrefix)
	p.Want(!host || c.Path == "/", "Cookie.Path", c.Path, `"/": browsers refuse a `+hostPrefix+" cookie with another one")
	p.Want(!host || c.Domain == "", "Cookie.Domain", c.Domain, "none: browsers refuse a "+hostPrefix+" cookie with one")
	p.Want(cfg.Header == "" || validName(cfg.Header), "Header", cfg.Header, "the name of a header")
	p.Want(!strings.EqualFold(cfg.Header, "Cookie"), "Header", cfg.Header, "another one than Cookie, which is read anyway")
	if err := p.Err(); err != nil {
		return nil, err
	}
	configerr.Default(&cfg.Protection, http.NewCrossOriginProtection())
	if cfg.Unauthorized == nil {
		cfg.Unauthorized = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Log in first.", http.StatusUnauthorized)
		})
	}
	if cfg.OnError == nil {
		cfg.OnError = func(r *http.Request, err error) {
			slog.Default().ErrorContext(r.Context(), "httpsession: a session could not be used", "error", err)
		}
	}
	if cfg.RemoteAddr == nil {
		cfg.RemoteAddr = func(r *http.Request) string { return r.RemoteAddr }
	}
	visitor := c
	visitor.Name += visitorSuffix
	vary := "Cookie"
	if cfg.Header != "" {
		vary += ", " + cfg.Header
	}
	return &Logins[T]{sessions: m, cfg: cfg, login: cookie{c}, visitor: cookie{visitor}, vary: []string{vary}}, nil
}

// validName reports whether a header can have the name.
func validName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}
