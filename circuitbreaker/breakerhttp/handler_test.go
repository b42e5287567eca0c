// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// served asks a Handler of two breakers, pms and "hosts/a b".
type served struct {
	*testing.T
	h http.Handler
}

func newServed(t *testing.T) *served {
	var all []*circuitbreaker.Breaker
	for _, name := range []string{"pms", "hosts/a b"} {
		b, err := circuitbreaker.New(circuitbreaker.Config{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Reset)
		all = append(all, b)
	}
	return &served{t, Handler(slices.Values(all))}
}

func (s *served) ask(method, target string, want int) (states []Status) {
	s.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	if w.Code != want {
		s.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, want)
	}
	if want == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &states); err != nil {
			s.Fatal(err)
		}
	}
	return states
}

func TestOperatorsSeeTripAndReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServed(t)
		if all := s.ask("GET", "/breakers/", 200); len(all) != 2 || all[0].Name != "pms" || all[0].State != "closed" || all[0].Since.IsZero() {
			t.Errorf("%+v", all)
		}
		one := s.ask("POST", "/breakers/trip?breaker=pms&for=10m&reason=migration", 200)
		if len(one) != 1 || one[0].State != "open" || one[0].OpenLeftMS != (10*time.Minute).Milliseconds() {
			t.Errorf("tripped: %+v", one)
		}
		if one := s.ask("GET", "/breakers/?breaker=hosts%2Fa+b", 200); len(one) != 1 || one[0].State != "closed" {
			t.Errorf("the other: %+v", one)
		}
		if one := s.ask("POST", "/breakers/reset?breaker=pms", 200); one[0].State != "closed" || one[0].OpenLeftMS != 0 {
			t.Errorf("reset: %+v", one)
		}
		if one := s.ask("POST", "/trip?breaker=pms", 200); one[0].State != "open" || one[0].OpenLeftMS <= 0 {
			t.Errorf("without a time: %+v", one)
		}
	})
}

func TestAnOperatorsMistakeChangesNothing(t *testing.T) {
	s := newServed(t)
	for target, want := range map[string]int{
		"/trip": 400, "/trip?breaker=pms&for=soon": 400, "/trip?breaker=pms&for=-1s": 400, "/open?breaker=pms": 400,
		"/trip?breaker=psm": 404, "/reset?breaker=psm": 404,
	} {
		s.ask("POST", target, want)
	}
	s.ask("DELETE", "/?breaker=pms", 405)
	for _, b := range s.ask("GET", "/", 200) {
		if b.State != "closed" {
			t.Errorf("%+v", b)
		}
	}
}

func TestABrowserCannotTripFromAnotherSite(t *testing.T) {
	s := newServed(t)
	r := httptest.NewRequest("POST", "/trip?breaker=pms", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if s.h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

func TestAServiceWithoutBreakersHasAnEmptyList(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if text := strings.TrimSpace(w.Body.String()); text != "[]" {
		t.Error(text)
	}
}
