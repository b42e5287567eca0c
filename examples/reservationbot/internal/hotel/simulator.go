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
//	POST   /bookings       Order              201 Booking; 409 when the fence is stale, or the order was withdrawn
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
	done   chan struct{}
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
		done:   make(chan struct{}),
	}
	s.mode.Store(Healthy)
	s.server = &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("simulated PMS", "err", err)
		}
	}()
	return s, nil
}

// DoubleBookings counts the bookings that share a night with an earlier one.
func (s *Simulator) DoubleBookings() int { return s.table.doubleBookings() }

// Close ends the server, hanging requests included.
func (s *Simulator) Close() error {
	s.hangUp()
	err := s.server.Close()
	<-s.done
	return err
}

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rooms/free", s.feel(s.free))
	mux.HandleFunc("GET /bookings", s.feel(s.list))
	mux.HandleFunc("POST /bookings", s.feel(s.book))
	mux.HandleFunc("DELETE /bookings/{reference}", s.feel(s.cancel))
	mux.HandleFunc("DELETE /orders/{key}", s.feel(s.withdraw))
	mux.HandleFunc("GET /double-bookings", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]int{"count": s.DoubleBookings()})
	})
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.table.all()) })
	mux.HandleFunc("DELETE /ledger", func(w http.ResponseWriter, r *http.Request) {
		s.table.forget(func(b Booking) bool { return strings.HasPrefix(b.Guest, r.URL.Query().Get("guests")) })
		answer(w, http.StatusNoContent, nil)
	})
	mux.HandleFunc("PUT /faults", s.setMode)
	return http.MaxBytesHandler(mux, 1<<16)
}

type handler func(r *http.Request) (status int, body any)

// feel runs h as well as the mode allows. The request is read before any
// waiting, so that the server notices when the client hangs up; h runs after
// it, so that a client that has gone changes nothing.
func (s *Simulator) feel(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			answer(w, http.StatusRequestEntityTooLarge, problem("too large"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		wait := time.After(latency)
		switch s.mode.Load() {
		case Failing:
			answer(w, http.StatusServiceUnavailable, problem("out of order"))
			return
		case Slow:
			wait = time.After(s.slowBy)
		case Hanging:
			wait = nil
		}
		select {
		case <-wait:
			status, body := h(r)
			if s.mode.Load() == Lossy && r.Method != http.MethodGet {
				panic(http.ErrAbortHandler) // hangs up
			}
			answer(w, status, body)
		case <-r.Context().Done():
		}
	}
}

func (s *Simulator) free(r *http.Request) (int, any) {
	stay, err := stayOf(r)
	if err != nil {
		return http.StatusBadRequest, problem(err.Error())
	}
	return http.StatusOK, s.table.free(stay.In, stay.Out)
}

func (s *Simulator) list(r *http.Request) (int, any) {
	if guest := r.URL.Query().Get("guest"); guest != "" {
		return http.StatusOK, slices.DeleteFunc(s.table.all(), func(b Booking) bool { return b.Guest != guest })
	}
	stay, err := stayOf(r)
	if err != nil {
		return http.StatusBadRequest, problem(err.Error())
	}
	fence, err := strconv.ParseUint(r.URL.Query().Get("fence"), 10, 64)
	if err != nil {
		return http.StatusBadRequest, problem(err.Error())
	}
	bookings, ok := s.table.overlapping(stay, fence)
	if !ok {
		return http.StatusConflict, problem("stale fence")
	}
	return http.StatusOK, bookings
}

func (s *Simulator) book(r *http.Request) (int, any) {
	var o Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		return http.StatusBadRequest, problem(err.Error())
	}
	if o.Key == "" || !slices.Contains(s.table.rooms, o.Stay.Room) || !o.Stay.In.Before(o.Stay.Out) {
		return http.StatusBadRequest, problem("no key, no such room, or no nights")
	}
	b, ok := s.table.book(o)
	if !ok {
		return http.StatusConflict, problem("stale fence, or withdrawn")
	}
	return http.StatusCreated, b
}

func (s *Simulator) cancel(r *http.Request) (int, any) {
	if !s.table.forget(func(b Booking) bool { return b.Reference == r.PathValue("reference") }) {
		return http.StatusNotFound, problem("no such booking")
	}
	return http.StatusNoContent, nil
}

func (s *Simulator) withdraw(r *http.Request) (int, any) {
	s.table.withdraw(r.PathValue("key"))
	return http.StatusNoContent, nil
}

func (s *Simulator) setMode(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Mode string }
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !slices.Contains(Modes, wanted.Mode) {
		answer(w, http.StatusBadRequest, problem(fmt.Sprintf("the modes are %v", Modes)))
		return
	}
	s.mode.Store(wanted.Mode)
	answer(w, http.StatusNoContent, nil)
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

func problem(text string) map[string]string { return map[string]string{"error": text} }

func answer(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has hung up; it will ask again
}
