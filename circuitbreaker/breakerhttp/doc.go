// SPDX-License-Identifier: MIT

// Package breakerhttp guards the requests of an [http.Client] with circuit
// breakers.
//
//	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
//	...
//	client := &http.Client{Transport: breakerhttp.NewTransport(nil, breakerhttp.ByHost(hosts))}
//
// # Outcomes
//
//	500, 502, 503, 504             failure: the server does not work
//	429                            ignored: it works, but limits this client
//	any other status, 501 and 505
//	and the other 4xx included     success: it answered; the request was at fault
//	no response                    by Config.Classify: a failure, unless the
//	                               request's own context was cancelled
//
// [WithStatus] replaces the first three lines. A failing status is passed to
// [circuitbreaker.Config].Classify as a [*StatusError], which is then the cause
// in events and rejections. The caller gets the response unchanged.
//
// When a failing status opens the breaker and has a Retry-After header, in
// seconds or as a date, the breaker stays open at least that long, up to Max of
// its [circuitbreaker.Backoff].
//
// # Guarantees
//
//   - The body of a rejected request is closed, as net/http requires. The error
//     is a [*circuitbreaker.OpenError] (inside the client's [*url.Error]); no
//     response is made up.
//   - Every request that was let through is settled once, also when the base
//     transport panics or ends its goroutine.
//   - A request costs no allocation beyond those of the base transport; one when
//     its status fails or, with [WithSettleAtEnd], when the response has a body.
//
// # Not guaranteed
//
//   - By default a call ends with the response's header: a server that stalls
//     within the body is not noticed. With [WithSettleAtEnd] it ends with the body.
//   - Nothing is retried and no deadline is added.
package breakerhttp
