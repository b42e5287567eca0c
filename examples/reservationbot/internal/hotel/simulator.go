// SPDX-License-Identifier: MIT

package hotel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Modes are how well the simulated PMS feels, the best first.
var Modes = []string{Healthy, Slow, Failing, Hanging, Lossy}

const (
	Healthy = "healthy" // answers within milliseconds
	Slow    = "slow"    // answers after a while
	Failing = "failing" // answers 503 at once
	Hanging = "hanging" // never answers
	Lossy   = "lossy"   // books and cancels, but the answer gets lost
)

// Simulator is a PMS with a table of its own, on a loopback port.
//
//	GET    /rooms/free?from=DATE&to=DATE      numbers of the free rooms
//	GET    /bookings?room=N&from=DATE&to=DATE&fence=F
//	                                          bookings that share nights with the stay; 409 when the fence is stale; 0 = none
//	GET    /bookings?guest=NAME               a guest's bookings
//	POST   /bookings       Order              200 Booking; 409 when the fence is stale, or the order was withdrawn
//	DELETE /bookings/{reference}              204; 404 when there is none
//	DELETE /orders/{key}                      204: the order's booking is cancelled; if the order arrives later, it is refused
//	GET    /double-bookings                   {"count": n}
//	GET    /ledger                            all bookings, in the order in which they were made
//	DELETE /ledger?guests=PREFIX              204: forgets those of guests whose names begin so; without, all
//	PUT    /faults         {"mode": "failing"}    or healthy, slow, hanging, lossy
//
// Faults do not reach the last four.
type Simulator struct {
	URL string

	table  *table
	mode   atomic.Value // of string, one of Modes
	slowBy time.Duration
	server *http.Server
	hangUp context.CancelFunc
	serves sync.WaitGroup
}

const latency = 2 * time.Millisecond // of a healthy answer

// StartSimulator listens on a free loopback port and serves until Close. The
// seed decides the booking references.
func StartSimulator(rooms []string, seed uint64, slowBy time.Duration) (*Simulator, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulated PMS: %w", err)
	}
	ctx, hangUp := context.WithCancel(context.Background())
	s := &Simulator{
		URL:    "http://" + listener.Addr().String(),
		table:  newTable(rooms, seed),
		slowBy: slowBy,
		hangUp: hangUp,
	}
	s.mode.Store(Healthy)
	s.server = &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	s.serves.Go(func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("simulated PMS", "err", err)
		}
	})
	return s, nil
}

// DoubleBookings counts the bookings that share a night with an earlier one.
func (s *Simulator) DoubleBookings() int { return s.table.doubleBookings() }

// Close ends the server, hanging requests included.
func (s *Simulator) Close() error {
	s.hangUp()
	err := s.server.Close()
	s.serves.Wait()
	return err
}

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rooms/free", s.feel(s.free))
	mux.HandleFunc("GET /bookings", s.feel(s.list))
	mux.HandleFunc("POST /bookings", s.feel(s.book))
	mux.HandleFunc("DELETE /bookings/{reference}", s.feel(s.cancel))
	mux.HandleFunc("DELETE /orders/{key}", s.feel(s.withdraw))
	always := func(pattern string, h handler) { // whatever the mode
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := h(r)
			respond(w, body, err)
		})
	}
	always("GET /double-bookings", func(*http.Request) (any, error) { return map[string]int{"count": s.DoubleBookings()}, nil })
	always("GET /ledger", func(*http.Request) (any, error) { return s.table.all(), nil })
	always("DELETE /ledger", func(r *http.Request) (any, error) {
		s.table.forget(func(b Booking) bool { return strings.HasPrefix(b.Guest, r.URL.Query().Get("guests")) })
		return nil, nil
	})
	always("PUT /faults", s.setMode)
	return http.MaxBytesHandler(mux, 1<<16)
}

// handler returns a body that becomes JSON, or nil.
type handler func(*http.Request) (body any, err error)

// feel runs h as well as the mode allows. The request is read before any
// waiting, so that the server notices when the client hangs up; h runs after
// it, so that a client that has gone changes nothing.
func (s *Simulator) feel(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, http.StatusRequestEntityTooLarge, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		wait := time.After(latency)
		switch s.mode.Load() {
		case Failing:
			fail(w, http.StatusServiceUnavailable, errors.New("out of order"))
			return
		case Slow:
			wait = time.After(s.slowBy)
		case Hanging:
			wait = nil
		}
		select {
		case <-wait:
			body, err := h(r)
			if s.mode.Load() == Lossy && r.Method != http.MethodGet {
				panic(http.ErrAbortHandler) // hangs up
			}
			respond(w, body, err)
		case <-r.Context().Done():
		}
	}
}

func (s *Simulator) free(r *http.Request) (any, error) {
	stay, err := stayOf(r)
	return s.table.free(stay.In, stay.Out), err
}

func (s *Simulator) list(r *http.Request) (any, error) {
	query := r.URL.Query()
	if guest := query.Get("guest"); guest != "" {
		return slices.DeleteFunc(s.table.all(), func(b Booking) bool { return b.Guest != guest }), nil
	}
	stay, wrong := stayOf(r)
	fence, err := strconv.ParseUint(query.Get("fence"), 10, 64)
	if err = errors.Join(wrong, err); err != nil {
		return nil, err
	}
	return s.table.overlapping(stay, fence)
}

func (s *Simulator) book(r *http.Request) (any, error) {
	var o Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		return nil, err
	}
	if o.Key == "" || !slices.Contains(s.table.rooms, o.Stay.Room) || !o.Stay.In.Before(o.Stay.Out) {
		return nil, errors.New("no key, no such room, or no nights")
	}
	return s.table.book(o)
}

func (s *Simulator) cancel(r *http.Request) (any, error) {
	if !s.table.forget(func(b Booking) bool { return b.Reference == r.PathValue("reference") }) {
		return nil, ErrNoBooking
	}
	return nil, nil
}

func (s *Simulator) withdraw(r *http.Request) (any, error) {
	s.table.withdraw(r.PathValue("key"))
	return nil, nil
}

func (s *Simulator) setMode(r *http.Request) (any, error) {
	var wanted struct{ Mode string }
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !slices.Contains(Modes, wanted.Mode) {
		return nil, fmt.Errorf("the modes are %v", Modes)
	}
	s.mode.Store(wanted.Mode)
	return nil, nil
}

func stayOf(r *http.Request) (Stay, error) {
	query := r.URL.Query()
	in, err := ParseDate(query.Get("from"))
	if err != nil {
		return Stay{}, err
	}
	out, err := ParseDate(query.Get("to"))
	return Stay{query.Get("room"), in, out}, err
}

func respond(w http.ResponseWriter, body any, err error) {
	switch {
	case errors.Is(err, ErrStaleFence):
		fail(w, http.StatusConflict, err)
	case errors.Is(err, ErrNoBooking):
		fail(w, http.StatusNotFound, err)
	case err != nil:
		fail(w, http.StatusBadRequest, err)
	case body == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, body)
	}
}

func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has hung up; it will ask again
}
