// SPDX-License-Identifier: MIT

// Package breakerhttp guards the requests of an [http.Client] with circuit
// breakers.
//
//	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
//	if err != nil {
//		log.Fatal(err)
//	}
//	client := &http.Client{Transport: breakerhttp.NewTransport(nil, breakerhttp.ByHost(hosts))}
//
// # Outcomes
//
//	500 and above, but not 501
//	and 505; 408                   failure: the server, or what stands before it,
//	                               does not work; 520 to 530 of CDNs included
//	429                            ignored: it works, but limits this client
//	any other status, 501, 505
//	and the other 4xx included     success: it answered; the request was at fault
//	no response, because of the
//	request                        ignored: its body cannot be read or has another
//	                               length than announced, or its scheme, host,
//	                               method or header is invalid
//	no response                    by Config.Classify: a failure, unless the
//	                               request's own context was cancelled
//
// [WithStatus] replaces the lines of statuses. A failing status is passed to
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
//     transport or a callback panics or ends its goroutine.
//   - A request costs no allocation beyond those of the base transport; one when
//     its body is a stream (it has no GetBody), one when its status fails or, with
//     [WithSettleAtEnd], when the response has a body.
//
// # Not guaranteed
//
//   - By default a call ends with the response's header: a server that stalls
//     within the body is not noticed. With [WithSettleAtEnd] it ends with the body,
//     except for a probe.
//   - Nothing is retried and no deadline is added.
package breakerhttp
