// SPDX-License-Identifier: MIT

package httpsession

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// A first request that stores something is slow; meanwhile the visitor logs in.
func TestALateResponseDoesNotReplaceALogin(t *testing.T) {
	r := newRig(t, Config[user]{})
	began, goOn := make(chan struct{}), make(chan struct{})
	r.handle("/slow", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		close(began)
		<-goOn
		return v.Update(t.Context(), func(u *user) error { u.Cart = []string{"late"}; return nil })
	})
	b := r.browser()
	var wg sync.WaitGroup
	wg.Go(func() { b.get("/slow") })
	<-began
	b.get("/login?as=ann")
	close(goOn)
	wg.Wait()
	b.want("/who", "ann")
	b.get("/logout")
	b.want("/who", "nobody")
	b.want("/read", "")
}

// The request began before the logout; its response comes after.
func TestALateResponseDoesNotBringALoginBack(t *testing.T) {
	r := newRig(t, Config[user]{})
	began, goOn := make(chan struct{}), make(chan struct{})
	r.handle("/slow", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		if _, err := v.Data(t.Context()); err != nil {
			return err
		}
		close(began)
		<-goOn
		if err := v.Update(t.Context(), func(u *user) error { u.Cart = []string{"late"}; return nil }); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		return nil
	})
	b := r.browser()
	b.get("/login?as=ann")
	var wg sync.WaitGroup
	wg.Go(func() { b.get("/slow") })
	<-began
	b.get("/logout")
	close(goOn)
	wg.Wait()
	b.want("/who", "nobody")
	if n := r.count(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestSixFirstRequestsThatStoreNothingMakeNoSession(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { b.get("/read") })
	}
	wg.Wait()
	if n, calls := r.count(), r.store.calls.Load(); n != 0 || calls != 0 || len(b.cookies()) != 0 {
		t.Errorf("%d sessions, %d calls of the store, cookies %v", n, calls, b.cookies())
	}
}

// Another request changes the session while the login is on its way.
func TestALoginGoesThroughAConflict(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/add?item=soap")
	r.handle("/contested", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		if _, err := v.Data(t.Context()); err != nil {
			return err
		}
		b.get("/add?item=towel") // v has read the session before this
		return v.Login(t.Context(), "ann")
	})
	b.get("/contested")
	b.want("/who", "ann")
	b.want("/read", "soap,towel")
}

func TestRememberedLoginsAndOthersShareAManager(t *testing.T) {
	r := newRig(t, Config[user]{})
	r.handle("/remember", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		return v.Login(t.Context(), "ann", Remember(30*day))
	})
	b := r.browser()
	for _, path := range []string{"/remember", "/rotate"} { // a new id lasts as long
		_, _, header := b.try(path)
		if c := header.Get("Set-Cookie"); !strings.Contains(c, "Max-Age=2592000;") && !strings.Contains(c, "Max-Age=2591999;") {
			t.Errorf("%s: %s", path, c)
		}
	}
	lasts := func(want time.Duration) {
		t.Helper()
		for s, err := range r.users.BySubject(t.Context(), "ann") {
			if err != nil || s.ExpiresAt.Sub(s.CreatedAt) != want {
				t.Errorf("the session ends %v after the login, %v, want %v", s.ExpiresAt.Sub(s.CreatedAt), err, want)
			}
		}
	}
	lasts(30 * day)
	for _, b := range []*browser{r.browser(), b} { // also one that was remembered before
		_, _, header := b.try("/login?as=ann")
		if c := header.Get("Set-Cookie"); strings.Contains(c, "Max-Age") || strings.Contains(c, "Expires") {
			t.Errorf("not remembered: %s", c)
		}
	}
	lasts(30 * time.Minute)
}

func TestANewIDAtARememberedLoginLastsAsLong(t *testing.T) {
	r := newRig(t, Config[user]{})
	r.handle("/both", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		return errors.Join(v.Login(t.Context(), "ann", Remember(30*day)), v.Rotate(t.Context()))
	})
	_, _, header := r.browser().try("/both")
	if c := header.Get("Set-Cookie"); !strings.Contains(c, "Max-Age=259") {
		t.Error(c)
	}
}

// guest is someone on the site in virtual time, who may stay there for some hours.
func (r *rig) guest() (visit func(path string) string, stay func(hours int)) {
	d := &device{cookies: make(map[string]string)}
	visit = func(path string) string {
		text := d.ask(r.mux, new(crossing), path).response.Body.String()
		d.deliver(0, false)
		return text
	}
	return visit, func(hours int) {
		for range 3 * hours {
			time.Sleep(20 * time.Minute)
			visit("/read")
		}
	}
}

func TestADeviceIsSeenFromItsLoginToItsLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config[user]{})
		r.server.Close() // requests go to the handler
		var seen []Device
		r.handle("/devices", func(_ http.ResponseWriter, v *Visit[user], _ url.Values) (err error) {
			seen, err = v.Devices(t.Context())
			return err
		})
		visit, stay := r.guest()
		visit("/add?item=soap")
		stay(1)
		login := time.Now()
		visit("/login?as=ann")
		stay(2)
		visit("/rotate")
		stay(2)
		if visit("/devices"); len(seen) != 1 || !seen[0].FirstSeen.Equal(login) || !seen[0].LastSeen.Equal(time.Now()) {
			t.Errorf("%+v at %v, want one since %v", seen, time.Now(), login)
		}
	})
}

// A visitor's session is almost a day old when the visitor logs in.
func TestTheAbsoluteAgeOfALoginBeginsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config[user]{})
		r.server.Close() // requests go to the handler
		visit, stay := r.guest()
		visit("/add?item=soap")
		stay(23)
		visit("/login?as=ann")
		stay(23)
		if who, cart := visit("/who"), visit("/read"); who != "ann" || cart != "soap" {
			t.Errorf("a day after the first visit: %s, %s", who, cart)
		}
		stay(1)
		if who := visit("/who"); who != "nobody" {
			t.Errorf("a day after the login: %s", who)
		}
	})
}

func TestAMalformedForeignOrForgedCookieIsNoSession(t *testing.T) {
	r := newRig(t, Config[user]{OnError: func(_ *http.Request, err error) { t.Error(err) }})
	other, err := session.New(r.store.Store, session.Config[user]{Name: "others"})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Create(t.Context(), user{}, session.ForSubject("eve"))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 4000), foreign.ID.Token(), "%00", foreign.ID.Token() + "A"} {
		b := r.browser()
		b.setCookie("__Host-session", value)
		b.want("/who", "nobody")
		if status, _, _ := b.try("/account"); status != http.StatusUnauthorized {
			t.Errorf("%.20q: status %d", value, status)
		}
		b.get("/login?as=ann")
		b.want("/who", "ann")
	}
}

func TestCookiesAreHiddenFromScriptsAndOtherSites(t *testing.T) {
	r := newRig(t, Config[user]{})
	for path, name := range map[string]string{"/add?item=soap": "__Host-session-visitor", "/login?as=ann": "__Host-session"} {
		_, _, header := r.browser().try(path)
		line, err := http.ParseSetCookie(header.Get("Set-Cookie"))
		if err != nil || len(header.Values("Set-Cookie")) != 1 {
			t.Fatal(header, err)
		}
		if line.Name != name || !line.Secure || !line.HttpOnly || line.SameSite != http.SameSiteLaxMode || line.Path != "/" || line.Domain != "" {
			t.Errorf("%s: %s", path, line)
		}
	}
}

func TestWhatNeedsACookieFailsWhenTheResponseHasBegun(t *testing.T) {
	begin := map[string]func(w http.ResponseWriter) error{
		"written":  func(w http.ResponseWriter) error { _, err := io.WriteString(w, "begun"); return err },
		"status":   func(w http.ResponseWriter) error { w.WriteHeader(http.StatusAccepted); return nil },
		"flushed":  func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"flusher":  func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"copied":   func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("begun")); return err },
		"hijacked": func(w http.ResponseWriter) error { return hijack(t, w) },
	}
	for how, begin := range begin {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, Config[user]{})
			r.handle("/late", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
				if err := begin(w); err != nil {
					t.Error(err)
				}
				for what, err := range map[string]error{
					"Login":  v.Login(t.Context(), "ann"),
					"Update": v.Update(t.Context(), func(*user) error { return nil }),
				} {
					if !errors.Is(err, ErrSent) {
						t.Errorf("%s: %v, want ErrSent", what, err)
					}
				}
				return nil
			})
			r.browser().try("/late")
			if n := r.count(); n != 0 {
				t.Errorf("%d sessions without a cookie", n)
			}
		})
	}
}

// hijack answers a request on its bare connection.
func hijack(t *testing.T, w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	return err
}

// Streams and informational responses work as without sessions.
func TestAChangeOfASessionThatExistsIsStoredInAStreamToo(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/add?item=soap")
	r.handle("/stream", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "first,")
		c := http.NewResponseController(w)
		if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Minute)), c.Flush()); err != nil {
			return err
		}
		if err := v.Update(t.Context(), func(u *user) error { u.Cart = append(u.Cart, "towel"); return nil }); err != nil {
			return err
		}
		io.WriteString(w, "second")
		return nil
	})
	b.want("/stream", "first,second")
	b.want("/read", "soap,towel")
}

func TestInAStreamALogoutEndsTheSessionAndANewIDIsAnError(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/login?as=ann")
	r.handle("/stream", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		io.WriteString(w, "first")
		if err := v.Rotate(t.Context()); !errors.Is(err, ErrSent) {
			t.Errorf("Rotate: %v, want ErrSent", err)
		}
		return v.Logout(t.Context())
	})
	b.want("/stream", "first")
	b.want("/who", "nobody")
	if n := r.count(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestAFlashIsShownOnceWhicheverRequestComesFirst(t *testing.T) {
	r := newRig(t, Config[user]{})
	r.handle("/flash", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error { return v.Flash(t.Context(), "Saved.") })
	r.handle("/page", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		view, err := v.View(t.Context())
		io.WriteString(w, strings.Join(view.Flashes, ","))
		return err
	})
	b := r.browser()
	b.want("/page", "")
	b.get("/flash")
	var mu sync.Mutex
	var shown []string
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			text := b.get("/page")
			mu.Lock()
			defer mu.Unlock()
			if text != "" {
				shown = append(shown, text)
			}
		})
	}
	wg.Wait()
	if len(shown) != 1 || shown[0] != "Saved." {
		t.Errorf("shown: %q", shown)
	}
	calls := r.store.calls.Load()
	b.want("/page", "")
	if n := r.store.calls.Load() - calls; n != 1 {
		t.Errorf("a page without a flash makes %d calls", n)
	}
}

// A page is asked for before a login, and handled after it.
func TestAPageUnderWayAtALoginLeavesItsFlash(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	page := func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		view, err := v.View(t.Context())
		io.WriteString(w, strings.Join(append(view.Flashes, view.Data.Cart...), ","))
		return err
	}
	r.handle("/flash", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error { return v.Flash(t.Context(), "Saved.") })
	r.handle("/page", page)
	r.handle("/late", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		b.get("/login?as=ann")
		return page(w, v, q)
	})
	b.get("/add?item=soap")
	b.get("/flash")
	b.want("/late", "soap")
	b.want("/page", "Saved.,soap")
}
