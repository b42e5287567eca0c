// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/holdfast-go/holdfast/internal/test/testproc"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/memsession"
)

// Two browsers of one user, over plain HTTP on loopback, as a developer tries
// it.
func TestALoginInTwoBrowsers(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	program := filepath.Join(t.TempDir(), "login")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/login").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	addr := testproc.Addr(testproc.FreePort(t))
	testproc.Start(t, exec.Command(program, "-addr", addr))
	testproc.Listening(t, addr)
	site := "http://" + addr

	laptop := openTab(t, browser, site, desktop)
	other, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(other); err != nil {
		t.Fatalf("another browser: %v", err)
	}
	phone := openTab(t, other, site, phone)
	enter := func(p *tab, button string) {
		t.Helper()
		p.do(chromedp.SendKeys(chromedp.CSS("[name=name]"), "ann"), chromedp.SendKeys(chromedp.CSS("[name=password]"), "correct horse"))
		p.press(button)
		p.reads("who", "You are ann.")
	}
	enter(laptop, "#register")
	if eval[string](laptop, "document.cookie") != "" {
		t.Error("a script can read the cookie")
	}
	if cookie := sessionCookie(laptop); !cookie.Session || !cookie.HTTPOnly {
		t.Errorf("a login that is not remembered has the cookie %+v", cookie)
	}
	phone.press("[name=remember]")
	enter(phone, "#login")
	if days := time.Until(time.Unix(int64(sessionCookie(phone).Expires), 0)).Hours() / 24; days < 29 || days > 31 {
		t.Errorf("a remembered login's cookie ends in %.0f days, want 30", days)
	}
	before := sessionCookie(phone).Value
	phone.press("[action='/promote'] button")
	phone.reads("who", "You are ann, an administrator.")
	if after := sessionCookie(phone); after.Value == before || after.Session {
		t.Errorf("other rights: the cookie was %q and is %+v", before, after)
	}
	laptop.do(chromedp.Navigate(site))
	laptop.until("document.querySelectorAll('#devices li').length == 2")

	laptop.press("#elsewhere")
	laptop.until("document.querySelectorAll('#devices li').length == 1")
	phone.do(chromedp.Navigate(site))
	phone.reads("who", "You are not logged in.")

	laptop.press("#logout")
	laptop.reads("who", "You are not logged in.")
	eval[bool](laptop, "(window.here = true, history.go(-2), true)")
	laptop.until("!window.here")
	laptop.reads("who", "You are not logged in.")
}

// The browser keeps pages: it does show one that is not behind Required.
func TestTheBackButtonShowsNothingPrivateAfterALogout(t *testing.T) {
	t.Parallel()
	users, err := session.New(memsession.New(), session.Config[string]{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	logins, err := httpsession.New(users, httpsession.Config[string]{})
	if err != nil {
		t.Fatal(err)
	}
	page := func(w http.ResponseWriter, text string, err error) {
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "<!doctype html><link rel=icon href=data:,><p id=text>%s", text)
	}
	account := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, err := logins.From(r.Context()).Subject(r.Context())
		page(w, "the account of "+subject, err)
	})
	mux := http.NewServeMux()
	mux.Handle("/account", logins.Required(account))
	mux.Handle("/unguarded", account)
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		page(w, "welcome", logins.From(r.Context()).Login(r.Context(), "ann"))
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		page(w, "bye", logins.From(r.Context()).Logout(r.Context()))
	})
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // of the refusal
	server := httptest.NewServer(logins.Handler(mux))
	defer server.Close()

	p := openTab(t, startBrowser(t), server.URL+"/login", desktop)
	p.forgive("401 (Unauthorized)")
	for path, shown := range map[string]string{"/unguarded": "the account of ann", "/account": "Log in first."} {
		p.do(chromedp.Navigate(server.URL + "/login"))
		p.do(chromedp.Navigate(server.URL + path))
		p.reads("text", "the account of ann")
		p.do(chromedp.Navigate(server.URL + "/logout"))
		p.reads("text", "bye")
		eval[bool](p, "(setTimeout(() => history.back()), true)") // after the answer, which would be lost with the page
		p.until(fmt.Sprintf("location.pathname == %q && document.body.innerText.includes(%q)", path, shown))
	}
}

// sessionCookie returns the browser's cookie of the login.
func sessionCookie(p *tab) *network.Cookie {
	p.t.Helper()
	cookies := run(p, func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		got, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		return got.Cookies, err
	})
	for _, c := range cookies {
		if c.Name == "session" {
			return c
		}
	}
	p.t.Fatalf("no cookie of a login in %v", cookies)
	return nil
}
