// SPDX-License-Identifier: MIT

// Package breakerhttp guards the requests of an [http.Client] with circuit
// breakers.
//
//	hosts, err := circuitbreaker.NewGroup(circuitbreaker.GroupConfig{Breaker: circuitbreaker.Config{Name: "hosts"}})
//	...
//	client := &http.Client{Transport: breakerhttp.NewTransport(nil, breakerhttp.ByHost(hosts))}
//
// # What counts as what
//
//	500, 502, 503, 504             failure: the server is in trouble
//	429                            ignored: it is well, and asks for patience
//	any other status, 501 and 505
//	and the other 4xx included     success: it answered; the question was at fault
//	no response                    as Config.Classify says: a failure, unless the
//	                               request's own context was cancelled
//
// [WithStatus] replaces the first three lines. A failing status reaches
// [circuitbreaker.Config].Classify as a [*StatusError], and the events and
// rejections as their cause. The caller gets the response all the same, and
// untouched.
//
// A Retry-After that comes with a failing status, in seconds or as a date, keeps
// a breaker that this response opens open at least that long, up to Max of its
// [circuitbreaker.Backoff].
//
// # Guarantees
//
//   - A rejected request has its body closed, as net/http asks for, and gets a
//     [*circuitbreaker.OpenError] (inside the client's [*url.Error]): never a
//     response that no server sent.
//   - Every request that was let through is settled once, also when the transport
//     below panics or ends its goroutine.
//   - A request costs no allocation beyond the transport's below; one when its
//     status fails or, with [WithSettleAtEnd], when it has a body.
//
// # Not guaranteed
//
//   - By default a call ends with the response's header: a server that stalls
//     within the body is not noticed. [WithSettleAtEnd] goes on to the body's end.
//   - Nothing is retried and no deadline is added.
package breakerhttp
