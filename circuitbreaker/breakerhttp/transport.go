// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

var (
	errNoPick     = fmt.Errorf("breakerhttp: %w: the transport has no Pick", circuitbreaker.ErrInvalid)
	errNoResponse = errors.New("breakerhttp: the transport below gave neither a response nor an error")
)

// Transport is an [http.RoundTripper] that asks a breaker before each request.
// Make it with [NewTransport]. It may be used from any number of goroutines if
// the transport below may.
type Transport struct {
	base   http.RoundTripper
	pick   Pick
	status func(code int) circuitbreaker.Outcome
	atEnd  bool
}

var _ http.RoundTripper = (*Transport)(nil)

// Option changes a [Transport].
type Option func(*Transport)

// WithStatus says what a response's status tells about the server, in place of
// [DefaultStatus]; nil changes nothing. It is called once a response, from any
// number of goroutines.
func WithStatus(outcome func(code int) circuitbreaker.Outcome) Option {
	return func(t *Transport) {
		if outcome != nil {
			t.status = outcome
		}
	}
}

// WithSettleAtEnd settles a successful response when its body ends: as a success
// at EOF or when the caller closes it earlier, as Config.Classify says when
// reading fails or the request's context has ended. How long a call takes, and
// so whether it is slow, then includes the body.
//
// A body that is never closed is a call that never ends; close every body, as
// net/http asks for anyway. A protocol switch (101) is settled at once.
func WithSettleAtEnd() Option { return func(t *Transport) { t.atEnd = true } }

// NewTransport puts the breakers that pick chooses before base; nil is
// [http.DefaultTransport]. Without a pick, every request is refused with
// [circuitbreaker.ErrInvalid].
func NewTransport(base http.RoundTripper, pick Pick, opts ...Option) *Transport {
	if base == nil {
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
// closes the request's body and returns a [*circuitbreaker.OpenError].
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
	returned := false
	defer func() {
		if !returned {
			permit.Failure()
		}
	}()
	resp, err := t.base.RoundTrip(req)
	outcome := circuitbreaker.Failure
	if resp != nil {
		outcome = t.status(resp.StatusCode)
	}
	returned = true
	t.settle(permit, req, resp, outcome, err)
	return resp, err
}

func reject(req *http.Request, err error) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, err
}

// settle draws the consequences of a round trip, or leaves a success to the
// body's end.
func (t *Transport) settle(permit circuitbreaker.Permit, req *http.Request, resp *http.Response, outcome circuitbreaker.Outcome, err error) {
	ctx := req.Context()
	switch {
	case err != nil:
		permit.Done(ctx, err)
	case resp == nil:
		permit.Done(ctx, errNoResponse)
	case outcome == circuitbreaker.Ignored:
		permit.Ignore()
	case outcome != circuitbreaker.Success:
		permit.Done(ctx, newStatusError(resp))
	case t.atEnd && hasEnd(resp):
		resp.Body = &body{ReadCloser: resp.Body, permit: permit, ctx: ctx}
	default:
		permit.Done(ctx, nil)
	}
}

// CloseIdleConnections passes the call of [http.Client] of that name on.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
