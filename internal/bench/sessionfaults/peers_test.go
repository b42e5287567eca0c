// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/internal/bench"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/httpsession"
)

// promise is something that the tests of a peer's store in Redis promise, in own
// words.
type promise struct {
	peer, text string
	differs    string // what holdfast does instead, and why; empty where it does the same
	run        func(*stay)
}

// What is in here was read in goredisstore_test.go of scs, at the version that go.mod
// has; in sessions_test.go of gorilla/sessions (12bd476) and redisstore_test.go of
// rbcervilla/redisstore (443facf); in index_test.ts of connect-redis (22c865c); and in
// the RedisIndexedSessionRepositoryITests (0cd0bfb) and RedisSessionRepositoryITests
// (0c1dbc7) of Spring Session. What scs's middleware promises is in httpfaults.
var promises = []promise{
	{"scs", "a session that was saved is found", "", func(s *stay) { s.holds(s.begin("a").ID, "a") }},
	{"scs", "a token that is not there is no error", "it is session.ErrNotFound", func(s *stay) {
		s.isGone(s.unknown())
	}},
	{"scs", "a save replaces the data", "", func(s *stay) {
		one := s.begin("a")
		s.put(one, "b")
		s.holds(one.ID, "b")
	}},
	{"scs", "a session is not found after its end", "", func(s *stay) {
		one := s.begin("a", session.Lifetime(0, time.Minute))
		time.Sleep(59 * time.Second) // in the bubble
		s.holds(one.ID, "a")
		time.Sleep(time.Second) // in the bubble
		s.isGone(one.ID)
	}},
	{"scs", "a session that was destroyed is not found", "", func(s *stay) {
		one := s.begin("a")
		s.must(s.users.Delete(s.Context(), one.ID))
		s.isGone(one.ID)
	}},
	{"scs", "all sessions are listed with their data", "", func(s *stay) {
		for _, text := range []string{"a", "b", "c", "d"} {
			s.begin(text)
		}
		s.equal(s.texts(s.users.All(s.Context())), []string{"a", "b", "c", "d"})
	}},

	{"gorilla", "the first request of a visitor has a new session", "nothing is stored before there is something to store", func(s *stay) {
		w := s.serve("", func(v *visit) error {
			got, err := v.Data(s.Context())
			s.equal(got.Text, "")
			return err
		})
		s.equal(len(w.Result().Cookies()), 0)
		s.equal(s.count(), 0)
	}},
	{"gorilla", "path and age are options of a session", "the path is a setting of the site, the age of the session", func(s *stay) {
		one := s.begin("a", session.Lifetime(-1, 99999*time.Second))
		s.equal(one.ExpiresAt.Sub(one.CreatedAt), 99999*time.Second)
		site, err := httpsession.New(s.users, httpsession.Config[note]{Cookie: http.Cookie{Name: "login", Path: "/path"}})
		s.must(err)
		w := httptest.NewRecorder()
		site.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s.must(site.From(r.Context()).Login(r.Context(), "ann"))
		})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://site.example/path/", nil))
		s.equal(w.Result().Cookies()[0].Path, "/path")
	}},
	{"gorilla", "what a request has saved is there at the next one", "", func(s *stay) {
		w := s.serve("", func(v *visit) error {
			return v.Update(s.Context(), func(n *note) error { n.Text = "a"; return nil })
		})
		s.serve(w.Result().Cookies()[0].Value, func(v *visit) error {
			got, err := v.Data(s.Context())
			s.equal(got.Text, "a")
			return err
		})
	}},
	{"gorilla", "an age below 0 deletes the session", "Logout does, and removes the cookie", func(s *stay) {
		w := s.serve("", func(v *visit) error { return v.Login(s.Context(), "ann") })
		gone := s.serve(w.Result().Cookies()[0].Value, func(v *visit) error { return v.Logout(s.Context()) })
		s.equal(gone.Result().Cookies()[0].MaxAge, -1)
		s.equal(s.count(), 0)
	}},
	{"gorilla", "a store that is closed closes its connections", "the client is the caller's to close", func(s *stay) {
		s.users.Start()
		s.must(s.users.Stop(s.Context()))
		s.must(s.client.Ping(s.Context()).Err())
	}},
	{"gorilla", "flashes are read once, in their order", "", func(s *stay) {
		w := s.serve("", func(v *visit) error {
			return errors.Join(v.Flash(s.Context(), "foo"), v.Flash(s.Context(), "bar"))
		})
		for _, want := range [][]string{{"foo", "bar"}, nil} {
			s.serve(w.Result().Cookies()[0].Value, func(v *visit) error {
				got, err := v.Flashes(s.Context())
				s.equal(slices.Equal(got, want), true)
				return err
			})
		}
	}},
	{"gorilla", "flashes have keys, and any type", "they are texts; what else is read once is a field, which Update takes out", func(s *stay) {
		one := s.begin("once")
		var taken []string
		for range 2 {
			_, err := s.users.Update(s.Context(), one.ID, func(n *note) error {
				taken, n.Text = append(taken, n.Text), ""
				return nil
			})
			s.must(err)
		}
		s.equal(taken, []string{"once", ""})
	}},
	{"gorilla", "a name that no cookie can have is an error", "", func(s *stay) {
		_, err := httpsession.New(s.users, httpsession.Config[note]{Cookie: http.Cookie{Name: "session:key"}})
		s.equal(errors.Is(err, httpsession.ErrInvalid), true)
	}},

	{"connect-redis", "a session lives for a day", "for half an hour after its last use, and for a day at most", func(s *stay) {
		one := s.begin("a")
		s.equal(one.ExpiresAt.Sub(one.CreatedAt), 30*time.Minute)
		for range 24*3 - 1 {
			time.Sleep(20 * time.Minute) // in the bubble
			s.holds(one.ID, "a")
		}
		time.Sleep(20 * time.Minute) // in the bubble
		s.isGone(one.ID)
	}},
	{"connect-redis", "a session with an end of its own ends then", "", func(s *stay) {
		one := s.begin("a", session.Lifetime(-1, time.Minute))
		time.Sleep(time.Minute) // in the bubble
		s.isGone(one.ID)
	}},
	{"connect-redis", "a touch moves the end", "", func(s *stay) {
		one := s.begin("a")
		time.Sleep(20 * time.Minute) // in the bubble
		expires, err := s.users.Touch(s.Context(), one.ID)
		s.must(err)
		s.equal(expires.Sub(one.ExpiresAt), 20*time.Minute)
	}},
	{"connect-redis", "the ids of all are listed", "without their tokens, which only their owners know; they read, save and delete", func(s *stay) {
		s.begin("a")
		for one, err := range s.users.All(s.Context()) {
			s.must(err)
			s.equal(one.ID.Token(), "")
			s.put(one, "b")
			s.must(s.users.Delete(s.Context(), one.ID))
		}
		s.equal(s.count(), 0)
	}},
	{"connect-redis", "a thousand are counted and cleared", "", func(s *stay) {
		for i := range 1000 {
			s.begin(fmt.Sprint(i))
		}
		s.equal(s.count(), 1000)
		n, err := s.users.DeleteAll(s.Context())
		s.must(err)
		s.equal([2]int{n, s.count()}, [2]int{1000, 0})
	}},
	{"connect-redis", "a save with an end in the past ends the session", "out of scope: no caller names a time, the server's clock decides; Delete ends one", func(s *stay) {
		_, err := s.users.Create(s.Context(), note{}, session.Lifetime(0, time.Nanosecond))
		s.equal(errors.Is(err, session.ErrInvalid), true)
	}},

	{"Spring", "listeners get an event for the beginning of a session", "the caller of Create has the session; the event counts", func(s *stay) {
		s.begin("a")
		s.equal(s.seen(session.OpCreate)[0].Result, session.ResultOK)
	}},
	{"Spring", "listeners get one for its end, with its data", "with its hash, its subject and the reason; the data of those that expire is for OnExpire", func(s *stay) {
		one := s.begin("a", session.ForSubject("ann"))
		s.must(s.users.Delete(s.Context(), one.ID))
		e := s.seen(session.OpEnded)[0]
		s.equal([]any{e.Session, e.Subject, e.Reason}, []any{s.users.Hash(one.ID), "ann", session.ReasonDeleted})
		s.begin("b")
		time.Sleep(time.Hour) // in the bubble
		_, err := s.users.Sweep(s.Context())
		s.must(err)
		s.equal(s.expired, []string{"b"})
	}},
	{"Spring", "a value that was removed is gone, and the others stay", "", func(s *stay) {
		one := s.begin("a")
		one.Data.More = "b"
		s.must(s.users.Save(s.Context(), one))
		one = s.get(one.ID)
		one.Data.Text = ""
		s.must(s.users.Save(s.Context(), one))
		got := s.get(one.ID)
		s.equal([2]string{got.Data.Text, got.Data.More}, [2]string{"", "b"})
	}},
	{"Spring", "sessions are found by their user until they are deleted", "", func(s *stay) {
		one := s.begin("a", session.ForSubject("ann"))
		s.equal(s.of("ann"), []string{"a"})
		s.must(s.users.Delete(s.Context(), one.ID))
		s.equal(len(s.of("ann")), 0)
	}},
	{"Spring", "sessions are found by their user until they expire", "", func(s *stay) {
		s.begin("a", session.ForSubject("ann"))
		time.Sleep(30 * time.Minute) // in the bubble
		s.equal(len(s.of("ann")), 0)
	}},
	{"Spring", "other changes leave the user's sessions found", "", func(s *stay) {
		one := s.begin("a", session.ForSubject("ann"))
		s.put(one, "b")
		s.put(s.get(one.ID), "c")
		s.equal(s.of("ann"), []string{"c"})
	}},
	{"Spring", "a session whose user was taken away is not found by that", "by Unbind, with a new id", func(s *stay) {
		one := s.begin("a", session.ForSubject("ann"))
		s.must(s.users.Unbind(s.Context(), one))
		s.equal(len(s.of("ann")), 0)
		s.holds(one.ID, "a")
	}},
	{"Spring", "a session of another user now is found by that one only", "by Bind, with a new id", func(s *stay) {
		one := s.begin("a", session.ForSubject("ann"))
		s.must(s.users.Bind(s.Context(), one, "ben"))
		s.equal(len(s.of("ann")), 0)
		s.equal(s.of("ben"), []string{"a"})
	}},
	{"Spring", "after a change of the id only the new one is found, also with a change of the data", "for RotateGrace the old one leads to the session", func(s *stay) {
		one := s.begin("a")
		old := one.ID
		one.Data.Text = "b"
		s.must(s.users.Rotate(s.Context(), one))
		s.holds(old, "b")
		time.Sleep(10 * time.Second) // in the bubble
		s.isGone(old)
		s.holds(one.ID, "b")
	}},
	{"Spring", "the id changes twice, and only the last one is found", "each change is stored, and the first two lead to the session for RotateGrace", func(s *stay) {
		one := s.begin("a")
		first := one.ID
		s.must(s.users.Rotate(s.Context(), one))
		second := one.ID
		s.must(s.users.Rotate(s.Context(), one))
		time.Sleep(10 * time.Second) // in the bubble
		s.isGone(first)
		s.isGone(second)
		s.holds(one.ID, "a")
	}},
	{"Spring", "the id changes before the first save", "out of scope: Create stores, so no session has not been saved", func(s *stay) {
		s.equal(errors.Is(s.users.Rotate(s.Context(), &session.Session[note]{ID: s.unknown()}), session.ErrInvalid), true)
	}},
	{"Spring", "a save after the change of the id is one of the new id", "", func(s *stay) {
		one := s.begin("a")
		s.must(s.users.Rotate(s.Context(), one))
		s.put(one, "b")
		s.holds(one.ID, "b")
	}},
	{"Spring", "a session that was deleted is not saved, and gets no other id", "", func(s *stay) {
		one := s.begin("a")
		s.must(s.users.Delete(s.Context(), one.ID))
		s.equal(errors.Is(s.users.Save(s.Context(), one), session.ErrNotFound), true)
		s.equal(errors.Is(s.users.Rotate(s.Context(), one), session.ErrNotFound), true)
		s.equal(s.count(), 0)
	}},
	{"Spring", "of two copies that change the id the first one wins", "", func(s *stay) {
		one := s.begin("a")
		other := s.get(one.ID)
		s.must(s.users.Rotate(s.Context(), one))
		s.equal(errors.Is(s.users.Rotate(s.Context(), other), session.ErrConflict), true)
		s.holds(one.ID, "a")
		s.equal(s.count(), 1)
	}},
	{"Spring", "of two copies that change different values both changes are kept", "the second save is a ConflictError with the first one's data; Update repeats its change on that", func(s *stay) {
		one := s.begin("a")
		other := s.get(one.ID)
		s.put(one, "b")
		other.Data.More = "c"
		conflict, ok := errors.AsType[*session.ConflictError[note]](s.users.Save(s.Context(), other))
		s.equal(ok, true)
		conflict.Current.Data.More = "c"
		s.must(s.users.Save(s.Context(), conflict.Current))
		got := s.get(one.ID)
		s.equal([2]string{got.Data.Text, got.Data.More}, [2]string{"b", "c"})
	}},
	{"Spring", "deleting what is not there is no error", "", func(s *stay) {
		one := s.begin("a")
		for _, id := range []session.ID{one.ID, one.ID, s.unknown()} {
			s.must(s.users.Delete(s.Context(), id))
		}
	}},
	{"Spring", "a last access in the past ends the session", "out of scope: the server's clock says when it was", func(s *stay) {
		one := s.begin("a")
		one.LastActivity = time.Time{}
		s.must(s.users.Save(s.Context(), one))
		s.holds(one.ID, "a")
	}},
}

func TestWhatPeersPromise(t *testing.T) {
	table := "| peer | its tests promise | holdfast |\n|---|---|---|\n"
	for _, p := range promises {
		if p.differs != "" {
			table += "| " + strings.Join([]string{p.peer, p.text, p.differs}, " | ") + " |\n"
		}
		t.Run(p.peer+"/"+p.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { p.run(newStay(t)) })
		})
	}
	t.Logf("%d promises", len(promises))
	bench.Shows(t, document, "promises of peers", table, *write)
}
