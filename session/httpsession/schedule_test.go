// SPDX-License-Identifier: MIT

package httpsession

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// device is a browser whose requests overlap, and whose responses arrive late, in
// any order, or never.
type device struct {
	cookies map[string]string
	running []*request
	pending []*request // answered, and the response is on its way
	// What its user knows: "in", "out", or "unsure" after an answer that was an
	// error or never came.
	login string
}

// request is one that the site handles, as far as its next call of the store.
type request struct {
	path     string
	response *httptest.ResponseRecorder
	step     chan struct{} // sent to when it may go on
	paused   chan bool     // false: it was answered
}

func (r *request) pause() {
	r.paused <- true
	<-r.step
}

// crossing lets one request at a time go on, from one call of the store to the next.
type crossing struct{ at *request }

func (c *crossing) pause() {
	if c.at != nil {
		c.at.pause()
	}
}

// open reports whether a request to one of the paths is under way.
func (d *device) open(paths ...string) bool {
	return slices.ContainsFunc(slices.Concat(d.running, d.pending), func(r *request) bool { return slices.Contains(paths, r.path) })
}

// send has the site begin with a request.
func (d *device) send(h http.Handler, c *crossing, path string) {
	q := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range d.cookies {
		q.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r := &request{path: q.URL.Path, response: httptest.NewRecorder(), step: make(chan struct{}), paused: make(chan bool)}
	d.running = append(d.running, r)
	go func() {
		<-r.step
		h.ServeHTTP(r.response, q)
		r.paused <- false
	}()
	d.advance(c, len(d.running)-1)
}

// advance has a request go on.
func (d *device) advance(c *crossing, i int) {
	r := d.running[i]
	c.at = r
	r.step <- struct{}{}
	paused := <-r.paused
	if c.at = nil; !paused {
		d.running = slices.Delete(d.running, i, i+1)
		d.pending = append(d.pending, r)
	}
}

// ask has the site handle a request at once. The response is on its way.
func (d *device) ask(h http.Handler, c *crossing, path string) *request {
	n := len(d.running)
	for d.send(h, c, path); len(d.running) > n; {
		d.advance(c, n)
	}
	return d.pending[len(d.pending)-1]
}

// deliver has one of the responses arrive, or get lost.
func (d *device) deliver(i int, lost bool) {
	r := d.pending[i]
	d.pending = slices.Delete(d.pending, i, i+1)
	if !lost {
		for _, line := range r.response.Header()["Set-Cookie"] {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				panic(err)
			}
			if d.cookies[c.Name] = c.Value; c.MaxAge < 0 {
				delete(d.cookies, c.Name)
			}
		}
	}
	switch known := r.response.Code == http.StatusOK && !lost; {
	case r.path == "/login" && known:
		d.login = "in"
	case r.path == "/logout" && known:
		d.login = "out"
	case r.path == "/login", r.path == "/logout", r.path == "/rotate" && !known:
		d.login = "unsure"
	}
}

// schedule is a story of three browsers that use one account at once.
type schedule struct {
	*rig
	random  *rand.Rand
	c       *crossing
	devices []*device
	story   []string
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{rig: newRig(t, Config[user]{OnError: func(*http.Request, error) {}}), random: rand.New(rand.NewPCG(seed, 1)), c: new(crossing)}
	s.server.Close() // requests go to the handler
	s.store.before = s.c.pause
	for range 3 {
		s.devices = append(s.devices, &device{cookies: make(map[string]string), login: "out"})
	}
	return s
}

func (s *schedule) note(n int, what ...any) {
	s.story = append(s.story, fmt.Sprint(n, " ", fmt.Sprint(what...)))
}

// act does one thing.
func (s *schedule) act() {
	n := s.random.IntN(len(s.devices))
	d := s.devices[n]
	s.store.lose.Store(s.random.IntN(10) == 0)
	path := []string{"/read", "/add?item=soap", "/who", "/login?as=ann", "/logout", "/rotate", "/elsewhere"}[s.random.IntN(7)]
	switch what := s.random.IntN(6); {
	case what < 2 && len(d.pending) > 0:
		i, lost := s.random.IntN(len(d.pending)), s.random.IntN(10) == 0
		s.note(n, "gets the response to ", d.pending[i].path, ", lost: ", lost)
		d.deliver(i, lost)
	case what < 4 && len(d.running) > 0:
		i := s.random.IntN(len(d.running))
		s.note(n, "goes on with ", d.running[i].path, ", a reply lost: ", s.store.lose.Load())
		d.advance(s.c, i)
	case d.open("/login", "/logout") && (path == "/login?as=ann" || path == "/logout" || path == "/rotate"),
		path == "/login?as=ann" && d.open("/rotate"):
	case path == "/elsewhere":
		s.elsewhere(n)
	default:
		s.note(n, "asks ", path, ", a reply lost: ", s.store.lose.Load())
		d.send(s.mux, s.c, path)
	}
}

// elsewhere logs the other browsers out, unless one may log in meanwhile.
func (s *schedule) elsewhere(n int) {
	d := s.devices[n]
	busy := slices.ContainsFunc(s.devices, func(d *device) bool { return d.open("/login", "/logout", "/rotate") })
	if busy || d.login != "in" {
		return
	}
	s.note(n, "logs out elsewhere, a reply lost: ", s.store.lose.Load())
	ok := d.ask(s.mux, s.c, "/elsewhere").response.Code == http.StatusOK
	for i, other := range s.devices {
		switch {
		case i == n:
		case !ok:
			other.login = "unsure"
		case other.login == "in":
			other.login = "out"
		}
	}
}

// Three browsers use one account at once. Their requests overlap at each call of the
// store, replies of the store get lost, and responses arrive late, out of order or
// never. A user waits for the answer to a login or a logout before the next one; all
// else goes on meanwhile.
func TestNoScheduleLosesALoginOrBringsOneBack(t *testing.T) {
	checked := map[string]int{}
	for seed := range uint64(1000) {
		s := newSchedule(t, seed)
		for range 60 {
			s.act()
		}
		s.store.lose.Store(false)
		for n, d := range s.devices {
			for len(d.running) > 0 {
				d.advance(s.c, s.random.IntN(len(d.running)))
			}
			for len(d.pending) > 0 {
				d.deliver(s.random.IntN(len(d.pending)), false)
			}
			checked[d.login]++
			want := map[string]string{"in": "ann", "out": "nobody"}[d.login]
			if got := d.ask(s.mux, s.c, "/who").response.Body.String(); want != "" && got != want {
				t.Fatalf("seed %d: browser %d is %q for its user and %q for the site, after\n%s", seed, n, d.login, got, strings.Join(s.story, "\n"))
			}
		}
	}
	t.Logf("checked: %v", checked)
	if checked["in"] < 300 || checked["out"] < 300 {
		t.Errorf("too few: %v", checked)
	}
}
