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

// handler returns a body that becomes JSON, or nil.
type handler func(*http.Request) (body any, err error)

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /rooms/free":              s.feel(s.table.free),
		"GET /bookings":                s.feel(s.table.list),
		"POST /bookings":               s.feel(s.table.book),
		"DELETE /bookings/{reference}": s.feel(s.table.cancel),
		"DELETE /orders/{key}":         s.feel(s.table.withdraw),
		"GET /double-bookings":         func(*http.Request) (any, error) { return map[string]int{"count": s.DoubleBookings()}, nil },
		"GET /ledger":                  func(*http.Request) (any, error) { return s.table.find(func(Booking) bool { return true }), nil },
		"DELETE /ledger":               s.table.clear,
		"PUT /faults":                  s.setMode,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := h(r)
			respond(w, body, err)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16)) // the server then notices when the client hangs up
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		mux.ServeHTTP(w, r)
	})
}

var errFailing = errors.New("out of order")

// feel has h work as well as the mode allows. It runs after any waiting: a client that
// has gone changes nothing.
func (s *Simulator) feel(h handler) handler {
	return func(r *http.Request) (any, error) {
		wait := time.After(latency)
		switch s.mode.Load() {
		case Failing:
			return nil, errFailing
		case Slow:
			wait = time.After(s.slowBy)
		case Hanging:
			wait = nil
		}
		select {
		case <-wait:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		body, err := h(r)
		if s.mode.Load() == Lossy && r.Method != http.MethodGet {
			panic(http.ErrAbortHandler) // hangs up
		}
		return body, err
	}
}

func (s *Simulator) setMode(r *http.Request) (any, error) {
	var wanted struct{ Mode string }
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !slices.Contains(Modes, wanted.Mode) {
		return nil, fmt.Errorf("the modes are %v", Modes)
	}
	s.mode.Store(wanted.Mode)
	return nil, nil
}

func respond(w http.ResponseWriter, body any, err error) {
	switch {
	case errors.Is(err, ErrStaleFence):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, ErrNoBooking):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, errFailing):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case body == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // a client that hung up will ask again
	}
}
