// SPDX-License-Identifier: MIT

package breakerhttp

import (
	"net/http"
	"strings"

	"github.com/holdfast-go/holdfast/circuitbreaker"
)

// Pick returns the breaker for a request. A request for which it returns nil is
// sent unguarded. It is called from any number of goroutines.
type Pick func(*http.Request) *circuitbreaker.Breaker

// One guards all requests with the same breaker. If b is nil, every request
// fails with [circuitbreaker.ErrInvalid].
func One(b *circuitbreaker.Breaker) Pick {
	if b == nil {
		b = new(circuitbreaker.Breaker) // fails every call
	}
	return func(*http.Request) *circuitbreaker.Breaker { return b }
}

// ByHost guards the requests to each host with a breaker of the group. The key
// is the URL's host in lower case, with its port unless that is the default of
// http or https. So both schemes of a host share a breaker. If g is nil, every
// request fails with [circuitbreaker.ErrInvalid].
func ByHost(g *circuitbreaker.Group) Pick {
	return func(req *http.Request) *circuitbreaker.Breaker {
		if req.URL == nil { // the base transport returns an error
			return nil
		}
		return g.Get(hostKey(req.URL.Scheme, req.URL.Host))
	}
}

func hostKey(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}
