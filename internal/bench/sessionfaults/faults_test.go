// SPDX-License-Identifier: MIT

package sessionfaults

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// scene is a keeper on a Redis of its own.
type scene struct {
	keeper
	t      *testing.T
	server *miniredis.Miniredis
	line   *line
	others []keeper // further managers of the same sessions
}

// A fault happens in a scene. It returns what goes wrong, or "" when the keeper
// stands it. It runs in a bubble.
type fault struct {
	name   string
	happen func(*scene) string
}

var faults = []fault{
	{"two writers at once", twoWriters},
	{"a reader beside a writer", readerBesideWriter},
	{"a logout during a request", logoutDuringARequest},
	{"any schedule of two requests and a logout", schedules},
	{"64 goroutines increment, through 4 managers", increments},
	{"a request that ends after the deadline", afterTheDeadline},
	{"an unreadable record", unreadable},
	{"the line breaks during a change of the id", brokenRotation},
	{"an attacker reads Redis", dump},
	{"200 sessions are counted", counting},
}

// must fails the test for what has nothing to do with the fault.
func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) user() string {
	s.t.Helper()
	token, err := s.login(s.t.Context())
	s.must(err)
	return token
}

func (s *scene) request(token string) request {
	s.t.Helper()
	r, err := s.begin(s.t.Context(), token)
	s.must(err)
	return r
}

func twoWriters(s *scene) string {
	token := s.user()
	a, b := s.request(token), s.request(token)
	a.set(a.value() + 1)
	b.set(b.value() + 1)
	s.must(a.finish())
	if b.finish() == nil && s.request(token).value() != 2 {
		return "loses one, and says nothing"
	}
	return ""
}

func readerBesideWriter(s *scene) string {
	token := s.user()
	reader, writer := s.request(token), s.request(token)
	writer.set(1)
	s.must(writer.finish())
	s.must(reader.finish())
	if s.request(token).value() != 1 {
		return "the read undoes the write"
	}
	return ""
}

func logoutDuringARequest(s *scene) string {
	token := s.user()
	slow := s.request(token)
	s.must(s.request(token).logout())
	slow.set(1)
	_ = slow.finish() // that it fails is for the best
	if s.request(token).found() {
		return "logs in again"
	}
	return ""
}

// schedules plays every order that a seed gives to the steps of three requests
// of one user, one of which logs out.
func schedules(s *scene) string {
	rounds := 400
	if long {
		rounds = 10_000
	}
	random, alive := rand.New(rand.NewPCG(1, 1)), 0
	for range rounds {
		token := s.user()
		var open [3]request
		steps := []int{0, 0, 1, 1, 2, 2}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, i := range steps {
			r := open[i]
			switch {
			case r == nil:
				open[i] = s.request(token)
			case !r.found(): // logged out before it began
			case i == 0:
				s.must(r.logout())
			default:
				r.set(r.value() + 1)
				_ = r.finish()
			}
		}
		if s.request(token).found() {
			alive++
		}
	}
	s.t.Logf("%d of %d logouts were undone", alive, rounds)
	if alive > 0 {
		return "undoes logouts"
	}
	return ""
}

func increments(s *scene) string {
	token, each := s.user(), 10
	if long {
		each = 1000
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for range each {
				if err := s.others[i%len(s.others)].increment(s.t.Context(), token); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	lost := 64*each - s.request(token).value()
	s.t.Logf("%d of %d increments were lost", lost, 64*each)
	if lost != 0 {
		return "loses increments"
	}
	return ""
}

func afterTheDeadline(s *scene) string {
	token := s.user()
	for range 3*24 - 1 {
		time.Sleep(20 * time.Minute) // in the bubble
		r := s.request(token)
		r.set(1)
		s.must(r.finish())
	}
	time.Sleep(20*time.Minute - time.Second) // in the bubble
	r := s.request(token)
	r.set(2)
	time.Sleep(2 * time.Second) // in the bubble
	_ = r.finish()
	time.Sleep(365 * 24 * time.Hour) // in the bubble
	if s.request(token).found() {
		return "makes the session immortal"
	}
	return ""
}

func unreadable(s *scene) string {
	token := s.user()
	for _, key := range s.server.Keys() {
		if value, err := s.server.Get(key); err == nil {
			s.must(s.server.Set(key, value[:len(value)-1]))
			s.server.SetTTL(key, idle)
		}
	}
	for range 2 {
		if _, err := s.begin(s.t.Context(), token); err == nil {
			return ""
		}
	}
	return "fails every request"
}

// brokenRotation breaks the line after the first, second and third command. The
// user is logged in all the same: under the new id when the response arrived, and
// otherwise under the old one.
func brokenRotation(s *scene) string {
	for passing := range 3 {
		token := s.user()
		r := s.request(token)
		s.line.breaks(passing)
		fresh, err := r.rotate()
		s.line.heals()
		if err == nil {
			token = fresh
		}
		if !s.request(token).found() {
			return "logs the user out"
		}
	}
	return ""
}

func dump(s *scene) string {
	token := s.user()
	if strings.Contains(s.server.Dump(), token) {
		return "has the tokens"
	}
	return ""
}

func counting(s *scene) string {
	for range 200 {
		s.user()
	}
	s.line.sent = 0
	n, err := s.count(s.t.Context())
	s.must(err)
	switch {
	case n != 200:
		return "miscounts"
	case s.line.sent >= 200:
		return "reads each of them"
	}
	return ""
}

// line is a hook that can break.
type line struct {
	broken  bool
	passing int
	sent    int
}

var errBroken = errors.New("the line is broken")

func (l *line) breaks(passing int) { l.broken, l.passing = true, passing }
func (l *line) heals()             { l.broken = false }

func (l *line) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *line) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		l.sent++
		if l.broken {
			if l.passing--; l.passing < 0 {
				cmd.SetErr(errBroken)
				return errBroken
			}
		}
		return next(ctx, cmd)
	}
}

func (l *line) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		l.sent += len(cmds)
		return next(ctx, cmds)
	}
}
