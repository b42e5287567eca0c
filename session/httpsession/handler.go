// SPDX-License-Identifier: MIT

package httpsession

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
)

// Handler returns a handler that gives next the request's [Visit]. It reads
// nothing from the store and sets no header: the methods of Visit do. A handler
// within another one of the same Logins shares its Visit.
func (l *Logins[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.From(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		if err := l.cfg.Protection.Check(r); err != nil {
			http.Error(w, "The request comes from another site.", http.StatusForbidden)
			return
		}
		v := &Visit[T]{logins: l, w: writer{ResponseWriter: w}}
		v.r = r.WithContext(context.WithValue(r.Context(), l, v))
		next.ServeHTTP(&v.w, v.r)
	})
}

// Required returns a [Logins.Handler] that calls next for those who are logged
// in. Other requests are answered by Config.Unauthorized, or with status 503 and
// Retry-After while the store does not answer. What next answers is not stored by
// caches and browsers (Cache-Control: no-store) unless it says otherwise, so that
// the back button shows nothing of it after the logout.
func (l *Logins[T]) Required(next http.Handler) http.Handler {
	return l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := l.From(r.Context()).Subject(r.Context())
		switch {
		case errors.Is(err, ErrNoLogin):
			l.cfg.Unauthorized.ServeHTTP(w, r)
		case err != nil:
			l.cfg.OnError(r, err)
			w.Header().Set("Retry-After", "2")
			http.Error(w, "Logins cannot be checked at the moment.", http.StatusServiceUnavailable)
		default:
			w.Header().Set("Cache-Control", "no-store")
			next.ServeHTTP(w, r)
		}
	}))
}

// From returns the visit of a request's context, or nil when the request did not
// come through [Logins.Handler]. The methods of a nil Visit return [ErrInvalid].
func (l *Logins[T]) From(ctx context.Context) *Visit[T] {
	v, _ := ctx.Value(l).(*Visit[T])
	return v
}

// isPlain is isPlain, and logs once that cookies are not Secure.
func (l *Logins[T]) isPlain(r *http.Request) bool {
	plain := isPlain(r)
	if plain {
		l.plain.Do(func() {
			slog.Default().WarnContext(r.Context(), "httpsession: plain HTTP on loopback, for development: cookies are not Secure",
				"cookie", l.login.on(true).Name)
		})
	}
	return plain
}

// writer notices when the response begins: from then on no cookie can be set.
type writer struct {
	http.ResponseWriter
	sent bool
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.sent = true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.sent = true
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps the fast path of [io.Copy] from a file.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.sent = true
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (w *writer) FlushError() error {
	w.sent = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker].
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.sent = true
	}
	return conn, buffered, err
}

// Unwrap leads [http.ResponseController] to all else that the server offers.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
