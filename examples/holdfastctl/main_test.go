// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/circuitbreaker"
	"github.com/holdfast-go/holdfast/circuitbreaker/breakerhttp"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/lock"
	"github.com/holdfast-go/holdfast/lock/redislock"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// service is what the tool looks at: two holds, two breakers and a trail.
type service struct {
	*testing.T
	lease             *lock.Lease
	redis, audit, url string
}

func newService(t *testing.T) *service {
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { client.Close() })
	rooms, err := lock.New(redislock.New(client), lock.Config{Name: "rooms", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rooms.Close(t.Context()) })
	night := lock.Dates("room/101", "2030-12-12", "2030-12-15")
	lease, err := rooms.TryAcquire(t.Context(), night, lock.Holder("ana\x1b[2J"), lock.Reason("booking"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rooms.TryAcquire(t.Context(), lock.Key("stock"), lock.Holder("ben")); err != nil {
		t.Fatal(err)
	}
	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pms.Reset)
	server := httptest.NewServer(breakerhttp.Handler(slices.Values([]*circuitbreaker.Breaker{pms})))
	t.Cleanup(server.Close)
	s := &service{t, lease, "redis://" + m.Addr(), "sqlite:" + filepath.Join(t.TempDir(), "trail.db"), server.URL + "/breakers/"}
	ctl := &tool{audit: s.audit}
	sink, err := ctl.sink()
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.closing[0]()
	if err := sink.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// ctl runs the tool, answering answer to its question.
func (s *service) ctl(want int, answer string, args ...string) (out, errs string) {
	s.Helper()
	var o, e bytes.Buffer
	all := append([]string{"-redis", s.redis, "-audit", s.audit, "-breakers", s.url}, args...)
	if got := run(s.Context(), all, func(string) string { return "" }, strings.NewReader(answer), &o, &e); got != want {
		s.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, want, &o, &e)
	}
	return o.String(), e.String()
}

func TestHoldsAreListed(t *testing.T) {
	s := newService(t)
	out, _ := s.ctl(0, "", "holds")
	for _, want := range []string{"RESOURCE", s.lease.ID(), "room/101 [2030-12-12, 2030-12-15)", "ana?[2J", "stock"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _ = s.ctl(0, "", "holds", "room/101", "-json")
	var h hold
	if err := json.Unmarshal([]byte(out), &h); err != nil || h.ID != s.lease.ID() || h.Reason != "booking" || h.LeftMS <= 0 || !h.Confirmed {
		t.Errorf("%v: %s", err, out)
	}
	if out, _ := s.ctl(0, "", "holds", "-json", "-prefix", "shop"); out != "" {
		t.Errorf("of another prefix: %s", out)
	}
}

func TestAReleaseIsAskedForAndRecorded(t *testing.T) {
	s := newService(t)
	id := s.lease.ID()
	s.ctl(2, "", "release", id) // without a reason
	s.ctl(1, "n\n", "release", id, "-reason", "forgotten")
	s.ctl(1, "", "release", id, "-reason", "forgotten")
	if err := s.lease.Check(t.Context()); err != nil {
		t.Fatalf("released without a yes: %v", err)
	}
	out, errs := s.ctl(0, "y\n", "release", id, "-reason", "forgotten", "-holder", "night desk")
	if !strings.Contains(out, "released "+id) || !strings.Contains(errs, "release room/101") {
		t.Errorf("%s%s", out, errs)
	}
	s.ctl(1, "", "release", id, "-reason", "again", "-yes")
	out, _ = s.ctl(0, "", "export")
	if !strings.Contains(out, `"lock.force_released"`) || !strings.Contains(out, "night desk") || !strings.Contains(out, "forgotten") {
		t.Errorf("the trail has\n%s", out)
	}
	if out, _ = s.ctl(0, "", "export", "-to", "2020-01-01"); out != "" {
		t.Errorf("before it happened: %s", out)
	}
}

func TestEachQuestionHasAnAnswer(t *testing.T) {
	s := newService(t)
	var ids []string
	out, _ := s.ctl(0, "", "holds", "-json")
	for line := range strings.Lines(out) {
		var h hold
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, h.ID)
	}
	out, errs := s.ctl(0, "y\ny\n", append([]string{"release", "-reason", "closing"}, ids...)...)
	if len(ids) != 2 || strings.Count(out, "released ") != 2 || !strings.Contains(errs, "ana?[2J") {
		t.Errorf("of %d holds:\n%s%s", len(ids), out, errs)
	}
}

func TestGapsOfTheTrailAreListed(t *testing.T) {
	s := newService(t)
	if out, _ := s.ctl(0, "", "gaps", "-json"); out != "" {
		t.Errorf("of an empty trail: %s", out)
	}
	ctl := &tool{audit: s.audit}
	sink, err := ctl.sink()
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.closing[0]()
	broken := &lossy{Sink: sink}
	for _, to := range []audit.Sink{broken, sink} { // a process, and the next one
		log, err := audit.New(to, audit.Config{Name: "trail", Instance: "front-1", Linger: -1})
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range []string{"", "lost", ""} {
			if err := log.Record(t.Context(), audit.Event{Type: "ok", Reason: reason}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	id := broken.stream.String()
	out, _ := s.ctl(0, "", "gaps")
	for _, want := range []string{"STREAM", id + "  front-1   trail  3     3        1\n", id + "  front-1   trail  5     the end  unknown\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var inside, end gap
	out, _ = s.ctl(0, "", "gaps", "-json")
	rows := json.NewDecoder(strings.NewReader(out))
	if err := errors.Join(rows.Decode(&inside), rows.Decode(&end)); err != nil ||
		inside != (gap{id, "front-1", "trail", 3, 3, 1}) || end != (gap{id, "front-1", "trail", 5, 0, 0}) {
		t.Errorf("%v: %s", err, out)
	}
}

// lossy loses one event inside a stream, and the last one.
type lossy struct {
	audit.Sink
	stream audit.ID
}

func (l *lossy) Write(ctx context.Context, batch []audit.Event) error {
	l.stream = batch[0].Stream
	return l.Sink.Write(ctx, slices.DeleteFunc(slices.Clone(batch), func(e audit.Event) bool { return e.Reason == "lost" || e.Type == audit.TypeClosed }))
}

func TestBreakersAreListedTrippedAndReset(t *testing.T) {
	s := newService(t)
	s.ctl(1, "n\n", "trip", "pms")
	if out, _ := s.ctl(0, "", "breakers"); !strings.Contains(out, "pms      closed") {
		t.Errorf("%s", out)
	}
	if out, _ := s.ctl(0, "y\n", "trip", "pms", "-for", "1h"); !strings.Contains(out, "open") || !strings.Contains(out, "59m") {
		t.Errorf("%s", out)
	}
	if out, _ := s.ctl(0, "", "reset", "pms", "-yes", "-json"); !strings.Contains(out, `"state":"closed"`) {
		t.Errorf("%s", out)
	}
	if _, errs := s.ctl(1, "", "trip", "psm", "-yes"); !strings.Contains(errs, `no breaker "psm"`) {
		t.Errorf("%s", errs)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newService(t)
	options, _ := redis.ParseURL(s.redis)
	client := redis.NewClient(options)
	defer client.Close()
	users, err := session.New(redissession.New(client), session.Config[string]{Name: "users", Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	login, err := users.Create(t.Context(), "private", session.ForSubject("ann"))
	if err != nil {
		t.Fatal(err)
	}
	hash := users.Hash(login.ID)
	id := hex.EncodeToString(hash[:])
	out, _ := s.ctl(0, "", "sessions")
	if !strings.Contains(out, id) || strings.Contains(out, "private") || strings.Contains(out, "ann") {
		t.Errorf("%s", out)
	}
	var row sessionRow
	out, _ = s.ctl(0, "", "sessions", "-json")
	if err := json.Unmarshal([]byte(out), &row); err != nil || row.ID != id || row.Owner == "" || row.Bytes == 0 || !row.Expires.After(row.Created) {
		t.Errorf("%v: %s", err, out)
	}
	if out, _ := s.ctl(0, "", "sessions", "-json", "-sessions", "others"); out != "" {
		t.Errorf("of another name: %s", out)
	}
	s.ctl(2, "y\n", "end", id, "no id")
	s.ctl(1, "n\n", "end", id)
	if _, err := users.Peek(t.Context(), login.ID); err != nil {
		t.Fatalf("ended without a yes: %v", err)
	}
	if out, errs := s.ctl(0, "y\n", "end", id); !strings.Contains(out, "ended "+id) || !strings.Contains(errs, "of users?") {
		t.Errorf("%s%s", out, errs)
	}
	if _, err := users.Peek(t.Context(), login.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	s.ctl(1, "", "end", id, "-yes")
}

func TestSessionsAreMovedToAnotherNumberOfPartitions(t *testing.T) {
	s := newService(t)
	options, _ := redis.ParseURL(s.redis)
	client := redis.NewClient(options)
	defer client.Close()
	users := func(n int) *session.Manager[string] {
		m, err := session.New(redissession.New(client, redissession.WithPrefix("shop"), redissession.WithPartitions(n)), session.Config[string]{Name: "users", Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	login, err := users(16).Create(t.Context(), "private")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users(5).Get(t.Context(), login.ID); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("with another number: %v", err)
	}
	s.ctl(1, "n\n", "repartition", "-prefix", "shop", "-partitions", "5")
	if out, errs := s.ctl(0, "y\n", "repartition", "-prefix", "shop", "-partitions", "5"); !strings.Contains(out, "moved ") || !strings.Contains(errs, "users to 5 partitions?") {
		t.Errorf("%s%s", out, errs)
	}
	if _, err := users(5).Get(t.Context(), login.ID); err != nil {
		t.Errorf("moved: %v", err)
	}
	if _, err := users(16).Get(t.Context(), login.ID); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("with the number of before: %v", err)
	}
}

func TestAWrongCommandShowsWhatThereIs(t *testing.T) {
	s := newService(t)
	for _, args := range [][]string{{}, {"hold"}, {"holds", "a", "b"}, {"-nonsense"}, {"trip"}, {"sessions", "a"}, {"end"}, {"end", "ann"}, {"repartition", "9"}, {"gaps", "a"}, {"export", "-from", "soon"}, {"holds", "-redis", "nonsense"}} {
		if _, errs := s.ctl(2, "", args...); errs == "" {
			t.Errorf("%v: nothing is said", args)
		}
	}
	if _, errs := s.ctl(0, "", "-help"); !strings.Contains(errs, "force-release holds") {
		t.Error(errs)
	}
}
