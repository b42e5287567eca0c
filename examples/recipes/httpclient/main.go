// SPDX-License-Identifier: MIT

// A price is asked for over HTTP. When the hotel's system does not answer, the last
// price that is known takes its place.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/circuitbreaker/breakerhttp"
)

// prices asks through a client with a breaker for each host.
type prices struct {
	client *http.Client
	last   atomic.Value // string
}

func (p *prices) today(ctx context.Context, url string) (price string, err error) {
	price, err = p.ask(ctx, url)
	if err == nil {
		p.last.Store(price)
		return price, nil
	}
	if last, ok := p.last.Load().(string); ok {
		return last + " (as before: " + reason(err) + ")", nil
	}
	return "", err
}

func (p *prices) ask(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a breaker adds no deadline
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(text), err
}

func reason(err error) string {
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return "not asked" // the breaker is open
	}
	return "no answer"
}

func main() {
	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{
		Breaker: circuitbreaker.Config{Name: "hotels", ConsecutiveFailures: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	hotel := newHotel()
	defer hotel.Close()
	base := new(http.Transport)
	defer base.CloseIdleConnections()
	p := &prices{client: &http.Client{Transport: breakerhttp.NewTransport(base, breakerhttp.ByHost(hosts))}}
	for range 4 {
		fmt.Println(p.today(context.Background(), hotel.URL))
	}
}

// newHotel starts a system that answers once and then fails.
func newHotel() *httptest.Server {
	var asked atomic.Int32
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "120 EUR")
	}))
}
