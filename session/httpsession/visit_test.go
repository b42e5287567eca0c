// SPDX-License-Identifier: MIT

package httpsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

const day = 24 * time.Hour

func TestALoginKeepsTheVisitorsDataUnderANewID(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/add?item=soap")
	planted := b.cookies()["__Host-session-visitor"]
	b.get("/login?as=ann")
	b.want("/who", "ann")
	b.want("/read", "soap")
	if c := b.cookies(); len(c) != 1 || c["__Host-session"] == planted {
		t.Errorf("cookies: %v", c)
	}
	thief := r.browser()
	for _, name := range []string{"__Host-session", "__Host-session-visitor"} {
		thief.setCookie(name, planted)
	}
	thief.want("/who", "nobody")
}

func TestALoginOfAnotherSubjectEndsTheFirstWithItsData(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/login?as=ann")
	b.get("/add?item=soap")
	b.get("/login?as=ben")
	b.want("/who", "ben")
	b.want("/read", "")
	if n := r.count(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestANewIDKeepsTheLogin(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	if status, text, _ := b.try("/rotate"); status != 500 || !strings.Contains(text, "no login") {
		t.Errorf("without a login: %d %s", status, text)
	}
	b.get("/login?as=ann")
	b.get("/add?item=soap")
	before := b.cookies()["__Host-session"]
	b.get("/rotate")
	b.want("/who", "ann")
	b.want("/read", "soap")
	if b.cookies()["__Host-session"] == before {
		t.Error("the id is the same")
	}
}

func TestALogoutEndsTheSessionAndRemovesTheCookies(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/logout") // of no one
	b.get("/login?as=ann")
	stolen := b.cookies()["__Host-session"]
	b.get("/logout")
	if c := b.cookies(); len(c) != 0 {
		t.Errorf("cookies: %v", c)
	}
	b.setCookie("__Host-session", stolen)
	b.want("/who", "nobody")
}

func TestALogoutThatFailsCanBeRepeated(t *testing.T) {
	r := newRig(t, Config[user]{})
	b := r.browser()
	b.get("/login?as=ann")
	r.store.down.Store(true)
	if status, _, _ := b.try("/logout"); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	r.store.down.Store(false)
	b.want("/who", "ann")
	b.get("/logout")
	b.want("/who", "nobody")
}

func TestALogoutElsewhereEndsTheOtherDevices(t *testing.T) {
	r := newRig(t, Config[user]{})
	one, two, ben := r.browser(), r.browser(), r.browser()
	one.get("/login?as=ann")
	two.get("/login?as=ann")
	ben.get("/login?as=ben")
	two.want("/elsewhere", "1")
	one.want("/who", "nobody")
	two.want("/who", "ann")
	ben.want("/who", "ben")
}

func TestDevicesAreListedAndEnded(t *testing.T) {
	r := newRig(t, Config[user]{RemoteAddr: func(*http.Request) string { return "[2001:db8:1:2::3]:4444" }})
	var seen []Device
	r.handle("/devices", func(_ http.ResponseWriter, v *Visit[user], _ url.Values) (err error) {
		seen, err = v.Devices(t.Context())
		return err
	})
	r.handle("/end", func(_ http.ResponseWriter, v *Visit[user], q url.Values) error {
		return v.EndDevice(t.Context(), q.Get("key"))
	})
	one, two, ben := r.browser(), r.browser(), r.browser()
	one.get("/login?as=ann")
	two.get("/login?as=ann")
	ben.get("/login?as=ben")
	two.get("/devices")
	if len(seen) != 2 {
		t.Fatalf("%+v", seen)
	}
	other := seen[0]
	for _, d := range seen {
		if d.UserAgent != "Go-http-client/1.1" || d.Network != "2001:db8:1::/48" || d.Key == "" || time.Since(d.LastSeen) > time.Minute {
			t.Errorf("%+v", d)
		}
		if !d.Current {
			other = d
		}
	}
	if seen[0].Current == seen[1].Current {
		t.Errorf("the current one: %+v", seen)
	}
	ben.get("/end?key=" + other.Key) // not his
	one.want("/who", "ann")
	two.get("/end?key=" + other.Key)
	two.get("/end?key=gone")
	one.want("/who", "nobody")
	two.get("/devices")
	two.get("/end?key=" + seen[0].Key)
	if c := two.cookies(); len(c) != 0 {
		t.Errorf("its own login has ended, and its cookies are %v", c)
	}
}

// Such sessions have no name, so that none is ended for another.
func TestALoginThatThePackageDidNotMakeIsListedAndNotEnded(t *testing.T) {
	r := newRig(t, Config[user]{})
	var token string
	for range 3 {
		s, err := r.users.Create(t.Context(), user{}, session.ForSubject("ann"))
		if err != nil {
			t.Fatal(err)
		}
		token = s.ID.Token()
	}
	r.handle("/devices", func(w http.ResponseWriter, v *Visit[user], _ url.Values) error {
		devices, err := v.Devices(t.Context())
		others := slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.Current })
		fmt.Fprint(w, len(devices), " ", len(devices)-len(others))
		return errors.Join(err, v.EndDevice(t.Context(), "")) // ends none
	})
	b := r.browser()
	b.setCookie("__Host-session", token)
	b.want("/devices", "3 1")
	b.want("/devices", "3 1")
}

func TestRequiredRefusesWithoutALoginAndWithoutAStore(t *testing.T) {
	var failures []error
	r := newRig(t, Config[user]{OnError: func(_ *http.Request, err error) { failures = append(failures, err) }})
	b := r.browser()
	if status, _, _ := b.try("/account"); status != http.StatusUnauthorized {
		t.Errorf("a stranger: status %d", status)
	}
	b.get("/add?item=soap")
	if status, _, _ := b.try("/account"); status != http.StatusUnauthorized {
		t.Errorf("a visitor: status %d", status)
	}
	b.get("/login?as=ann")
	status, body, header := b.try("/account")
	if status != http.StatusOK || body != "yours" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("a login: %d %s %v", status, body, header)
	}
	r.store.down.Store(true)
	status, _, header = b.try("/account")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || len(header["Set-Cookie"]) != 0 {
		t.Errorf("no store: %d %v", status, header)
	}
	if len(failures) != 1 || !errors.Is(failures[0], session.ErrUnavailable) {
		t.Errorf("OnError got %v", failures)
	}
	r.store.down.Store(false)
	b.want("/who", "ann")
}

// A rollout has raised the version of the type, and this is an older instance.
func TestALoginThatThisInstanceCannotDecodeIsNoneHereAndKeepsItsCookie(t *testing.T) {
	var failures []error
	r := newRig(t, Config[user]{OnError: func(_ *http.Request, err error) { failures = append(failures, err) }})
	b := r.browser()
	b.get("/login?as=ann")
	later, err := session.New(r.store, session.Config[user]{Name: "users", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for s, err := range later.BySubject(t.Context(), "ann") {
		if err != nil || later.Save(t.Context(), s) != nil {
			t.Fatal(err)
		}
	}
	before := b.cookies()["__Host-session"]
	b.want("/who", "nobody")
	b.get("/add?item=soap") // as a visitor
	if after := b.cookies()["__Host-session"]; after != before {
		t.Errorf("the cookie was %q and is %q", before, after)
	}
	if corrupt, ok := errors.AsType[*session.CorruptError](errors.Join(failures...)); !ok || corrupt == nil {
		t.Errorf("OnError got %v", failures)
	}
	logins := func() (n int) {
		for range later.BySubject(t.Context(), "ann") {
			n++
		}
		return n
	}
	if n := logins(); n != 1 {
		t.Errorf("%d logins are left", n)
	}
	b.get("/logout")
	if n, c := logins(), b.cookies(); n != 0 || len(c) != 0 {
		t.Errorf("after the logout there are %d logins and the cookies %v", n, c)
	}
}

func TestAnotherAnswerMayReplaceTheRefusal(t *testing.T) {
	r := newRig(t, Config[user]{Unauthorized: http.RedirectHandler("/nothing", http.StatusSeeOther)})
	if status, _, _ := r.browser().try("/account"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestAResponseThatUsedASessionIsNotShared(t *testing.T) {
	r := newRig(t, Config[user]{})
	_, _, header := r.browser().try("/read")
	if header.Get("Vary") != "Cookie" || header.Get("Cache-Control") != "private" {
		t.Errorf("used: %v", header)
	}
	_, _, header = r.browser().try("/nothing")
	if header.Get("Vary") != "" || header.Get("Cache-Control") != "" {
		t.Errorf("not used: %v", header)
	}
}

func TestTheNewDataIsSeenInTheSameRequest(t *testing.T) {
	r := newRig(t, Config[user]{})
	r.handle("/both", func(w http.ResponseWriter, v *Visit[user], q url.Values) error {
		for _, item := range []string{"soap", "towel"} {
			if err := v.Update(t.Context(), func(u *user) error { u.Cart = append(u.Cart, item); return nil }); err != nil {
				return err
			}
		}
		if err := v.Update(t.Context(), func(u *user) error { u.Cart = nil; return errors.New("mine") }); err == nil || err.Error() != "mine" {
			t.Errorf("%v, want the function's error", err)
		}
		data, err := v.Data(t.Context())
		io.WriteString(w, strings.Join(data.Cart, ","))
		return err
	})
	b := r.browser()
	b.want("/both", "soap,towel")
	b.want("/read", "soap,towel")
}

func TestUnsafeRequestsFromOtherSitesAreRefused(t *testing.T) {
	r := newRig(t, Config[user]{})
	for site, want := range map[string]int{"cross-site": 403, "same-origin": 200, "": 200} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/login?as=ann", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Sec-Fetch-Site", site)
		answer, err := r.server.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%q: status %d, want %d", site, answer.StatusCode, want)
		}
	}
}

func TestARequestThatDidNotComeThroughTheHandlerIsAnError(t *testing.T) {
	r := newRig(t, Config[user]{})
	v, ctx := r.logins.From(t.Context()), t.Context()
	_, data := v.Data(ctx)
	_, subject := v.Subject(ctx)
	_, devices := v.Devices(ctx)
	_, view := v.View(ctx)
	for what, err := range map[string]error{
		"Data": data, "Subject": subject, "Devices": devices, "View": view, "Login": v.Login(ctx, "ann"), "Logout": v.Logout(ctx),
		"Update": v.Update(ctx, func(*user) error { return nil }), "Rotate": v.Rotate(ctx), "Flash": v.Flash(ctx, "x"),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}

func TestFlashesAndDevicesNeedTheStateInTheData(t *testing.T) {
	users, err := session.New(memsession.New(), session.Config[string]{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	logins, err := New(users, Config[string]{})
	if err != nil {
		t.Fatal(err)
	}
	logins.Handler(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		v, ctx := logins.From(q.Context()), q.Context()
		if err := v.Update(ctx, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("Update with a nil function and no session: %v, want ErrInvalid", err)
		}
		if err := v.Login(ctx, ""); !errors.Is(err, ErrInvalid) {
			t.Errorf("Login of no one: %v, want ErrInvalid", err)
		}
		if err := v.Login(ctx, "ann"); err != nil {
			t.Error(err)
		}
		if err := v.Update(ctx, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("Update with a nil function: %v, want ErrInvalid", err)
		}
		if view, err := v.View(ctx); err != nil || view.Subject != "ann" {
			t.Errorf("View: %+v, %v", view, err)
		}
		_, devices := v.Devices(ctx)
		for _, err := range []error{v.Flash(ctx, "x"), devices, v.EndDevice(ctx, "x")} {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "embedded in string") {
				t.Error(err)
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestALoggedVisitHasNoSecret(t *testing.T) {
	r := newRig(t, Config[user]{})
	var lines strings.Builder
	log := slog.New(slog.NewTextHandler(&lines, nil))
	var token string
	r.handle("/log", func(_ http.ResponseWriter, v *Visit[user], _ url.Values) error {
		log.Info("before", "visit", v)
		if err := v.Login(t.Context(), "ann"); err != nil {
			return err
		}
		token, _ = v.Token(t.Context())
		log.Info("after", "visit", v)
		return nil
	})
	r.browser().get("/log")
	if text := lines.String(); strings.Contains(text, token) || strings.Contains(text, "ann") || !strings.Contains(text, "visit.login=true") {
		t.Error(text)
	}
}

func TestAVisitorWithoutASessionCostsAlmostNothing(t *testing.T) {
	r := newRig(t, Config[user]{})
	h := r.logins.Handler(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if _, err := r.logins.From(q.Context()).Subject(q.Context()); !errors.Is(err, ErrNoLogin) {
			t.Error(err)
		}
	}))
	q := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.Background())
	w := &discard{http.Header{}}
	allocs := testing.AllocsPerRun(100, func() {
		clear(w.header)
		h.ServeHTTP(w, q)
	})
	if calls := r.store.calls.Load(); allocs > 4 || calls != 0 {
		t.Errorf("%v allocations, %d calls of the store", allocs, calls)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
