// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/internal/configerr"
)

var (
	errNoPick     = fmt.Errorf("breakerhttp: %w: the transport has no Pick", circuitbreaker.ErrInvalid)
	errNoResponse = errors.New("breakerhttp: the base transport returned neither a response nor an error")
)

// Transport is an [http.RoundTripper] that sends a request only if a breaker
// lets it through. Make it with [NewTransport]. It is safe for concurrent use if
// the base transport is.
type Transport struct {
	base   http.RoundTripper
	pick   Pick
	status func(code int) circuitbreaker.Outcome
	atEnd  bool
}

var _ http.RoundTripper = (*Transport)(nil)

// Option changes a [Transport].
type Option func(*Transport)

// WithStatus sets the function that returns the outcome of a response's status,
// in place of [DefaultStatus]; nil changes nothing. It is called once for each
// response, from any number of goroutines.
func WithStatus(outcome func(code int) circuitbreaker.Outcome) Option {
	return func(t *Transport) {
		if outcome != nil {
			t.status = outcome
		}
	}
}

// WithSettleAtEnd settles a successful response when its body ends: as a success
// at EOF or when the caller closes it earlier, by Config.Classify when reading
// fails or the request's context has ended. The time of the call, and so whether
// it is slow, then includes the body.
//
// A body that is never closed is a call that never ends: close every body, as
// net/http requires. A protocol switch (101) is settled at its header, and so is
// a probe: a healthy stream closes the breaker at once, instead of holding the
// probe's slot until [circuitbreaker.Probes].Timeout.
func WithSettleAtEnd() Option { return func(t *Transport) { t.atEnd = true } }

// NewTransport returns a transport that guards the requests of base with the
// breakers that pick returns. A nil base is [http.DefaultTransport]; nil options
// are skipped. If pick is nil, every request fails with
// [circuitbreaker.ErrInvalid].
func NewTransport(base http.RoundTripper, pick Pick, opts ...Option) *Transport {
	if configerr.IsNil(base) {
		base = http.DefaultTransport
	}
	t := &Transport{base: base, pick: pick, status: DefaultStatus}
	for _, o := range opts {
		if o != nil {
			o(t)
		}
	}
	return t
}

// RoundTrip sends the request if its breaker lets it through. Otherwise it
// closes the request's body and returns a [*circuitbreaker.OpenError], or
// [circuitbreaker.ErrInvalid] for a breaker that was not made.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.pick == nil {
		return reject(req, errNoPick)
	}
	b := t.pick(req)
	if b == nil {
		return t.base.RoundTrip(req)
	}
	permit, err := b.Allow()
	if err != nil {
		return reject(req, err)
	}
	var resp *http.Response
	settled, returned := false, false
	defer func() {
		if !settled {
			permit.Failure()
		}
		if !returned && resp != nil && resp.Body != nil { // a callback panicked
			resp.Body.Close()
		}
	}()
	resp, broken, err := t.send(req)
	outcome := circuitbreaker.Failure
	switch {
	case resp != nil:
		outcome = t.status(resp.StatusCode)
	case err != nil && req.Context().Err() == nil && (broken || isRefusal(err)):
		outcome = circuitbreaker.Ignored
	}
	settled = true
	t.settle(b, permit, req, resp, outcome, err)
	returned = true
	return resp, err
}

// send reports, too, whether the caller's body broke.
func (t *Transport) send(req *http.Request) (resp *http.Response, broken bool, err error) {
	if !watched(req) {
		resp, err = t.base.RoundTrip(req)
		return resp, false, err
	}
	w := watch(req)
	resp, err = t.base.RoundTrip(&w.Request)
	if resp != nil && resp.Request == &w.Request {
		resp.Request = req
	}
	return resp, w.body.broken.Load(), err
}

func reject(req *http.Request, err error) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, err
}

// settle settles the call, or leaves a success to the body's end. A call of a
// half-open breaker is a probe: a stream would keep its slot.
func (t *Transport) settle(b *circuitbreaker.Breaker, permit circuitbreaker.Permit, req *http.Request, resp *http.Response, outcome circuitbreaker.Outcome, err error) {
	ctx := req.Context()
	switch {
	case outcome == circuitbreaker.Ignored:
		permit.Ignore()
	case err != nil:
		permit.Done(ctx, err)
	case resp == nil:
		permit.Done(ctx, errNoResponse)
	case outcome != circuitbreaker.Success:
		permit.Done(ctx, newStatusError(resp))
	case t.atEnd && hasEnd(resp) && b.State() != circuitbreaker.HalfOpen:
		resp.Body = &body{ReadCloser: resp.Body, permit: permit, ctx: ctx}
	default:
		permit.Done(ctx, nil)
	}
}

// CloseIdleConnections calls the method of the base transport, if it has one.
// [http.Client.CloseIdleConnections] calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
