// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// body settles the call when the response's body ends.
type body struct {
	io.ReadCloser
	permit  circuitbreaker.Permit
	ctx     context.Context // of the request
	settled atomic.Bool     // Close may come while Read runs
}

// hasEnd reports whether there is a body to wait for. One of a protocol switch
// is also written to, and lasts as long as the two sides like.
func hasEnd(resp *http.Response) bool {
	return resp.Body != nil && resp.Body != http.NoBody && resp.StatusCode != http.StatusSwitchingProtocols
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		b.settle(nil)
	default:
		b.settle(err)
	}
	return n, err
}

// Close before the end is the caller's choice, unless the context made it.
func (b *body) Close() error {
	b.settle(b.ctx.Err())
	return b.ReadCloser.Close()
}

func (b *body) settle(err error) {
	if !b.settled.Swap(true) {
		b.permit.Done(b.ctx, err)
	}
}
