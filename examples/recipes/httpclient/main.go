// SPDX-License-Identifier: MIT

// An http.Client whose calls to one system go through a breaker.
package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// guarded is a transport for one system. An answer of 500 or above counts as a
// failure, and is returned like every other.
type guarded struct {
	breaker *circuitbreaker.Breaker
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. The body is read after it returns, so
// it takes a permit: the context that Do gives would have ended.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	permit, err := g.breaker.Allow()
	if err != nil {
		return nil, err
	}
	answer, err := g.next.RoundTrip(r)
	if err == nil && answer.StatusCode >= 500 {
		permit.Failure()
	} else {
		permit.Done(r.Context(), err) // a caller that gave up says nothing about the system
	}
	return answer, err
}

func main() {
	hotel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
	}))
	defer hotel.Close()
	breaker, err := circuitbreaker.New(circuitbreaker.Config{Name: "hotel", ConsecutiveFailures: 2})
	if err != nil {
		log.Fatal(err)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: guarded{breaker, transport}, Timeout: 5 * time.Second}
	for range 3 {
		answer, err := client.Get(hotel.URL)
		if err != nil {
			fmt.Println("not called:", errors.Is(err, circuitbreaker.ErrOpen))
			continue
		}
		fmt.Println(answer.Status)
		answer.Body.Close()
	}
}
