// SPDX-License-Identifier: MIT

package breakerhttp_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/circuitbreaker/breakerhttp"
)

// downServer answers every request with 503 and asks for 30 s of patience.
func downServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
}

func show(resp *http.Response, err error) {
	if open, ok := errors.AsType[*circuitbreaker.OpenError](err); ok {
		fmt.Println(open, "- asked to wait:", open.RetryAfter() > 20*time.Second)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
}

func Example() {
	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: breakerhttp.NewTransport(nil, breakerhttp.ByHost(hosts))}

	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	show(client.Get(server.URL))
	client.CloseIdleConnections()
	// Output: 404 Not Found
}

func ExampleNewTransport() {
	server := downServer()
	defer server.Close()
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 2})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: breakerhttp.NewTransport(server.Client().Transport, breakerhttp.One(pms))}
	for range 3 {
		show(client.Get(server.URL))
	}
	// Output:
	// 503 Service Unavailable
	// 503 Service Unavailable
	// circuitbreaker: pms is open (too_many_in_a_row): breakerhttp: the server answered 503 Service Unavailable - asked to wait: true
}

func ExampleByHost() {
	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{
		Breaker: circuitbreaker.Config{Name: "hosts", ConsecutiveFailures: 1},
	})
	if err != nil {
		panic(err)
	}
	pick := breakerhttp.ByHost(hosts)
	for _, url := range []string{"https://pms.example/rooms", "https://PMS.example:443/guests", "https://mail.example/"} {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(pick(req).Name())
	}
	// Output:
	// hosts/pms.example
	// hosts/pms.example
	// hosts/mail.example
}

// A pick may look at anything in the request. This one guards writes only.
func ExamplePick() {
	writes, err := circuitbreaker.New(circuitbreaker.Config{Name: "writes"})
	if err != nil {
		panic(err)
	}
	writes.ForceOpen(errors.New("maintenance"))
	pick := func(req *http.Request) *circuitbreaker.Breaker {
		if req.Method == http.MethodGet {
			return nil
		}
		return writes
	}
	server := downServer()
	defer server.Close()
	client := &http.Client{Transport: breakerhttp.NewTransport(server.Client().Transport, pick)}
	show(client.Get(server.URL))
	_, err = client.Post(server.URL, "text/plain", nil)
	fmt.Println(errors.Is(err, circuitbreaker.ErrOpen))
	// Output:
	// 503 Service Unavailable
	// true
}

func ExampleWithStatus() {
	server := downServer()
	defer server.Close()
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 1})
	if err != nil {
		panic(err)
	}
	patient := breakerhttp.WithStatus(func(code int) circuitbreaker.Outcome {
		if code == http.StatusServiceUnavailable {
			return circuitbreaker.Ignored
		}
		return breakerhttp.DefaultStatus(code)
	})
	client := &http.Client{Transport: breakerhttp.NewTransport(server.Client().Transport, breakerhttp.One(pms), patient)}
	show(client.Get(server.URL))
	fmt.Println(pms.State())
	// Output:
	// 503 Service Unavailable
	// closed
}

func ExampleWithSettleAtEnd() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "not a thousand bytes")
	}))
	defer server.Close()
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms", ConsecutiveFailures: 1})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: breakerhttp.NewTransport(server.Client().Transport, breakerhttp.One(pms), breakerhttp.WithSettleAtEnd())}
	resp, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, pms.State())
	_, err = io.ReadAll(resp.Body)
	fmt.Println(err, pms.State())
	// Output:
	// 200 OK closed
	// unexpected EOF open
}
