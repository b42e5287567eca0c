// SPDX-License-Identifier: MIT

package site

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// forms registers what the page's buttons do. Each does the same as the API
// and sends the browser back to the page.
func (s *Site) forms(mux *http.ServeMux) {
	for path, act := range map[string]endpoint{
		"message":  func(r *http.Request) (any, error) { return s.hear(r, r.PostForm.Get("text")) },
		"night":    s.formNight,
		"switches": s.formSwitches,
		"trail":    s.formSwitches,
		"corrupt":  func(r *http.Request) (any, error) { return s.corrupt(r, r.PostForm.Get("who")) },
		"cleanup":  s.cleanUp,
		"storm":    func(*http.Request) (any, error) { return s.startStorm(1000) },
		"reset":    s.reset,
		"guest":    s.formGuest,
	} {
		mux.Handle("POST /"+path, s.Logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := r.ParseForm()
			if _, large := errors.AsType[*http.MaxBytesError](err); err != nil && !large {
				err = errMessage
			}
			if err == nil {
				_, err = act(r)
			}
			if err != nil {
				s.unsent(w, r, path, statusOf(err))
				return
			}
			s.afterForm(r.Context())
			http.Redirect(w, r, back(r), http.StatusSeeOther)
		})))
	}
}

// unsent answers that a form was of no use: a browser without JavaScript with
// the page, which says so in the form's place.
func (s *Site) unsent(w http.ResponseWriter, r *http.Request, form string, status int) {
	q := question{r.PostForm.Get("guest"), langOf(r.PostForm.Get("lang"))}
	text := word(q.lang, fmt.Sprintf("unsent.%d", status))
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, text, status)
		return
	}
	if !desk.IsName(q.guest) {
		q.guest = defaultGuest
	}
	v := s.view(s.look(r.Context(), q.guest), q)
	v.Unsent = map[string]string{form: text}
	s.send(w, r, status, v)
}

// back is the page as the form's sender saw it.
func back(r *http.Request) string {
	query := url.Values{}
	for _, name := range []string{"guest", "lang"} {
		if v := r.PostForm.Get(name); v != "" {
			query.Set(name, v)
		}
	}
	return "/?" + query.Encode()
}

// hear has the desk answer what the form's guest has said.
func (s *Site) hear(r *http.Request, text string) (any, error) {
	_, err := s.say(r.Context(), message{r.PostForm.Get("guest"), text})
	return nil, err
}

// formNight asks for the night that was pressed on the calendar, as the guest
// could have in words.
func (s *Site) formNight(r *http.Request) (any, error) {
	room, night, _ := strings.Cut(r.PostForm.Get("night"), ".")
	date, err := hotel.ParseDate(night)
	if err != nil || room == "" {
		return nil, errMessage
	}
	return s.hear(r, say(langOf(r.PostForm.Get("lang")), "hold room %s for 1 night from %s", "guardar la habitación %s por 1 noche desde %s", room, date))
}

func (s *Site) formSwitches(r *http.Request) (any, error) {
	wanted := make(fault.Positions)
	for name := range fault.Switches {
		if to := r.PostForm.Get(name); to != "" {
			wanted[name] = to
		}
	}
	return s.turn(r, wanted)
}

// afterForm lets the trail write what was just recorded, so that a page
// without JavaScript shows it. Without a database it shows what is there.
func (s *Site) afterForm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_ = s.Trail.Flush(ctx)
}
