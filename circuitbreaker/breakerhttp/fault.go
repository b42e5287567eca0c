// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// refusals begin the errors of net/http for a request that it does not send
// because the request itself is wrong. The errors have no types.
var refusals = []string{
	"http: nil Request.", "http: no Host in request URL", "unsupported protocol scheme",
	"net/http: invalid header", "net/http: invalid trailer", "net/http: invalid method",
	"http: Request.ContentLength=",
}

func isRefusal(err error) bool {
	return slices.ContainsFunc(refusals, func(start string) bool { return strings.HasPrefix(err.Error(), start) })
}

// watchedRequest is a request whose body shows whether the caller broke it.
type watchedRequest struct {
	http.Request
	body watchedBody
}

// watched reports whether the body of req can fail. One that has GetBody is in
// memory; net/http recognizes its type and sends it with the header.
func watched(req *http.Request) bool {
	return req.Body != nil && req.Body != http.NoBody && req.GetBody == nil
}

func watch(req *http.Request) *watchedRequest {
	w := &watchedRequest{Request: *req, body: watchedBody{ReadCloser: req.Body, length: req.ContentLength}}
	w.Body = &w.body
	return w
}

// watchedBody reads the body of a request.
type watchedBody struct {
	io.ReadCloser
	length, read int64 // length is not positive when it is unknown
	closed       atomic.Bool
	broken       atomic.Bool // it could not be read, or has not the length it should have
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	failed := err != nil && err != io.EOF
	wrong := b.length > 0 && (b.read > b.length || err == io.EOF && b.read < b.length)
	if (failed || wrong) && !b.closed.Load() {
		b.broken.Store(true)
	}
	return n, err
}

// Close is first of all a mark: the transport closes the body when the server
// fails, and what Read returns after that is no fault of the caller.
func (b *watchedBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}
