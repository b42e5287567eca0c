// SPDX-License-Identifier: MIT

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
	"github.com/holdfast-go/holdfast/lock"
)

// Parts are what the site shows and steers.
type Parts struct {
	Desk     *desk.Desk
	Rooms    *lock.Manager
	Trail    *audit.Log
	Events   *gormsink.Sink
	PMS      *hotel.Client
	Switches *fault.Board
	Registry *prometheus.Registry
	// Storm lets the guests loose on the hotel, or on another one without
	// locks, and counts.
	Storm func(ctx context.Context, guests int, locks bool) (Tally, error)
	// Tick is how often open pages look for changes; default 250 ms.
	Tick time.Duration
	// Local is the name of a site on loopback. Requests for a host of another
	// name are then refused, because a page from elsewhere can have its name
	// point to 127.0.0.1 and be taken for this one. "" allows all.
	Local string
}

// Site serves the page. Make it with [New], keep [Site.Run] running while it
// serves. Safe for concurrent use.
type Site struct {
	Parts
	*Watch
	storm   stormState
	streams streams
	history history
	pages   map[talk.Lang]*template.Template
	cancel  context.CancelFunc // ends the storm and the streams
	ctx     context.Context
}

// New returns a site that watches as w does.
func New(p Parts, w *Watch) *Site {
	if p.Tick == 0 {
		p.Tick = 250 * time.Millisecond
	}
	s := &Site{Parts: p, Watch: w, pages: parsePages()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
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
			s.history.sample(s.Registry)
		case <-ctx.Done():
			s.Close()
			return
		}
	}
}

// Close ends the streams and the storm, and waits for it.
func (s *Site) Close() {
	s.cancel()
	s.storm.wg.Wait()
}

const maxBody = 1 << 14

//go:embed page.html page.css page.js
var assets embed.FS

// Handler serves everything.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /events", s.events)
	mux.Handle("GET /page.css", http.FileServerFS(assets))
	mux.Handle("GET /page.js", http.FileServerFS(assets))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /runbooks/{alert}", s.runbook)
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
			fail(w, http.StatusMisdirectedRequest, "The page on loopback answers to localhost and to addresses, not to other names.")
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// isOwn tells whether a request for this host means this site. An address, other
// than a name, means whom it reaches.
func (s *Site) isOwn(host string) bool {
	if s.Local == "" {
		return true
	}
	name := (&url.URL{Host: host}).Hostname()
	_, err := netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost") || strings.EqualFold(name, s.Local)
}

// healthz says that the process answers.
func (s *Site) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
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
