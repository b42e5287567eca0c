// SPDX-License-Identifier: MIT

package site

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/session"
)

// endpoint does what is asked for, and returns a body that becomes JSON, or nil.
type endpoint func(*http.Request) (body any, err error)

// failure is an error for a reader, and the status of its answer.
type failure struct {
	status int
	text   string
}

func (f failure) Error() string { return f.text }

// statusOf says whose fault an error is. What is left is the session store's.
func statusOf(err error) int {
	f, own := errors.AsType[failure](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case own:
		return f.status
	case large:
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, fault.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, fault.ErrNoRow):
		return http.StatusUnprocessableEntity
	case errors.Is(err, fault.ErrTrail):
		return http.StatusInternalServerError
	case errors.Is(err, session.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, hotel.ErrNoAnswer):
		return http.StatusBadGateway
	}
	return http.StatusServiceUnavailable
}

// api registers the endpoints for programs. A wrong method or path is a
// problem like any other error.
func (s *Site) api(mux *http.ServeMux) {
	endpoints := map[string]map[string]endpoint{
		"/api/state":                    {http.MethodGet: func(r *http.Request) (any, error) { return s.look(r.Context(), r.URL.Query().Get("guest")), nil }},
		"/api/chat":                     {http.MethodPost: s.postChat},
		"/api/faults":                   {http.MethodGet: func(*http.Request) (any, error) { return s.Switches.Read(), nil }, http.MethodPut: s.putFaults},
		"/api/sessions/corrupt":         {http.MethodPost: s.corruptAll},
		"/api/sessions/{guest}/corrupt": {http.MethodPost: func(r *http.Request) (any, error) { return s.corrupt(r, r.PathValue("guest")) }},
		"/api/cleanup":                  {http.MethodPost: s.cleanUp},
		"/api/storm":                    {http.MethodPost: s.postStorm},
		"/api/reset":                    {http.MethodPost: s.reset},
	}
	for path, methods := range endpoints {
		var allowed []string
		for method, e := range methods {
			mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
				body, err := e(r)
				_, begun := body.(Storms)
				switch {
				case err != nil:
					fail(w, statusOf(err), err.Error())
				case body == nil:
					w.WriteHeader(http.StatusNoContent)
				case begun:
					send(w, "application/json", http.StatusAccepted, body)
				default:
					send(w, "application/json", http.StatusOK, body)
				}
			})
			allowed = append(allowed, method)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			fail(w, http.StatusMethodNotAllowed, "")
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "") })
}

// patience bounds what a request does, beside answering a guest.
const patience = 3 * time.Second

// change does something that shows on the open pages.
func (s *Site) change(r *http.Request, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	defer s.streams.hurry()
	return do(ctx)
}

var errEmpty = failure{http.StatusBadRequest, "The body cannot be read: it is empty"}

// read decodes a body of one JSON object without unknown fields, or returns
// what is wrong with it.
func read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return errEmpty
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" && kind != "" {
		return failure{http.StatusUnsupportedMediaType, "The body must be application/json."}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return failure{http.StatusBadRequest, "The body cannot be read: " + reason(err)}
	}
	if _, more := d.Token(); more != io.EOF {
		return failure{http.StatusBadRequest, "The body has more than one JSON object."}
	}
	return nil
}

// reason says why a body cannot be decoded, without the names of Go's types.
func reason(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return cmp.Or(wrong.Field, "it") + " has the wrong type: " + wrong.Value
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

type message struct {
	Guest string `json:"guest"`
	Text  string `json:"text"`
}

var errMessage = failure{http.StatusBadRequest, "A guest's name of 1 to 64 characters and a text are needed."}

// answer is what a guest gets to know: not who is in the way.
type answer struct {
	Text    string     `json:"text"`
	Lang    string     `json:"lang"`
	Booking string     `json:"booking,omitempty"` // reference, when one was made
	Trace   desk.Trace `json:"trace"`
}

func (s *Site) postChat(r *http.Request) (any, error) {
	var m message
	if err := read(r, &m); err != nil {
		return nil, err
	}
	reply, err := s.say(r.Context(), m)
	if err != nil {
		return nil, err
	}
	a := answer{Text: reply.Text, Lang: string(reply.Lang), Trace: reply.Trace}
	if reply.Outcome == desk.OK && reply.Booking != nil {
		a.Booking = reply.Booking.Reference
	}
	return a, nil
}

// say has the desk answer a guest.
func (s *Site) say(ctx context.Context, m message) (reply desk.Reply, err error) {
	if !desk.IsName(m.Guest) || strings.TrimSpace(m.Text) == "" || !utf8.ValidString(m.Text) {
		return reply, errMessage
	}
	reply = s.Desk.Answer(ctx, m.Guest, m.Text)
	s.visitors.of(s, m.Guest).said(m.Text, reply)
	if reply.Err != nil {
		slog.Warn("answer", "intent", reply.Intent, "err", reply.Err)
	}
	if reply.Outcome == desk.Refused && reply.Booking != nil {
		s.Watch.clashed(reply.Stay)
	}
	s.streams.hurry()
	return reply, nil
}

func (s *Site) putFaults(r *http.Request) (any, error) {
	var wanted fault.Positions
	if err := read(r, &wanted); err != nil {
		return nil, err
	}
	return s.turn(r, wanted)
}

// turn moves switches.
func (s *Site) turn(r *http.Request, wanted fault.Positions) (any, error) {
	err := s.change(r, func(ctx context.Context) error { return s.Switches.Set(ctx, wanted) })
	return s.Switches.Read(), err
}

func (s *Site) corrupt(r *http.Request, guest string) (any, error) {
	return nil, s.change(r, func(ctx context.Context) error { return s.Switches.Corrupt(ctx, guest) })
}

// corruptAll is for drills.
func (s *Site) corruptAll(r *http.Request) (any, error) {
	n := 0
	for _, guest := range s.visitors.latest() {
		switch _, err := s.corrupt(r, guest); {
		case err == nil:
			n++
		case !errors.Is(err, session.ErrNotFound):
			return nil, err
		}
	}
	return map[string]int{"corrupted": n}, nil
}

func (s *Site) cleanUp(r *http.Request) (any, error) {
	var report session.Report
	err := s.change(r, func(ctx context.Context) (err error) {
		report, err = s.Desk.Chats.Sweep(ctx)
		return err
	})
	ended := make(map[string]int)
	for cause, n := range report.Ended {
		ended[cause.String()] = n
	}
	return map[string]any{"active": report.Active, "ended": ended, "took_ns": report.Took}, err
}

func (s *Site) postStorm(r *http.Request) (any, error) {
	wanted := struct {
		Guests int `json:"guests"`
	}{1000}
	if err := read(r, &wanted); err != nil && err != errEmpty {
		return nil, err
	}
	return s.startStorm(wanted.Guests)
}

const maxGuests = 5000

// startStorm begins a storm in the background, unless one is on. It ends with
// the site.
func (s *Site) startStorm(guests int) (any, error) {
	if guests < 1 || guests > maxGuests {
		return nil, failure{http.StatusBadRequest, fmt.Sprintf("Between 1 and %d guests are possible.", maxGuests)}
	}
	before, now := s.storm.Load(), Storms{Running: true, Guests: guests}
	if before.Running || !s.storm.CompareAndSwap(before, &now) {
		return nil, failure{http.StatusConflict, "A storm is on already."}
	}
	if !s.begin(func() { s.rage(now) }) {
		return nil, failure{http.StatusServiceUnavailable, "The page is being closed."}
	}
	return now, nil
}

// rage runs both storms, one after the other.
func (s *Site) rage(now Storms) {
	show := func() {
		shown := now
		s.storm.Store(&shown)
		s.streams.hurry()
	}
	err := s.Storms(s.ctx, now.Guests, func(t Tally) {
		if now.With == nil {
			now.With = &t
		} else {
			now.Without = &t
		}
		show()
	})
	now.Running = false
	if err != nil {
		now.Error = err.Error()
	}
	show()
}

// reset empties the hotel, and puts back the row of the trail that is changed.
func (s *Site) reset(r *http.Request) (any, error) {
	return nil, s.change(r, func(ctx context.Context) error {
		return errors.Join(s.Switches.Forger.Restore(ctx), s.PMS.Clear(ctx, ""))
	})
}

// problem is an error as RFC 9457 wants it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func fail(w http.ResponseWriter, status int, detail string) {
	send(w, "application/problem+json", status, problem{http.StatusText(status), status, detail})
}

func send(w http.ResponseWriter, kind string, status int, body any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that hung up will ask again
}
