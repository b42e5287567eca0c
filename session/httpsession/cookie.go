// SPDX-License-Identifier: MIT

package httpsession

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

const (
	hostPrefix    = "__Host-"
	defaultName   = hostPrefix + "session"
	visitorSuffix = "-visitor"

	// Browsers refuse a cookie whose name and value have more than 4096 bytes, and
	// ignore an attribute of more than 1024.
	maxName, maxPath = 4000, 1024
)

// cutPrefix returns the prefix of a cookie's name that browsers want Secure for, in
// any case of letters, and the rest.
func cutPrefix(name string) (prefix, rest string) {
	for _, p := range []string{hostPrefix, "__Secure-", "__Http-"} {
		if n := len(p); len(name) >= n && strings.EqualFold(name[:n], p) {
			return name[:n], name[n:]
		}
	}
	return "", name
}

// cookie is the template of one of the two cookies.
type cookie struct{ template http.Cookie }

// on returns the cookie as it is on a connection: one that is plain has neither
// Secure nor what browsers want Secure for.
func (c cookie) on(plain bool) http.Cookie {
	t := c.template
	if plain {
		_, t.Name = cutPrefix(t.Name)
		t.Secure, t.Partitioned = false, false
		if t.SameSite == http.SameSiteNoneMode {
			t.SameSite = http.SameSiteLaxMode
		}
	}
	return t
}

// remembered stands behind the token in a cookie that outlives the browser, so
// that a new id gets such a cookie, too.
const remembered = ".r"

// read returns the first id that the request has under the cookie's name, and
// whether the cookie outlives the browser. What is malformed is none. A Secure
// cookie counts on a plain connection, too.
func (c cookie) read(r *http.Request, plain bool) (id session.ID, lasts, ok bool) {
	names := []string{c.on(plain).Name, c.template.Name}
	for _, name := range slices.Compact(names) {
		for _, got := range r.CookiesNamed(name) {
			token, lasts := strings.CutSuffix(got.Value, remembered)
			if id, err := session.ParseID(token); err == nil {
				return id, lasts, true
			}
		}
	}
	return session.ID{}, false, false
}

// set puts the cookie into the header, in place of an earlier one of this
// response. An age of 0 lasts as long as the browser.
func (c cookie) set(h http.Header, plain bool, token string, age time.Duration) {
	t := c.on(plain)
	t.Value = token
	if age > 0 {
		t.Value += remembered
		t.MaxAge = int(age / time.Second)
	}
	c.unset(h, plain)
	h.Add("Set-Cookie", t.String())
}

// remove has the browser remove the cookie, if it has it.
func (c cookie) remove(h http.Header, r *http.Request, plain bool) {
	c.unset(h, plain)
	if _, _, ok := c.read(r, plain); ok {
		t := c.on(plain)
		t.MaxAge = -1
		h.Add("Set-Cookie", t.String())
	}
}

// unset takes back what set put into the header.
func (c cookie) unset(h http.Header, plain bool) {
	name := c.on(plain).Name + "="
	if lines := slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name) }); len(lines) > 0 {
		h["Set-Cookie"] = lines
	} else {
		delete(h, "Set-Cookie")
	}
}

// isPlain reports whether a browser talks to this server without TLS and without
// a proxy in between, on one machine: a developer's. Not every browser would send
// a Secure cookie back then. A proxy on this machine that passes neither its
// client's Host nor its address is recognized by the address of the page.
func isPlain(r *http.Request) bool {
	if r.TLS != nil || !isLoopback(r.Host) || !isLoopback(r.RemoteAddr) {
		return false
	}
	for _, forwarded := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header[forwarded] != nil {
			return false
		}
	}
	for _, page := range []string{r.Header.Get("Origin"), r.Referer()} {
		if u, err := url.Parse(page); page != "" && page != "null" && (err != nil || u.Scheme != "http" || !isLoopback(u.Host)) {
			return false
		}
	}
	return true
}

// isLoopback reports whether a host, with or without a port, is this machine.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
