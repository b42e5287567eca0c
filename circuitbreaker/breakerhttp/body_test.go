// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// open starts a guarded response whose body is read from r, and returns it
// before anything is read.
func open(t *testing.T, ctx context.Context, b *circuitbreaker.Breaker, r io.Reader) *http.Response {
	t.Helper()
	base := tripFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: &countingBody{Reader: r}}, nil
	})
	resp, err := NewTransport(base, One(b), WithSettleAtEnd()).RoundTrip(get(t).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if total := b.Stats().Total; total != (circuitbreaker.Counts{}) {
		t.Fatalf("%+v is counted before the body's end", total)
	}
	return resp
}

func TestABodySettlesItsCallOnceAtItsEnd(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errRefused))
	for name, tc := range map[string]struct {
		body io.Reader
		use  func(io.ReadCloser, context.CancelFunc)
		want circuitbreaker.Counts
	}{
		"read to the end":    {strings.NewReader("text"), func(b io.ReadCloser, _ context.CancelFunc) { io.ReadAll(b) }, circuitbreaker.Counts{Success: 1}},
		"closed early":       {strings.NewReader("text"), func(b io.ReadCloser, _ context.CancelFunc) {}, circuitbreaker.Counts{Success: 1}},
		"broken off":         {broken, func(b io.ReadCloser, _ context.CancelFunc) { io.ReadAll(b) }, circuitbreaker.Counts{Failure: 1, Consecutive: 1}},
		"cancelled":          {strings.NewReader("text"), func(_ io.ReadCloser, cancel context.CancelFunc) { cancel() }, circuitbreaker.Counts{Ignored: 1}},
		"cancelled too late": {strings.NewReader("text"), func(b io.ReadCloser, cancel context.CancelFunc) { io.ReadAll(b); cancel() }, circuitbreaker.Counts{Success: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := fragile(t, func(c *circuitbreaker.Config) { c.ConsecutiveFailures = 2 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp := open(t, ctx, b, tc.body)
			tc.use(resp.Body, cancel)
			resp.Body.Close()
			resp.Body.Close()
			if got := b.Stats().Total; got != tc.want {
				t.Errorf("counted %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestWithoutABodyTheCallEndsAtTheHeader(t *testing.T) {
	for name, resp := range map[string]*http.Response{
		"no body":         {StatusCode: 204, Body: http.NoBody},
		"nil body":        {StatusCode: 200},
		"protocol switch": {StatusCode: 101, Body: &countingBody{}},
		"failure":         {StatusCode: 500, Body: &countingBody{}},
	} {
		b := fragile(t)
		body := resp.Body
		outcomeOf(t, b, NewTransport(tripFunc(func(*http.Request) (*http.Response, error) { return resp, nil }), One(b), WithSettleAtEnd()), get(t))
		if resp.Body != body {
			t.Errorf("%s: the body was replaced", name)
		}
		b.Reset()
	}
}

func TestASlowBodyIsASlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fragile(t, func(c *circuitbreaker.Config) { c.SlowCall = time.Second })
		resp := open(t, t.Context(), b, strings.NewReader("text"))
		time.Sleep(2 * time.Second)
		resp.Body.Close()
		if got := b.Stats().Total.Slow; got != 1 {
			t.Errorf("%d slow calls, want 1", got)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1e3", "99999999999999999999", "Sat, 12 Dec 2026 10:00:30 GMT", "Saturday, 12-Dec-26 10:00:30 GMT"} {
		f.Add(s, "Sat, 12 Dec 2026 10:00:00 GMT")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}})
		if got < 0 {
			t.Errorf("%v", got)
		}
		until, err := http.ParseTime(value)
		if now, errNow := http.ParseTime(date); err == nil && errNow == nil && got != max(until.Sub(now), 0) {
			t.Errorf("%v between %v and %v", got, now, until)
		}
		if err != nil && strings.Trim(value, "0123456789") != "" && got != 0 {
			t.Errorf("%q is neither seconds nor a date, and was read as %v", value, got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	in := func(value string) time.Duration { return retryAfter(http.Header{"Retry-After": {value}}) }
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-1": 0, "1.5": 0, "soon": 0,
		"9223372036":           9223372036 * time.Second,
		"9223372037":           9223372036 * time.Second, // as much as a Duration holds
		"99999999999999999999": 9223372036 * time.Second,
	} {
		if got := in(value); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // without a Date, the local clock counts
		if got := in(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)); got != time.Minute {
			t.Errorf("got %v", got)
		}
	})
	if got := (&StatusError{Code: 503}).Error(); got != "breakerhttp: the server answered 503 Service Unavailable" || errors.Unwrap(&StatusError{}) != nil {
		t.Error(got)
	}
}
