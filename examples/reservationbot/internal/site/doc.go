// SPDX-License-Identifier: MIT

// Package site is the bot's web page and HTTP API.
//
//	GET  /                                   the page; whole without JavaScript
//	GET  /events?guest=&lang=                its sections again whenever they change (server-sent events)
//	GET  /api/state?guest=                   everything that the page shows, as JSON
//	POST /api/chat      {"guest","text"}     a message of a guest and its answer
//	GET  /api/faults                         what is broken on purpose
//	PUT  /api/faults    {"pms":"failing"}    turns the switches that are named: see fault.Switches
//	POST /api/sessions/corrupt               damages the records of the latest conversations
//	POST /api/sessions/{guest}/corrupt       damages one
//	POST /api/cleanup                        one cleanup cycle of the sessions, and its report
//	POST /api/storm     {"guests":1000}      starts a storm; its result appears in the state
//	POST /api/reset                          the simulated PMS forgets its bookings
//	GET  /metrics /healthz /readyz           for Prometheus and the orchestrator
//	GET  /breakers/                          the breaker, for holdfastctl
//
// Errors of the API are problem details (RFC 9457). Writes from other sites
// are refused, and so are bodies of more than 16 KiB. On loopback the site
// answers to localhost, to addresses, and to the name that it was started with.
package site
