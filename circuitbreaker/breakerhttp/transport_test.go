// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var errRefused = errors.New("connection refused")

// tripFunc is a transport that is a function.
type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answering is a transport that gives the same answer to every request.
func answering(code int, header ...string) tripFunc {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	resp := &http.Response{StatusCode: code, Header: h, Body: http.NoBody}
	return func(*http.Request) (*http.Response, error) { return resp, nil }
}

// fragile opens at the first failure, for 10 s, and closes after one success.
func fragile(t testing.TB, change ...func(*circuitbreaker.Config)) *circuitbreaker.Breaker {
	t.Helper()
	cfg := circuitbreaker.Config{
		Name: "api", ConsecutiveFailures: 1,
		OpenFor: circuitbreaker.Backoff{Base: 10 * time.Second, Jitter: -1},
		Probes:  circuitbreaker.Probes{Successes: 1},
	}
	for _, c := range change {
		c(&cfg)
	}
	b, err := circuitbreaker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func get(t testing.TB) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://pms.example/rooms", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// outcomeOf sends one request and returns the outcome that was counted.
func outcomeOf(t *testing.T, b *circuitbreaker.Breaker, tr *Transport, req *http.Request) circuitbreaker.Outcome {
	t.Helper()
	before := b.Stats().Total
	tr.RoundTrip(req)
	after := b.Stats().Total
	success, failure, ignored := after.Success-before.Success, after.Failure-before.Failure, after.Ignored-before.Ignored
	if success+failure+ignored != 1 {
		t.Errorf("%d successes, %d failures and %d ignored of one request", success, failure, ignored)
	}
	return circuitbreaker.Outcome(failure + 2*ignored)
}

func TestWhichStatusesFail(t *testing.T) {
	want := map[int]circuitbreaker.Outcome{
		408: circuitbreaker.Failure, 429: circuitbreaker.Ignored, 501: circuitbreaker.Success, 505: circuitbreaker.Success,
	}
	for code := 100; code < 1000; code++ {
		want, ok := want[code]
		if !ok && code >= 500 {
			want = circuitbreaker.Failure
		}
		b := fragile(t)
		if got := outcomeOf(t, b, NewTransport(answering(code), One(b)), get(t)); got != want {
			t.Errorf("%d is a %v, want %v", code, got, want)
		}
		b.Reset()
	}
}

func TestTheCallerGetsAFailingResponseAsItCame(t *testing.T) {
	b := fragile(t)
	defer b.Reset()
	base := answering(503)
	want, _ := base(nil)
	if got, err := NewTransport(base, One(b)).RoundTrip(get(t)); got != want || err != nil {
		t.Errorf("got %v and %v", got, err)
	}
}

func TestOwnStatuses(t *testing.T) {
	b := fragile(t)
	defer b.Reset()
	strict := WithStatus(func(code int) circuitbreaker.Outcome {
		if code == http.StatusTooManyRequests {
			return circuitbreaker.Failure
		}
		return DefaultStatus(code)
	})
	if got := outcomeOf(t, b, NewTransport(answering(429), One(b), strict, WithStatus(nil)), get(t)); got != circuitbreaker.Failure {
		t.Errorf("got %v", got)
	}
}

func TestWhatAMissingResponseCountsAs(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithCancelCause(t.Context())
	cancelLate(context.DeadlineExceeded)
	short, cancelShort := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancelShort()
	for name, tc := range map[string]struct {
		ctx  context.Context
		err  error
		want circuitbreaker.Outcome
	}{
		"refused":                    {t.Context(), errRefused, circuitbreaker.Failure},
		"cancelled by the caller":    {cancelled, context.Canceled, circuitbreaker.Ignored},
		"past the caller's deadline": {late, context.DeadlineExceeded, circuitbreaker.Failure},
		"an absurd deadline":         {short, context.DeadlineExceeded, circuitbreaker.Ignored},
		"neither":                    {t.Context(), nil, circuitbreaker.Failure},
	} {
		t.Run(name, func(t *testing.T) {
			b := fragile(t)
			defer b.Reset()
			base := tripFunc(func(*http.Request) (*http.Response, error) { return nil, tc.err })
			if got := outcomeOf(t, b, NewTransport(base, One(b)), get(t).WithContext(tc.ctx)); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

type countingBody struct {
	io.Reader
	closed int
}

func (b *countingBody) Close() error { b.closed++; return nil }

func TestARejectionClosesTheBodyAndInventsNoResponse(t *testing.T) {
	b := fragile(t)
	b.ForceOpen(errRefused)
	base := tripFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, nil })
	body := &countingBody{Reader: strings.NewReader("x")}
	req := get(t)
	req.Body = body
	resp, err := NewTransport(base, One(b)).RoundTrip(req)
	if open, ok := errors.AsType[*circuitbreaker.OpenError](err); resp != nil || !ok || open.Name != "api" {
		t.Errorf("got %v and %v, want an OpenError alone", resp, err)
	}
	if body.closed != 1 {
		t.Errorf("closed %d times, want once", body.closed)
	}
}

func TestClientsFindTheRejectionInTheirError(t *testing.T) {
	b := fragile(t)
	b.ForceOpen(nil)
	client := &http.Client{Transport: NewTransport(nil, One(b))}
	if _, err := client.Get("http://pms.example"); !errors.Is(err, circuitbreaker.ErrOpen) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAPickOrABreakerNothingIsSent(t *testing.T) {
	base := tripFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, nil })
	for name, pick := range map[string]Pick{
		"no pick": nil, "a nil breaker": One(nil), "a zero breaker": One(new(circuitbreaker.Breaker)),
		"a nil group": ByHost(nil), "a zero group": ByHost(new(circuitbreaker.Group)),
	} {
		body := &countingBody{Reader: strings.NewReader("x")}
		req := get(t)
		req.Body = body
		if _, err := NewTransport(base, pick).RoundTrip(req); !errors.Is(err, circuitbreaker.ErrInvalid) || body.closed != 1 {
			t.Errorf("%s: %v, body closed %d times; want ErrInvalid, and once", name, err, body.closed)
		}
	}
}

func TestARequestWithoutABreakerIsSentUnguarded(t *testing.T) {
	none := func(*http.Request) *circuitbreaker.Breaker { return nil }
	if resp, err := NewTransport(answering(500), none).RoundTrip(get(t)); err != nil || resp.StatusCode != 500 {
		t.Errorf("got %v and %v", resp, err)
	}
}

func TestANilBaseIsTheDefaultTransport(t *testing.T) {
	for _, base := range []http.RoundTripper{nil, (*http.Transport)(nil), tripFunc(nil)} {
		if got := NewTransport(base, nil, nil).base; got != http.DefaultTransport {
			t.Errorf("%T: %v", base, got)
		}
	}
}

func TestATransportThatDoesNotReturnIsAFailure(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("transport") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			b := fragile(t)
			defer b.Reset()
			tr := NewTransport(tripFunc(func(*http.Request) (*http.Response, error) { end(); return nil, nil }), One(b))
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { recover() }()
				tr.RoundTrip(get(t))
			})
			wg.Wait()
			if s := b.Stats(); s.Total.Failure != 1 || s.State != circuitbreaker.Open {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestAPanicOfACallbackLeavesNoResponseOpen(t *testing.T) {
	boom := func(int) circuitbreaker.Outcome { panic("boom") }
	for name, tc := range map[string]struct {
		code     int
		option   Option
		classify func(context.Context, error) circuitbreaker.Outcome
	}{
		"WithStatus": {200, WithStatus(boom), nil},
		"Classify":   {503, nil, func(context.Context, error) circuitbreaker.Outcome { return boom(0) }},
	} {
		b := fragile(t, func(c *circuitbreaker.Config) { c.Classify = tc.classify })
		defer b.Reset()
		body := &countingBody{}
		base := tripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: tc.code, Body: body}, nil
		})
		func() {
			defer func() {
				if recover() != "boom" {
					t.Errorf("%s: the panic was swallowed", name)
				}
			}()
			NewTransport(base, One(b), tc.option).RoundTrip(get(t))
		}()
		if s := b.Stats(); s.Total.Failure != 1 || body.closed != 1 {
			t.Errorf("%s: %d failures, body closed %d times, want 1 of each", name, s.Total.Failure, body.closed)
		}
	}
}

func TestRetryAfterKeepsABreakerOpenUpToMax(t *testing.T) {
	const base, most = 10 * time.Second, time.Minute // of fragile
	now := time.Date(2026, 12, 12, 10, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, tc := range map[string]struct {
		code   int
		header []string
		want   time.Duration
	}{
		"none":           {503, nil, base},
		"seconds":        {503, []string{"Retry-After", "30"}, 30 * time.Second},
		"less than ours": {503, []string{"Retry-After", "3"}, base},
		"too long":       {503, []string{"Retry-After", "86400"}, most},
		"a date":         {503, []string{"Retry-After", date(40 * time.Second), "Date", date(0)}, 40 * time.Second},
		"a date past":    {503, []string{"Retry-After", date(-time.Hour), "Date", date(0)}, base},
		"counted 429":    {429, []string{"Retry-After", "30"}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := fragile(t)
				defer b.Reset()
				all := WithStatus(func(int) circuitbreaker.Outcome { return circuitbreaker.Failure })
				tr := NewTransport(answering(tc.code, tc.header...), One(b), all)
				tr.RoundTrip(get(t))
				_, err := tr.RoundTrip(get(t))
				open, ok := errors.AsType[*circuitbreaker.OpenError](err)
				if !ok || open.RetryAfter() != tc.want {
					t.Fatalf("got %v, open for %v, want %v", err, open.RetryAfter(), tc.want)
				}
				status, ok := errors.AsType[*StatusError](open.Cause)
				if !ok || status.Code != tc.code {
					t.Errorf("the cause is %v", open.Cause)
				}
			})
		})
	}
}

func TestAnIgnoredProbeGivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fragile(t)
		b.Trip(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		NewTransport(answering(429), One(b)).RoundTrip(get(t))
		if s := b.Stats(); s.State != circuitbreaker.HalfOpen || s.Probing != 0 {
			t.Errorf("got %+v", s)
		}
		NewTransport(answering(200), One(b)).RoundTrip(get(t))
		if got := b.State(); got != circuitbreaker.Closed {
			t.Errorf("got %v", got)
		}
	})
}

func TestHostsAreToldApartAsServersAre(t *testing.T) {
	g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
	if err != nil {
		t.Fatal(err)
	}
	pick := ByHost(g)
	for url, want := range map[string]string{
		"http://pms.example/a":        "hosts/pms.example",
		"https://PMS.example/b":       "hosts/pms.example",
		"http://pms.example:80/":      "hosts/pms.example",
		"https://pms.example:443/":    "hosts/pms.example",
		"https://pms.example:80/":     "hosts/pms.example:80",
		"http://pms.example:8080/":    "hosts/pms.example:8080",
		"http://[::1]:80/":            "hosts/[::1]",
		"unix://pms.example:80/thing": "hosts/pms.example:80",
	} {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := pick(req).Name(); got != want {
			t.Errorf("%s has %q, want %q", url, got, want)
		}
	}
	if pick(new(http.Request)) != nil {
		t.Error("a request without a URL has a breaker")
	}
}

type idler struct {
	tripFunc
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestIdleConnectionsBelowCanBeClosed(t *testing.T) {
	base := new(idler)
	for _, rt := range []http.RoundTripper{base, base.tripFunc} {
		(&http.Client{Transport: NewTransport(rt, One(nil))}).CloseIdleConnections()
	}
	if base.closed != 1 {
		t.Errorf("called %d times, want once", base.closed)
	}
}

func TestGuardingAllocatesAtMostOnce(t *testing.T) {
	b := fragile(t, func(c *circuitbreaker.Config) { c.ConsecutiveFailures, c.FailureRate, c.MinCalls = 1<<30, 1, 1<<30 })
	open := fragile(t)
	open.ForceOpen(nil)
	g, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
	if err != nil {
		t.Fatal(err)
	}
	req, text := get(t), io.NopCloser(strings.NewReader(""))
	inMemory, err := http.NewRequest(http.MethodPost, "http://pms.example", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	upload := get(t)
	upload.Body = io.NopCloser(strings.NewReader("x"))
	withBody := &http.Response{StatusCode: 200}
	bodied := tripFunc(func(*http.Request) (*http.Response, error) { withBody.Body = text; return withBody, nil })
	for name, tc := range map[string]struct {
		tr   *Transport
		req  *http.Request
		most float64
	}{
		"success":             {NewTransport(answering(200), One(b)), req, 0},
		"success, by host":    {NewTransport(answering(200), ByHost(g)), req, 0},
		"body in memory":      {NewTransport(answering(200), One(b)), inMemory, 0},
		"upload":              {NewTransport(answering(200), One(b)), upload, 1},
		"failure":             {NewTransport(answering(503, "Retry-After", "3"), One(b)), req, 1},
		"failure with a date": {NewTransport(answering(503, "Retry-After", "Sat, 12 Dec 2026 10:00:30 GMT", "Date", "Sat, 12 Dec 2026 10:00:00 GMT"), One(b)), req, 1},
		"failure, no time":    {NewTransport(answering(503), One(b)), req, 1},
		"429":                 {NewTransport(answering(429), One(b)), req, 0},
		"rejection":           {NewTransport(answering(200), One(open)), req, 0},
		"success to the end":  {NewTransport(bodied, One(b), WithSettleAtEnd()), req, 1},
	} {
		if n := testing.AllocsPerRun(100, func() { tc.tr.RoundTrip(tc.req) }); n > tc.most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, tc.most)
		}
	}
}
