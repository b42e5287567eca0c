// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// Status is what [Handler] answers about a breaker.
type Status struct {
	Name       string    `json:"name"`
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	OpenLeftMS int64     `json:"open_left_ms,omitempty"` // open: until it is half-open
	Shadow     bool      `json:"shadow,omitempty"`       // it only reports
	Successes  uint64    `json:"successes"`              // since it was made, like those below
	Failures   uint64    `json:"failures"`
	Slow       uint64    `json:"slow"`
	Rejected   uint64    `json:"rejected"`
}

// Handler serves breakers to operators. It has no authentication of its own: put
// it behind the service's, on a port that users do not reach.
//
//	GET  …                                      the state of all, as a JSON array of [Status]
//	GET  …?breaker=NAME                         of one
//	POST …/trip?breaker=NAME&for=10m&reason=TEXT opens it; for and reason may be missing
//	POST …/reset?breaker=NAME                   closes it
//
// A POST answers with the new state. An unknown breaker is status 404, a POST that
// a browser sends from another site 403. breakers is iterated for each request; of
// groups it yields the breakers that exist:
//
//	all := func(yield func(*circuitbreaker.Breaker) bool) {
//		for _, b := range hosts.All() {
//			if !yield(b) {
//				return
//			}
//		}
//		yield(pms)
//	}
//	mux.Handle("/breakers/", authenticated(breakerhttp.Handler(all)))
func Handler(breakers iter.Seq[*circuitbreaker.Breaker]) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("breaker")
		var found []*circuitbreaker.Breaker
		if breakers != nil {
			for b := range breakers {
				if name == "" || b.Name() == name {
					found = append(found, b)
				}
			}
		}
		if name != "" && len(found) == 0 {
			http.Error(w, fmt.Sprintf("There is no breaker %q.", name), http.StatusNotFound)
			return
		}
		if r.Method == http.MethodPost {
			change, wrong := changeOf(r)
			if wrong != "" {
				http.Error(w, wrong, http.StatusBadRequest)
				return
			}
			for _, b := range found { // more than one when they share the name
				change(b)
			}
		} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "GET reads, POST trips and resets.", http.StatusMethodNotAllowed)
			return
		}
		all := []Status{}
		for _, b := range found {
			all = append(all, statusOf(b))
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(all)
	}))
}

// changeOf reads what a POST wants, or says what is wrong with it.
func changeOf(r *http.Request) (change func(*circuitbreaker.Breaker), wrong string) {
	if r.FormValue("breaker") == "" {
		return nil, "Name the breaker: ?breaker=NAME."
	}
	switch path.Base(r.URL.Path) {
	case "reset":
		return (*circuitbreaker.Breaker).Reset, ""
	case "trip":
		cause := errors.New("tripped by hand")
		if reason := r.FormValue("reason"); reason != "" {
			cause = fmt.Errorf("tripped by hand: %s", reason)
		}
		var openFor time.Duration
		if text := r.FormValue("for"); text != "" {
			var err error
			if openFor, err = time.ParseDuration(text); err != nil || openFor <= 0 {
				return nil, fmt.Sprintf("for=%s is no time such as 10m.", text)
			}
		}
		return func(b *circuitbreaker.Breaker) { b.TripFor(openFor, cause) }, ""
	}
	return nil, "POST to …/trip or …/reset."
}

func statusOf(b *circuitbreaker.Breaker) Status {
	s := b.Stats()
	return Status{
		Name: b.Name(), State: s.State.String(), Since: s.Since.UTC(), OpenLeftMS: s.OpenLeft.Milliseconds(), Shadow: s.Shadow,
		Successes: s.Total.Success, Failures: s.Total.Failure, Slow: s.Total.Slow, Rejected: s.Rejected,
	}
}
