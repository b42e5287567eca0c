// SPDX-License-Identifier: MIT

package site

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/session"
)

// api registers the endpoints for programs. A wrong method or path is a
// problem like any other error.
func (s *Site) api(mux *http.ServeMux) {
	endpoints := map[string]map[string]http.HandlerFunc{
		"/api/state":                    {http.MethodGet: s.getState},
		"/api/chat":                     {http.MethodPost: s.postChat},
		"/api/faults":                   {http.MethodGet: s.getFaults, http.MethodPut: s.putFaults},
		"/api/sessions/corrupt":         {http.MethodPost: s.postCorruptAll},
		"/api/sessions/{guest}/corrupt": {http.MethodPost: s.postCorrupt},
		"/api/cleanup":                  {http.MethodPost: s.postCleanup},
		"/api/storm":                    {http.MethodPost: s.postStorm},
		"/api/reset":                    {http.MethodPost: s.postReset},
	}
	for path, methods := range endpoints {
		var allowed []string
		for method, h := range methods {
			mux.HandleFunc(method+" "+path, h)
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

// read decodes a body of one JSON object without unknown fields, or answers
// what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		fail(w, http.StatusRequestEntityTooLarge, "The body is larger than 16 KiB.")
		return false
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "The body did not arrive.")
		return false
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" && kind != "" {
		fail(w, http.StatusUnsupportedMediaType, "The body must be application/json.")
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "The body cannot be read: "+reason(err))
		return false
	}
	if _, more := d.Token(); more != io.EOF {
		fail(w, http.StatusBadRequest, "The body has more than one JSON object.")
		return false
	}
	return true
}

// reason says why a body cannot be decoded, without the names of Go's types.
func reason(err error) string {
	if err == io.EOF {
		return "it is empty"
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return cmp.Or(wrong.Field, "it") + " has the wrong type: " + wrong.Value
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func (s *Site) getState(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, http.StatusOK, s.look(r.Context(), r.URL.Query().Get("guest")))
}

type message struct {
	Guest string `json:"guest"`
	Text  string `json:"text"`
}

func (m message) valid() bool {
	return desk.IsName(m.Guest) && strings.TrimSpace(m.Text) != "" && utf8.ValidString(m.Text)
}

const wrongMessage = "A guest's name of 1 to 64 characters and a text are needed."

// answer is what a guest gets to know: not who is in the way.
type answer struct {
	Text    string     `json:"text"`
	Lang    string     `json:"lang"`
	Booking string     `json:"booking,omitempty"` // reference, when one was made
	Trace   desk.Trace `json:"trace"`
}

func (s *Site) postChat(w http.ResponseWriter, r *http.Request) {
	var m message
	if !read(w, r, &m) {
		return
	}
	if !m.valid() {
		fail(w, http.StatusUnprocessableEntity, wrongMessage)
		return
	}
	reply := s.say(r.Context(), m)
	a := answer{Text: reply.Text, Lang: string(reply.Lang), Trace: reply.Trace}
	if reply.Outcome == desk.OK && reply.Booking != nil {
		a.Booking = reply.Booking.Reference
	}
	sendJSON(w, http.StatusOK, a)
}

// say has the desk answer a guest.
func (s *Site) say(ctx context.Context, m message) desk.Reply {
	reply := s.Desk.Answer(ctx, m.Guest, m.Text)
	s.visitors.of(s, m.Guest).said(m.Text, reply)
	if reply.Err != nil {
		slog.Warn("answer", "intent", reply.Intent, "err", reply.Err)
	}
	if reply.Outcome == desk.Refused && reply.Booking != nil {
		s.clashed(reply.Stay)
	}
	s.streams.hurry()
	return reply
}

func (s *Site) getFaults(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, http.StatusOK, s.Switches.Read())
}

func (s *Site) putFaults(w http.ResponseWriter, r *http.Request) {
	var wanted fault.Switches
	if !read(w, r, &wanted) {
		return
	}
	if status, err := s.turn(r.Context(), wanted); err != nil {
		fail(w, status, err.Error())
		return
	}
	sendJSON(w, http.StatusOK, s.Switches.Read())
}

// turn moves switches. When that fails it returns the HTTP status that says
// whose fault it was.
func (s *Site) turn(ctx context.Context, wanted fault.Switches) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer s.streams.hurry()
	err := s.Switches.Set(ctx, wanted)
	switch {
	case err == nil:
		return http.StatusOK, nil
	case errors.Is(err, fault.ErrInvalid):
		return http.StatusBadRequest, err
	case errors.Is(err, fault.ErrNoRow):
		return http.StatusUnprocessableEntity, err
	case errors.Is(err, fault.ErrTrail):
		return http.StatusInternalServerError, err
	}
	return http.StatusBadGateway, err
}

func (s *Site) postCorrupt(w http.ResponseWriter, r *http.Request) {
	if status, err := s.corrupt(r.Context(), r.PathValue("guest")); err != nil {
		fail(w, status, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Site) corrupt(ctx context.Context, guest string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer s.streams.hurry()
	err := s.Switches.Corrupt(ctx, guest)
	switch {
	case err == nil:
		return http.StatusNoContent, nil
	case errors.Is(err, session.ErrNotFound):
		return http.StatusNotFound, errors.New("there is no such conversation")
	}
	return http.StatusServiceUnavailable, err
}

// postCorruptAll is for drills.
func (s *Site) postCorruptAll(w http.ResponseWriter, r *http.Request) {
	n := 0
	for _, guest := range s.visitors.latest() {
		status, err := s.corrupt(r.Context(), guest)
		if err != nil && status != http.StatusNotFound {
			fail(w, status, err.Error())
			return
		}
		if err == nil {
			n++
		}
	}
	sendJSON(w, http.StatusOK, map[string]int{"corrupted": n})
}

// swept is a cleanup report.
type swept struct {
	Active int64          `json:"active"`
	Ended  map[string]int `json:"ended"` // by cause
	Took   time.Duration  `json:"took_ns"`
}

func (s *Site) postCleanup(w http.ResponseWriter, r *http.Request) {
	report, err := s.cleanUp(r.Context())
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	sendJSON(w, http.StatusOK, report)
}

func (s *Site) cleanUp(ctx context.Context) (swept, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer s.streams.hurry()
	report, err := s.Desk.Chats.Sweep(ctx)
	result := swept{Active: report.Active, Ended: make(map[string]int), Took: report.Took}
	for cause, n := range report.Ended {
		result.Ended[cause.String()] = n
	}
	return result, err
}

func (s *Site) postStorm(w http.ResponseWriter, r *http.Request) {
	wanted := struct {
		Guests int `json:"guests"`
	}{1000}
	if r.ContentLength != 0 && !read(w, r, &wanted) {
		return
	}
	switch err := s.startStorm(wanted.Guests); {
	case errors.Is(err, errStormOn):
		fail(w, http.StatusConflict, err.Error())
	case err != nil:
		fail(w, http.StatusUnprocessableEntity, err.Error())
	default:
		sendJSON(w, http.StatusAccepted, s.storm.read())
	}
}

func (s *Site) postReset(w http.ResponseWriter, r *http.Request) {
	if status, err := s.reset(r.Context()); err != nil {
		fail(w, status, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// reset empties the hotel, and puts back the row of the trail that is changed.
func (s *Site) reset(ctx context.Context) (int, error) {
	if s.Switches.Read().Trail == fault.Changed {
		if status, err := s.turn(ctx, fault.Switches{Trail: fault.Sealed}); err != nil {
			return status, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer s.streams.hurry()
	return http.StatusBadGateway, s.PMS.Clear(ctx, "")
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

func sendJSON(w http.ResponseWriter, status int, body any) {
	send(w, "application/json", status, body)
}

func send(w http.ResponseWriter, kind string, status int, body any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that hung up will ask again
}
