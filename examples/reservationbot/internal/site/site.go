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
//	POST /api/storm     {"guests":1000}      starts a storm, of a thousand guests without a body; its result appears in the state
//	POST /api/reset                          the simulated PMS forgets its bookings, and a changed row of the trail is put back
//	GET  /metrics /healthz /readyz           for Prometheus and the orchestrator
//	GET  /breakers/                          the breaker, for holdfastctl
//
// Errors of the API are problem details (RFC 9457). Writes from other sites
// are refused, and so are bodies of more than 16 KiB. The site answers to
// addresses, to localhost, and to the names that it was started with.
package site

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/circuitbreaker/breakerhttp"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/fault"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/talk"
	"github.com/holdfast-go/holdfast/session/httpsession"
)

// Parts are what the site shows and steers.
type Parts struct {
	Desk     *desk.Desk
	Trail    *audit.Log
	Events   *gormsink.Sink
	PMS      *hotel.Client
	Switches *fault.Board
	Logins   *httpsession.Logins[struct{}] // a visitor's subject is the guest who the visitor is
	Registry *prometheus.Registry
	Watch    *Watch
	// Storms lets the guests loose on the hotel, and then on another one without
	// locks, and calls done with what came of each.
	Storms func(ctx context.Context, guests int, done func(Tally)) error
	// Tick is how often open pages look for changes; default 250 ms.
	Tick time.Duration
	// Hosts are names of the site, beside localhost. Requests for another name are
	// refused: a page from elsewhere can have its name point to the site's address and
	// be taken for it.
	Hosts []string
}

// Site serves the page. Make it with [New], keep [Site.Run] running while it
// serves. Safe for concurrent use.
type Site struct {
	Parts
	panels   panels
	visitors visitors
	storm    atomic.Pointer[Storms] // the one that is on, or was last
	streams  streams
	history  atomic.Pointer[history]
	pages    map[talk.Lang]*template.Template

	ctx     context.Context
	cancel  context.CancelFunc // ends the storm, the streams and the reads
	mu      sync.Mutex         // held to begin something in the background, and to cancel
	running sync.WaitGroup
}

// New returns a site of the parts.
func New(p Parts) *Site {
	if p.Tick == 0 {
		p.Tick = 250 * time.Millisecond
	}
	s := &Site{Parts: p, pages: parsePages(), streams: streams{wake: make(chan struct{})}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.storm.Store(new(Storms))
	s.history.Store(&history{sparks: charts})
	s.openPanels()
	return s
}

// begin runs f in the background, unless the site is closed. Close waits for it.
func (s *Site) begin(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Go(f)
	return true
}

// Run samples the metrics until ctx ends, and then ends the streams and the
// storm, if there is one, and waits for it. The pages that are on their way
// are the server's to wait for.
func (s *Site) Run(ctx context.Context) {
	every := time.NewTicker(sampleEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			s.sample()
		case <-ctx.Done():
			s.Close()
			return
		}
	}
}

// Close ends the streams, the storm and the reads, and waits for the latter two.
func (s *Site) Close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.running.Wait()
}

const maxBody = 1 << 14

//go:embed page.html page.css page.js
var assets embed.FS

// Handler serves everything.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.Logins.Handler(http.HandlerFunc(s.page)))
	mux.HandleFunc("GET /events", s.events)
	mux.Handle("GET /page.css", http.FileServerFS(assets))
	mux.Handle("GET /page.js", http.FileServerFS(assets))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /runbooks/{alert}", runbook)
	mux.Handle("/breakers/", breakerhttp.Handler(slices.Values([]*circuitbreaker.Breaker{s.Desk.Breaker})))
	s.forms(mux)
	s.api(mux)
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "The request comes from another site.")
	}))
	guarded := sameOrigin.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if !s.isOwn(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "The page answers to addresses, to localhost and to the names that -host gave it.")
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// isOwn reports whether a request for this host means this site. An address, other
// than a name, means whom it reaches.
func (s *Site) isOwn(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	_, err := netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost") ||
		slices.ContainsFunc(s.Hosts, func(own string) bool { return own != "" && strings.EqualFold(name, own) })
}

// readyz says whether guests can be served: Redis answers. An open breaker or
// an audit database that is down do not matter, since the bot copes with them.
func (s *Site) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if _, err := s.Desk.Chats.Count(ctx); err != nil {
		fail(w, http.StatusServiceUnavailable, "Redis does not answer.")
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
