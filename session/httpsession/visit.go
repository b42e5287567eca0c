// SPDX-License-Identifier: MIT

package httpsession

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// Visit is the session of one request, whether there is one or not. Get it with
// [Logins.From]. Nothing is read before a method needs it, and nothing is stored
// for a visitor of whom nothing is to be stored. It is for the goroutine of the
// request alone.
//
// Errors of every method: those of package session, such as
// session.ErrUnavailable, and [ErrInvalid] for a nil Visit. A session that ended
// while the request ran is session.ErrNotFound; it is not made anew.
type Visit[T any] struct {
	logins *Logins[T]
	w      writer
	r      *http.Request
	known  bool
	s      *session.Session[T] // nil without one; as last read or written
	lasts  bool                // its cookie outlives the browser
	unread []session.ID        // that cannot be decoded
}

// load reads the session when it is first needed: one round trip, none without a
// cookie.
func (v *Visit[T]) load(ctx context.Context) (*session.Session[T], error) {
	if v == nil {
		return nil, fmt.Errorf("%w: the request did not come through Logins.Handler", ErrInvalid)
	}
	if v.known {
		return v.s, nil
	}
	v.varies()
	for id := range v.ids() {
		s, err := v.logins.sessions.Get(ctx, id)
		if _, corrupt := errors.AsType[*session.CorruptError](err); corrupt {
			v.unread = append(v.unread, id)
			v.logins.cfg.OnError(v.r, err)
		} else if err != nil && !errors.Is(err, session.ErrNotFound) {
			return nil, fmt.Errorf("httpsession: reading the session: %w", err)
		}
		if err == nil {
			v.s = s
			break
		}
	}
	v.known = true
	return v.s, nil
}

// varies keeps shared caches from giving the response to others. The values are
// those of all responses: their capacity is 1, so that adding one copies them.
func (v *Visit[T]) varies() {
	h := v.w.Header()
	if h["Vary"] == nil {
		h["Vary"] = v.logins.vary
	} else {
		h.Add("Vary", v.logins.vary[0])
	}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = private
	}
}

var private = []string{"private"}

// ids yields what the request has for a session, the best first. Each cookie is read
// when it is needed.
func (v *Visit[T]) ids() iter.Seq[session.ID] {
	return func(yield func(session.ID) bool) {
		if token := v.header(); token != "" {
			if id, err := session.ParseID(token); err == nil {
				yield(id)
			}
			return
		}
		if v.r.Header["Cookie"] == nil {
			return
		}
		plain := isPlain(v.r)
		for _, c := range []cookie{v.logins.login, v.logins.visitor} {
			id, lasts, ok := c.read(v.r, plain)
			if v.lasts = lasts; ok && !yield(id) {
				return
			}
		}
	}
}

// header returns the token in Config.Header.
func (v *Visit[T]) header() string {
	name := v.logins.cfg.Header
	if name == "" {
		return ""
	}
	value := v.r.Header.Get(name)
	if strings.EqualFold(name, "Authorization") {
		scheme, token, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	return value
}

// Data returns the session's data, as it was when this request last read or wrote
// it; the zero T without a session. The value is the caller's, but do not change what
// its maps, slices and pointers lead to: this request sees it too. Use [Visit.Update].
func (v *Visit[T]) Data(ctx context.Context) (data T, err error) {
	s, err := v.load(ctx)
	if s == nil || err != nil {
		return data, err
	}
	return s.Data, nil
}

// Subject returns who is logged in, or [ErrNoLogin].
func (v *Visit[T]) Subject(ctx context.Context) (string, error) {
	s, err := v.load(ctx)
	if err != nil {
		return "", err
	}
	if s == nil || s.Subject == "" {
		return "", ErrNoLogin
	}
	return s.Subject, nil
}

// Update changes the session's data and stores it before it returns. When
// another request has saved in between, fn is called again with what that saved,
// so fn must have no effect but on its argument. An error of fn is returned as it
// is, and nothing is stored. A visitor without a session gets one, which is
// [ErrSent] when the response has begun. Two round trips; one for a new session.
func (v *Visit[T]) Update(ctx context.Context, fn func(*T) error) error {
	s, err := v.load(ctx)
	switch {
	case err != nil:
		return err
	case fn == nil:
		return fmt.Errorf("%w: a nil function", ErrInvalid)
	case s != nil:
		if s, err = v.logins.sessions.Update(ctx, s.ID, fn); err == nil {
			v.s = s
		}
		return err
	case v.w.sent:
		return fmt.Errorf("%w: a new session needs a cookie", ErrSent)
	}
	var data T
	if err := fn(&data); err != nil {
		return err
	}
	if s, err = v.logins.sessions.Create(ctx, data); err != nil {
		return err
	}
	v.is(s, 0)
	return nil
}

// is makes s the session of the request and of the client.
func (v *Visit[T]) is(s *session.Session[T], age time.Duration) {
	v.s, v.known, v.lasts = s, true, age > 0
	if v.header() != "" {
		return
	}
	h, plain := v.w.Header(), v.logins.isPlain(v.r)
	if s.Subject == "" {
		v.logins.visitor.set(h, plain, s.ID.Token(), age)
		return
	}
	v.logins.login.set(h, plain, s.ID.Token(), age)
	v.logins.visitor.remove(h, v.r, plain)
}

// LoginOption is an option of [Visit.Login].
type LoginOption func(*loginOptions)

type loginOptions struct{ remember time.Duration }

// Remember keeps the login for that long, whether it is used or not, and when
// the browser is closed; the cookie ends with the session. Without it, the cookie
// ends with the browser, and the session by the manager's timeouts.
func Remember(d time.Duration) LoginOption {
	return func(o *loginOptions) { o.remember = d }
}

// Login makes the client's session one of subject, after the caller has checked
// who it is. It keeps the visitor's data, gives the session a new id, so that a
// planted or stolen one is worthless, and begins its absolute age anew. A login
// of another subject ends, with its data. Of two logins of one visitor at once, one
// has the data. [ErrInvalid] for an empty subject; [ErrSent] when the response has
// begun; session.ErrFull by Config.MaxPerSubject. One round trip, two with a session
// that this request has not read yet.
func (v *Visit[T]) Login(ctx context.Context, subject string, opts ...LoginOption) error {
	if subject == "" {
		return fmt.Errorf("%w: a login needs a subject", ErrInvalid)
	}
	s, err := v.load(ctx)
	if err != nil {
		return err
	}
	if v.w.sent {
		return fmt.Errorf("%w: a login needs a cookie", ErrSent)
	}
	var want loginOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&want)
		}
	}
	life := session.DefaultLifetime()
	if want.remember > 0 {
		life = session.Lifetime(-1, want.remember)
	}
	var other *session.Session[T]
	if s != nil && s.Subject != "" && s.Subject != subject {
		other, s = s, nil
	}
	for s != nil {
		v.describe(&s.Data)
		err := v.logins.sessions.Bind(ctx, s, subject, life)
		if conflict, ok := errors.AsType[*session.ConflictError[T]](err); ok && ctx.Err() == nil {
			s = conflict.Current
			continue
		}
		if errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrReadOnly) { // ended, or moved by another login of this browser
			s = nil
			break
		}
		if err != nil {
			return err
		}
		v.is(s, want.remember)
		return nil
	}
	var data T
	v.describe(&data)
	if s, err = v.logins.sessions.Create(ctx, data, session.ForSubject(subject), life); err != nil {
		return err
	}
	v.is(s, want.remember)
	if other != nil {
		return v.logins.sessions.Delete(ctx, other.ID)
	}
	return nil
}

// Rotate gives the session a new id. Call it when the rights of the login change.
// [ErrSent] when the response has begun, [ErrNoLogin] without a login.
func (v *Visit[T]) Rotate(ctx context.Context) error {
	if _, err := v.Subject(ctx); err != nil {
		return err
	}
	if v.w.sent {
		return fmt.Errorf("%w: a new id needs a cookie", ErrSent)
	}
	for s := v.s; ; {
		err := v.logins.sessions.Rotate(ctx, s)
		if conflict, ok := errors.AsType[*session.ConflictError[T]](err); ok && ctx.Err() == nil {
			s = conflict.Current
			continue
		}
		if err != nil {
			return err
		}
		age := time.Duration(0)
		if v.lasts {
			age = s.ExpiresAt.Sub(s.LastActivity) // by the store's clock
		}
		v.is(s, age)
		return nil
	}
}

// Logout ends the session, also one that cannot be decoded, and removes its cookies;
// those of a response that has begun stay, and lead nowhere. Without a session it is
// no error. When the store does not answer, the cookies stay, so that it can be
// called again.
func (v *Visit[T]) Logout(ctx context.Context) error {
	s, err := v.load(ctx)
	if err != nil {
		return err
	}
	ending := v.unread
	if s != nil {
		ending = append(ending, s.ID)
	}
	for _, id := range ending {
		if err := v.logins.sessions.Delete(ctx, id); err != nil {
			return err
		}
	}
	v.s, v.unread = nil, nil
	if v.header() == "" {
		h, plain := v.w.Header(), isPlain(v.r)
		v.logins.login.remove(h, v.r, plain)
		v.logins.visitor.remove(h, v.r, plain)
	}
	return nil
}

// LogoutElsewhere ends all other sessions of the subject and returns how many
// there were. [ErrNoLogin] without a login.
func (v *Visit[T]) LogoutElsewhere(ctx context.Context) (int, error) {
	subject, err := v.Subject(ctx)
	if err != nil {
		return 0, err
	}
	return v.logins.sessions.DeleteSubject(ctx, subject, v.s.ID)
}

// Token returns the secret of the session, for a client that sends it in
// Config.Header; "" without a session, and for a request with an earlier id.
func (v *Visit[T]) Token(ctx context.Context) (string, error) {
	s, err := v.load(ctx)
	if s == nil || err != nil {
		return "", err
	}
	return s.ID.Token(), nil
}

// LogValue returns the session's redacted id, and whether there is a login. It
// reads nothing.
func (v *Visit[T]) LogValue() slog.Value {
	if v == nil || v.s == nil {
		return slog.GroupValue(slog.Bool("login", false))
	}
	return slog.GroupValue(slog.Any("id", v.s.ID), slog.Bool("login", v.s.Subject != ""))
}
