// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

var errDisk = errors.New("the disk failed")

// sentByHTTP2 are wrong requests that HTTP/2 sends and the server answers.
var sentByHTTP2 = []string{"a length and no body", "shorter than announced", "bad method"}

// The texts of net/http's errors distinguish a wrong request from a wrong
// server, so each is made by a real transport.
func TestAWrongRequestIsIgnored(t *testing.T) {
	stream := func(r io.Reader) func(*http.Request) {
		return func(req *http.Request) {
			req.Method, req.Body, req.ContentLength = http.MethodPost, io.NopCloser(r), -1
		}
	}
	announced := func(length int64, text string) func(*http.Request) {
		return func(req *http.Request) {
			stream(strings.NewReader(text))(req)
			req.ContentLength = length
		}
	}
	both(t, func(t *testing.T, http2 bool) {
		url, base := serve(t, http2, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done() // no answer before the client noticed
		})
		for name, spoil := range map[string]func(*http.Request){
			"unreadable body":        stream(iotest.ErrReader(errDisk)),
			"body broken off":        stream(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errDisk))),
			"shorter than announced": announced(10, "half"),
			"longer than announced":  announced(2, "half"),
			"a length and no body":   func(req *http.Request) { req.ContentLength = 10 },
			"unknown scheme":         func(req *http.Request) { req.URL.Scheme = "htps" },
			"no scheme":              func(req *http.Request) { req.URL.Scheme = "" },
			"no host":                func(req *http.Request) { req.URL.Host = "" },
			"no URL":                 func(req *http.Request) { req.URL = nil },
			"no header":              func(req *http.Request) { req.Header = nil },
			"bad header name":        func(req *http.Request) { req.Header["a b"] = []string{"x"} },
			"bad header value":       func(req *http.Request) { req.Header["A"] = []string{"x\n"} },
			"bad trailer":            func(req *http.Request) { req.Trailer = http.Header{"A": {"x\n"}} },
			"bad method":             func(req *http.Request) { req.Method = "GET IT" },
		} {
			if http2 && slices.Contains(sentByHTTP2, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				b := fragile(t)
				defer b.Reset()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				spoil(req)
				if got := outcomeOf(t, b, NewTransport(base, One(b)), req); got != circuitbreaker.Ignored {
					t.Errorf("counted as %v", got)
				}
			})
		}
	})
}

// A transport closes the body when the server fails, and its reader then gets an
// error, too.
func TestAServerThatFailsWithinAnUploadIsAFailure(t *testing.T) {
	b := fragile(t)
	defer b.Reset()
	base := tripFunc(func(req *http.Request) (*http.Response, error) {
		req.Body.Close()
		if _, err := req.Body.Read(make([]byte, 1)); err != io.ErrClosedPipe {
			t.Errorf("the body has %v", err)
		}
		return nil, errRefused
	})
	req := get(t)
	req.Body, _ = io.Pipe()
	if got := outcomeOf(t, b, NewTransport(base, One(b)), req); got != circuitbreaker.Failure {
		t.Errorf("counted as %v", got)
	}
}

// The deadline of a request that hangs is a failure, whatever became of its body.
func TestADeadlineIsNoFaultOfTheBody(t *testing.T) {
	late, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	b := fragile(t)
	defer b.Reset()
	base := tripFunc(func(req *http.Request) (*http.Response, error) {
		_, err := req.Body.Read(nil)
		return nil, err
	})
	req := get(t).WithContext(late)
	req.Body = io.NopCloser(iotest.ErrReader(late.Err()))
	if got := outcomeOf(t, b, NewTransport(base, One(b)), req); got != circuitbreaker.Failure {
		t.Errorf("counted as %v", got)
	}
}

func TestAResponseBelongsToTheCallersRequest(t *testing.T) {
	b := fragile(t)
	base := tripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Request: req, Body: http.NoBody}, req.Body.Close()
	})
	body := &countingBody{Reader: strings.NewReader("x")}
	req := get(t)
	req.Body = body
	resp, err := NewTransport(base, One(b)).RoundTrip(req)
	if err != nil || resp.Request != req || req.Body != body || body.closed != 1 {
		t.Errorf("error %v, request %p instead of %p, its body %v, closed %d times", err, resp.Request, req, req.Body, body.closed)
	}
}

// An event stream has no end.
func TestAProbeThatIsAStreamClosesTheBreakerAtItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fragile(t)
		stream := tripFunc(func(*http.Request) (*http.Response, error) {
			r, _ := io.Pipe()
			return &http.Response{StatusCode: 200, Body: r}, nil
		})
		tr := NewTransport(stream, One(b), WithSettleAtEnd())
		b.Trip(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		resp, err := tr.RoundTrip(get(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.State(); got != circuitbreaker.Closed {
			t.Errorf("%v while the stream runs", got)
		}
		time.Sleep(time.Hour)
		resp.Body.Close()
		if got := b.Stats(); got.State != circuitbreaker.Closed || got.Total.Success != 1 {
			t.Errorf("afterwards %+v", got)
		}
	})
}
