// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// note is the data of the sessions in which the promises of peers are played.
type note struct {
	httpsession.State
	Text, More string
}

type visit = httpsession.Visit[note]

// stay is where one promise is played: sessions with all defaults on a Redis of their
// own, in virtual time.
type stay struct {
	*testing.T
	client  *redis.Client
	users   *session.Manager[note]
	logins  *httpsession.Logins[note]
	events  []session.Event
	expired []string // texts that OnExpire got
}

func newStay(t *testing.T) *stay {
	s := &stay{T: t}
	s.client, _ = redistest.Virtual(t)
	var err error
	s.users, err = session.New(redissession.New(s.client), session.Config[note]{
		Name: "users", Observer: s,
		OnExpire: func(_ context.Context, e session.Expired[note]) error {
			s.expired = append(s.expired, e.Data.Text)
			return nil
		},
	})
	s.must(err)
	s.logins, err = httpsession.New(s.users, httpsession.Config[note]{})
	s.must(err)
	return s
}

func (s *stay) ObserveSession(_ context.Context, e session.Event) { s.events = append(s.events, e) }

// seen returns the events of an operation, of which there has to be one.
func (s *stay) seen(op session.Op) []session.Event {
	s.Helper()
	all := slices.DeleteFunc(slices.Clone(s.events), func(e session.Event) bool { return e.Op != op })
	if len(all) == 0 {
		s.Fatalf("there is no event of %v", op)
	}
	return all
}

func (s *stay) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stay) equal(got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%v, want %v", got, want)
	}
}

func (s *stay) begin(text string, opts ...session.CreateOption) *session.Session[note] {
	s.Helper()
	one, err := s.users.Create(s.Context(), note{Text: text}, opts...)
	s.must(err)
	return one
}

func (s *stay) get(id session.ID) *session.Session[note] {
	s.Helper()
	one, err := s.users.Get(s.Context(), id)
	s.must(err)
	return one
}

func (s *stay) put(one *session.Session[note], text string) {
	s.Helper()
	one.Data.Text = text
	s.must(s.users.Save(s.Context(), one))
}

func (s *stay) holds(id session.ID, text string) {
	s.Helper()
	s.equal(s.get(id).Data.Text, text)
}

func (s *stay) isGone(id session.ID) {
	s.Helper()
	if _, err := s.users.Get(s.Context(), id); !errors.Is(err, session.ErrNotFound) {
		s.Errorf("%v, want ErrNotFound", err)
	}
}

// unknown is a well-formed id of no session.
func (s *stay) unknown() session.ID {
	id, err := session.ParseID("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	s.must(err)
	return id
}

func (s *stay) count() int {
	s.Helper()
	n, err := s.users.Count(s.Context())
	s.must(err)
	return int(n)
}

func (s *stay) of(subject string) []string { return s.texts(s.users.BySubject(s.Context(), subject)) }

func (s *stay) texts(all iter.Seq2[*session.Session[note], error]) (texts []string) {
	s.Helper()
	for one, err := range all {
		s.must(err)
		texts = append(texts, one.Data.Text)
	}
	slices.Sort(texts)
	return texts
}

// serve has a handler answer a request with a token.
func (s *stay) serve(token string, do func(*visit) error) *httptest.ResponseRecorder {
	s.Helper()
	r, w := httptest.NewRequest(http.MethodGet, "https://site.example/", nil), httptest.NewRecorder()
	for _, name := range []string{"__Host-session", "__Host-session-visitor"} {
		r.AddCookie(&http.Cookie{Name: name, Value: token})
	}
	s.logins.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.must(do(s.logins.From(r.Context())))
	})).ServeHTTP(w, r)
	return w
}
