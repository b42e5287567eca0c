// SPDX-License-Identifier: MIT

package httpfaults

import (
	"context"
	"net/http"
	"testing"
)

// scene is a site.
type scene struct {
	*testing.T
	site   http.Handler
	failed []string // the answers with an error
}

func (s *scene) browser() *browser { return &browser{s, map[string]string{}} }

// stop is where a request waits.
type stop struct{ began, goOn chan struct{} }

type stopKey struct{}

func (s *stop) in(ctx context.Context) context.Context { return context.WithValue(ctx, stopKey{}, s) }

func pause(r *http.Request) {
	s := r.Context().Value(stopKey{}).(*stop)
	close(s.began)
	<-s.goOn
}

// A fault happens in a scene. It returns what goes wrong, or "" when the site
// stands it.
type fault struct {
	name   string
	happen func(*scene) string
}

var faults = []fault{
	// expressjs/session issue 632, tj/connect-redis issue 328, boj/redistore issue 2
	{"a logout while another request runs", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		slow, copied := b.start("/add"), b.copy()
		b.get("/logout")
		slow()
		if b.get("/who") == "ann" || copied.get("/who") == "ann" {
			return "logs in again"
		}
		return ""
	}},
	{"two requests change the session at once", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		one, two := b.start("/add"), b.start("/add")
		one()
		two()
		if b.get("/count") != "2" {
			return "loses one"
		}
		return ""
	}},
	// valery-barysok/session-file-store pull request 55, expressjs/session issue 383
	{"a page that only reads, beside a change", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		read, change := b.start("/who"), b.start("/add")
		change()
		read()
		if b.get("/count") != "1" {
			return "the read undoes the change"
		}
		return ""
	}},
	// auth0/nextjs-auth0 pull request 2530
	{"a first response that comes after the login's", func(s *scene) string {
		b := s.browser()
		first := b.start("/add")
		b.get("/login")
		first()
		if b.get("/who") != "ann" {
			return "logs out"
		}
		return ""
	}},
	{"a planted cookie, and then a login", func(s *scene) string {
		attacker := s.browser()
		attacker.get("/add")
		victim := attacker.copy()
		victim.get("/login")
		if attacker.get("/who") == "ann" {
			return "the attacker is logged in"
		}
		return ""
	}},
	// expressjs/session issue 923
	{"a request with the old id, just after it has changed", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		beside := b.copy()
		switch b.get("/rotate"); {
		case b.get("/who") != "ann":
			return "logs out"
		case b.cookies["session"] != "" && b.cookies["session"] == beside.cookies["session"]:
			return "there is no method for it"
		case beside.get("/who") != "ann":
			return "is logged out"
		}
		return ""
	}},
	{"a copy of the cookie, after the logout", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		copied := b.copy()
		b.get("/logout")
		if copied.get("/who") == "ann" {
			return "is logged in"
		}
		return ""
	}},
	{"a change behind the first byte", func(s *scene) string {
		b := s.browser()
		b.get("/login")
		b.get("/late")
		if b.get("/count") != "1" && len(s.failed) == 0 {
			return "is lost, without an error"
		}
		return ""
	}},
}
