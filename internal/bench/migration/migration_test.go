// SPDX-License-Identifier: MIT

package migration

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session/httpsession"
)

func TestTheShopsOfPeersAndOfHoldfastDoTheSame(t *testing.T) {
	for name, make := range map[string]func(*redis.Client) (http.Handler, error){
		"scs":     func(c *redis.Client) (http.Handler, error) { _, shop := withSCS(c); return shop, nil },
		"gorilla": func(*redis.Client) (http.Handler, error) { return withGorilla([]byte("0123456789abcdef")), nil },
		"holdfast": func(c *redis.Client) (http.Handler, error) {
			h, users, err := withHoldfast(c, nil)
			t.Cleanup(func() { users.Stop(context.Background()) })
			return h, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
			t.Cleanup(func() { client.Close() })
			shop, err := make(client)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewTLSServer(shop)
			defer server.Close()
			browser := server.Client()
			browser.Jar, _ = cookiejar.New(nil)
			for _, step := range []struct{ path, key, value, says string }{
				{"/account", "", "", "401 Log in first."},
				{"/add", "item", "soap", "200"},
				{"/login", "name", "ann", "200"},
				{"/add", "item", "towel", "200"},
				{"/account", "", "", "200 ann: soap, towel"},
				{"/logout", "x", "", "200"},
				{"/account", "", "", "401 Log in first."},
			} {
				if got := visit(t, browser, server.URL+step.path, step.key, step.value); got != step.says {
					t.Errorf("%s: %s, want %s", step.path, got, step.says)
				}
			}
		})
	}
}

// A visitor who is logged in at the old shop is so at the new one, with what is in the
// cart, and the old cookie is gone.
func TestTheShopTakesOverTheSessionsOfThePeers(t *testing.T) {
	type takeOver = func(*httpsession.Logins[user], http.Handler) http.Handler
	for name, make := range map[string]func(*redis.Client) (http.Handler, takeOver){
		"scs": func(c *redis.Client) (http.Handler, takeOver) {
			sessions, shop := withSCS(c)
			return shop, takeOverSCS(sessions)
		},
		"gorilla": func(*redis.Client) (http.Handler, takeOver) {
			key := []byte("0123456789abcdef")
			return withGorilla(key), takeOverGorilla(sessions.NewCookieStore(key))
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
			defer client.Close()
			shop, takeOver := make(client)
			ours, users, err := withHoldfast(client, takeOver)
			if err != nil {
				t.Fatal(err)
			}
			defer users.Stop(context.Background())
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { shop.ServeHTTP(w, r) }))
			defer server.Close()
			browser := server.Client()
			browser.Jar, _ = cookiejar.New(nil)
			visit(t, browser, server.URL+"/add", "item", "soap")
			visit(t, browser, server.URL+"/login", "name", "ann")
			shop = ours
			for range 2 {
				if got := visit(t, browser, server.URL+"/account", "", ""); got != "200 ann: soap" {
					t.Errorf("the new shop: %s", got)
				}
			}
			address, _ := url.Parse(server.URL)
			if cookies := browser.Jar.Cookies(address); len(cookies) != 1 || cookies[0].Name != "__Host-session" {
				t.Errorf("the browser has %v", cookies)
			}
		})
	}
}

// visit posts a value, or gets a page without one.
func visit(t *testing.T, browser *http.Client, target, key, value string) string {
	t.Helper()
	do := func() (*http.Response, error) { return browser.Get(target) }
	if key != "" {
		do = func() (*http.Response, error) { return browser.PostForm(target, url.Values{key: {value}}) }
	}
	got, err := do()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(got.Status[:3] + " " + string(body))
}

func TestTheBreakersOfThePeersAndOfHoldfastDoTheSame(t *testing.T) {
	var answer error
	find := func(context.Context, string) (int, error) { return 90, answer }
	ours, err := withHoldfastBreaker(find)
	if err != nil {
		t.Fatal(err)
	}
	for name, guarded := range map[string]finder{"gobreaker": withGobreaker(find), "failsafe-go": withFailsafe(find), "holdfast": ours} {
		down := errors.New("down")
		for i, step := range []struct{ answers, want error }{
			{nil, nil}, {errNoRoom, errNoRoom}, {down, down}, {down, down}, {down, down}, {down, down},
			{errNoRoom, errNoRoom}, // an answer ends the streak
			{down, down}, {down, down}, {down, down}, {down, down}, {down, down},
			{nil, errBusy},
		} {
			answer = step.answers
			if _, err := guarded(t.Context(), "101"); !errors.Is(err, step.want) {
				t.Errorf("%s, call %d: %v, want %v", name, i+1, err, step.want)
			}
		}
	}
}

// lockers are ours and the peers', on one Redis.
func lockers(t *testing.T) (ours guard, peers map[string]guard) {
	server := redistest.Real(t)
	client := server.Client(t)
	rueidis, done, err := withRueidislock(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	ours, end, err := withHoldfastLock(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(context.WithoutCancel(t.Context())) })
	return ours, map[string]guard{"redsync": withRedsync(client), "bsm": withBSM(client), "rueidislock": rueidis}
}

func TestTheLocksOfThePeersAndOfHoldfastDoTheSame(t *testing.T) {
	ours, peers := lockers(t)
	peers["holdfast"] = ours
	for name, guard := range peers {
		mine := errors.New("mine")
		err := guard(t.Context(), "room "+name, func(context.Context) error {
			var err error
			for d := 100 * time.Millisecond; !errors.Is(err, errTaken) && d < 10*time.Second; d *= 2 { // long enough for an answer
				short, cancel := context.WithTimeout(t.Context(), d)
				err = guard(short, "room "+name, func(context.Context) error { return nil })
				cancel()
				if err == nil {
					break
				}
			}
			if !errors.Is(err, errTaken) {
				t.Errorf("%s: taken, and %v", name, err)
			}
			return mine
		})
		if !errors.Is(err, mine) {
			t.Errorf("%s: %v, want the function's error", name, err)
		}
		if err := guard(t.Context(), "room "+name, func(context.Context) error { return nil }); err != nil {
			t.Errorf("%s: released, and %v", name, err)
		}
	}
}

// Programs of before have the peer's lock, those of the change have both, and those
// of after have ours.
func TestDuringTheChangeNoTwoProgramsHoldARoom(t *testing.T) {
	after, peers := lockers(t)
	for name, before := range peers {
		change := both(after, before)
		for pair, programs := range map[string][2]guard{
			"before, change": {before, change}, "change, before": {change, before}, "change, change": {change, change},
			"change, after": {change, after}, "after, change": {after, change},
		} {
			room := name + ": " + pair
			err := programs[0](t.Context(), room, func(context.Context) error {
				short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if err := programs[1](short, room, func(context.Context) error { return nil }); err == nil {
					t.Errorf("%s: both hold the room", room)
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", room, err)
			}
		}

		room := name + ": refused"
		err := before(t.Context(), room, func(context.Context) error {
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := change(short, room, func(context.Context) error { return nil }); err == nil {
				t.Errorf("%s: both hold the room", room)
			}
			return after(t.Context(), room, func(context.Context) error { return nil })
		})
		if err != nil {
			t.Errorf("%s: our lock is not released: %v", room, err)
		}
	}
}
