// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// serve starts a real server and returns its address and a transport to it.
func serve(t *testing.T, http2 bool, h http.HandlerFunc) (string, http.RoundTripper) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	if s.EnableHTTP2 = http2; http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport
}

// both runs a test over HTTP/1 and HTTP/2.
func both(t *testing.T, test func(t *testing.T, http2 bool)) {
	for version, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(version, func(t *testing.T) { test(t, http2) })
	}
}

// What net/http makes of an ended context differs by version and by how far the
// exchange was; what it counts as must not.
func TestAnEndedContextCountsTheSameOnAnyConnection(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		for _, within := range []string{"header", "body"} {
			for cause, want := range map[error]circuitbreaker.Counts{
				context.Canceled:                                        {Ignored: 1},
				errors.New("the guest left"):                            {Ignored: 1},
				context.DeadlineExceeded:                                {Failure: 1, Consecutive: 1},
				fmt.Errorf("%w: shift ended", context.DeadlineExceeded): {Failure: 1, Consecutive: 1},
			} {
				ctx, cancel := context.WithCancelCause(t.Context())
				url, base := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
					if within == "body" {
						io.WriteString(w, "half")
						w.(http.Flusher).Flush()
					} else {
						cancel(cause)
					}
					<-r.Context().Done()
				})
				b := fragile(t, func(c *circuitbreaker.Config) { c.ConsecutiveFailures = 2 })
				client := &http.Client{Transport: NewTransport(base, One(b), WithSettleAtEnd())}
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp, err := client.Do(req); err == nil {
					cancel(cause)
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if got := b.Stats().Total; got != want {
					t.Errorf("within the %s, because of %v: counted %+v, want %+v", within, cause, got, want)
				}
				cancel(nil)
			}
		}
	})
}

func TestARedirectAsksTheBreakerOfEachHost(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		var got string
		there, _ := serve(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			got = string(text)
		})
		here, base := serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, there, http.StatusTemporaryRedirect)
		})
		g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: NewTransport(base, ByHost(g))}
		post := func() error {
			resp, err := client.Post(here, "text/plain", strings.NewReader("a night"))
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		if err := post(); err != nil || got != "a night" {
			t.Fatalf("the second host got %q; error %v", got, err)
		}
		_, host, _ := strings.Cut(there, "://")
		g.Get(host).ForceOpen(nil)
		if err := post(); !errors.Is(err, circuitbreaker.ErrOpen) {
			t.Errorf("got %v, want a rejection by the second host's breaker", err)
		}
		for key, b := range g.All() {
			if n := b.Stats().Total.Success; n != map[bool]uint64{true: 1, false: 2}[key == host] {
				t.Errorf("%s: %d calls", key, n)
			}
		}
	})
}

// Some read to the end, some close early, some close while they read.
func TestConcurrentRequestsAreCountedOnceEach(t *testing.T) {
	both(t, func(t *testing.T, http2 bool) {
		const clients, each = 6, 20
		url, base := serve(t, http2, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a room") })
		b := fragile(t, func(c *circuitbreaker.Config) { c.SlowCall = time.Hour })
		client := &http.Client{Transport: NewTransport(base, One(b), WithSettleAtEnd())}
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				for range each {
					resp, err := client.Get(url)
					if err != nil {
						t.Error(err)
						return
					}
					if i%3 == 0 {
						wg.Go(func() { resp.Body.Close() })
					}
					if i%3 < 2 {
						io.Copy(io.Discard, resp.Body)
					}
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
		if got := b.Stats().Total; got.Success != clients*each {
			t.Errorf("counted %+v of %d requests", got, clients*each)
		}
	})
}
