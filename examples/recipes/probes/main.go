// SPDX-License-Identifier: MIT

// Probes for Kubernetes: when a pod is restarted, and when it gets requests.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// probes answers /livez with 200 while the process serves requests: a restart
// mends no other system. /readyz is 200 from the end of the start until the stop
// begins. Neither asks Redis, the database or a breaker: all pods would fail at
// once, and the service could not even say that it is sorry. Alerts are for those;
// the text of /readyz is for people.
func probes(ready *atomic.Bool, trail *audit.Log, hotel *circuitbreaker.Breaker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "hotel: %s, trail: %v", hotel.State(), trail.Healthy()) // both only read memory
	})
	return mux
}

func main() {
	trail, err := audit.New(audit.NewMemory(), audit.Config{})
	if err != nil {
		log.Fatal(err)
	}
	hotel, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	defer trail.Close(ctx)
	var ready atomic.Bool
	handler := probes(&ready, trail, hotel)
	ask(handler, "/livez", "/readyz") // while it starts
	ready.Store(true)
	hotel.Trip(errors.New("no answer"))
	ask(handler, "/readyz")
	ready.Store(false) // after SIGTERM, before the listener closes
	ask(handler, "/readyz")
}

func ask(handler http.Handler, paths ...string) {
	for _, path := range paths {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Code, w.Body)
	}
}
