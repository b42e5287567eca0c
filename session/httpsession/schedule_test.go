// SPDX-License-Identifier: MIT

package httpsession

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

// device is a browser whose responses arrive late, in any order, or never.
type device struct {
	cookies map[string]string
	pending []response
	// What its user knows: "in", "out", or "unsure" after an answer that was an
	// error or never came.
	login string
}

type response struct {
	path   string
	ok     bool
	header http.Header
}

// waitsFor reports whether a response to one of the paths has not arrived.
func (d *device) waitsFor(paths ...string) bool {
	for _, r := range d.pending {
		for _, path := range paths {
			if r.path == path {
				return true
			}
		}
	}
	return false
}

// ask has the server handle a request. The response is on its way.
func (d *device) ask(h http.Handler, path string) (text string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range d.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	d.pending = append(d.pending, response{r.URL.Path, w.Code == http.StatusOK, w.Header()})
	return w.Body.String()
}

// deliver has one of the responses arrive, or get lost.
func (d *device) deliver(random *rand.Rand, lost bool) {
	i := random.IntN(len(d.pending))
	r := d.pending[i]
	d.pending = append(d.pending[:i], d.pending[i+1:]...)
	if !lost {
		for _, line := range r.header["Set-Cookie"] {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				panic(err)
			}
			if d.cookies[c.Name] = c.Value; c.MaxAge < 0 {
				delete(d.cookies, c.Name)
			}
		}
	}
	switch known := r.ok && !lost; {
	case r.path == "/login" && known:
		d.login = "in"
	case r.path == "/logout" && known:
		d.login = "out"
	case r.path == "/login", r.path == "/logout", r.path == "/rotate" && !known:
		d.login = "unsure"
	}
}

// Three browsers use one account at once. Replies of the store get lost, and
// responses arrive late, out of order or never. A user waits for the answer to a
// login or a logout before the next one; all else goes on meanwhile.
func TestNoScheduleLosesALoginOrBringsOneBack(t *testing.T) {
	checked := map[string]int{}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := newRig(t, Config[user]{OnError: func(*http.Request, error) {}})
		r.server.Close() // requests go to the handler
		var all []*device
		for range 3 {
			all = append(all, &device{cookies: make(map[string]string), login: "out"})
		}
		var story []string
		for range 30 {
			n := random.IntN(len(all))
			d := all[n]
			r.store.lose.Store(random.IntN(10) == 0)
			path := []string{"/read", "/add?item=soap", "/who", "/login?as=ann", "/logout", "/rotate", "/elsewhere"}[random.IntN(7)]
			switch {
			case len(d.pending) > 0 && random.IntN(2) == 0:
				lost := random.IntN(10) == 0
				d.deliver(random, lost)
				story = append(story, fmt.Sprint(n, " gets a response, lost: ", lost))
				continue
			case d.waitsFor("/login", "/logout") && (path == "/login?as=ann" || path == "/logout"),
				path == "/login?as=ann" && d.waitsFor("/rotate"):
				continue
			case path == "/elsewhere":
				busy := false
				for i, other := range all {
					busy = busy || i != n && other.waitsFor("/login", "/logout", "/rotate")
				}
				if busy || d.login != "in" || d.waitsFor("/login", "/logout", "/rotate") {
					continue
				}
				d.ask(r.mux, path)
				for i, other := range all {
					if i == n {
						continue
					}
					if other.login == "in" {
						other.login = "out"
					}
					if !d.pending[len(d.pending)-1].ok {
						other.login = "unsure"
					}
				}
			default:
				d.ask(r.mux, path)
			}
			story = append(story, fmt.Sprint(n, " asks ", path, ", a reply lost: ", r.store.lose.Load()))
		}
		r.store.lose.Store(false)
		for n, d := range all {
			for len(d.pending) > 0 {
				d.deliver(random, false)
			}
			checked[d.login]++
			want := map[string]string{"in": "ann", "out": "nobody"}[d.login]
			if got := d.ask(r.mux, "/who"); want != "" && got != want {
				t.Fatalf("seed %d: browser %d is %q for its user and %q for the site, after\n%v", seed, n, d.login, got, story)
			}
		}
	}
	t.Logf("checked: %v", checked)
	if checked["in"] < 300 || checked["out"] < 300 {
		t.Errorf("too few: %v", checked)
	}
}
