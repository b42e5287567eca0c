// SPDX-License-Identifier: MIT

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/lock"
)

// serve answers on the web until ctx ends, and then lets the requests that
// are under way finish.
func serve(ctx context.Context, b *bot, out io.Writer) error {
	listener, err := net.Listen("tcp", b.options.addr)
	if err != nil {
		return err
	}
	server := newServer(b)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "http://%s/\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	err = server.Shutdown(patience)
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// newServer bounds everything that a client can make it wait for or store.
func newServer(b *bot) *http.Server {
	return &http.Server{
		Handler:           routes(b),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 14,
	}
}

const maxBody = 1 << 14

func routes(b *bot) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.page)
	mux.HandleFunc("POST /message", b.message)
	mux.HandleFunc("GET /api/faults", b.getFaults)
	mux.HandleFunc("PUT /api/faults", b.putFaults)
	mux.HandleFunc("POST /api/sessions/corrupt", b.corruptSessions)
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		guarded.ServeHTTP(w, r)
	})
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// status is what the page shows.
type status struct {
	Guest   string
	Lines   []desk.Line
	Breaker circuitbreaker.Stats
	Holds   []lock.Hold
	Chats   int64
	Audit   audit.Stats
	Events  []audit.Event
	Errors  []error
}

// page shows the state of things, and the conversation of the guest that the
// query names. What cannot be read is left out, with the reason.
func (b *bot) page(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	b.catchUp(ctx)
	s := status{Guest: r.URL.Query().Get("guest"), Breaker: b.breaker.Stats(), Audit: b.trail.Stats()}
	note := func(err error) {
		if err != nil {
			s.Errors = append(s.Errors, err)
		}
	}
	var err error
	if isName(s.Guest) {
		s.Lines, err = b.desk.History(ctx, s.Guest)
		note(err)
	}
	s.Chats, err = b.chats.Count(ctx)
	note(err)
	s.Holds, err = b.held(ctx)
	note(err)
	s.Events, err = b.latestEvents(ctx, 20)
	note(err)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := pageTemplate.Execute(w, s); err != nil {
		slog.Warn("page", "err", err)
	}
}

// catchUp gives the trail a moment to write what was just recorded. Without a
// database the page shows what is there.
func (b *bot) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_ = b.trail.Flush(ctx)
}

// message takes what a guest says, and sends the browser back to the page.
func (b *bot) message(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read, or is too large", http.StatusBadRequest)
		return
	}
	guest, text := r.PostForm.Get("guest"), r.PostForm.Get("text")
	if !isName(guest) || strings.TrimSpace(text) == "" || !utf8.ValidString(text) {
		http.Error(w, "a name of 1 to 64 characters and a text are needed", http.StatusBadRequest)
		return
	}
	if reply := b.desk.Answer(r.Context(), guest, text); reply.Err != nil {
		slog.Warn("answer", "intent", reply.Intent, "err", reply.Err)
	}
	http.Redirect(w, r, "/?"+url.Values{"guest": {guest}}.Encode(), http.StatusSeeOther)
}

func isName(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 64 && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// held lists the holds of all rooms, in order.
func (b *bot) held(ctx context.Context) (holds []lock.Hold, err error) {
	for h, err := range b.rooms.Holds(ctx, lock.Resource{}) {
		if err != nil {
			return holds, err
		}
		holds = append(holds, h)
	}
	return holds, nil
}

func (b *bot) latestEvents(ctx context.Context, n int) (events []audit.Event, err error) {
	for e, err := range b.sink.Query(ctx, gormsink.Filter{Newest: true}) {
		if err != nil || len(events) == n {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}
