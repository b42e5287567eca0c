// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestNewRefusesContradictions(t *testing.T) {
	onExpire := func(context.Context, session.Expired[cart]) error { return nil }
	for _, c := range []struct {
		what  string
		cfg   config
		field string
	}{
		{"no name", config{}, "Name"},
		{"a long name", config{Name: strings.Repeat("x", 129)}, "Name"},
		{"a NUL", config{Name: "a\x00b"}, "Name"},
		{"a space", config{Name: "a b"}, "Name"},
		{"braces, which mean something in Redis keys", config{Name: "{a}"}, "Name"},
		{"a name that is no text", config{Name: "\xff"}, "Name"},
		{"less than a millisecond idle", config{Name: "x", IdleTimeout: time.Microsecond}, "IdleTimeout"},
		{"less than a millisecond altogether", config{Name: "x", AbsoluteTimeout: time.Microsecond}, "AbsoluteTimeout"},
		{"no end at all", config{Name: "x", IdleTimeout: -1, AbsoluteTimeout: -1}, "AbsoluteTimeout"},
		{"idle over absolute", config{Name: "x", IdleTimeout: 2 * time.Hour, AbsoluteTimeout: time.Hour}, "IdleTimeout"},
		{"idle over the default absolute", config{Name: "x", IdleTimeout: 48 * time.Hour}, "IdleTimeout"},
		{"touches rarer than the timeout", config{Name: "x", IdleTimeout: time.Minute, TouchEvery: time.Minute}, "TouchEvery"},
		{"a negative interval", config{Name: "x", CleanupInterval: -1}, "CleanupInterval"},
		{"a jitter over the interval", config{Name: "x", CleanupJitter: 1.5}, "CleanupJitter"},
		{"a jitter that is no number", config{Name: "x", CleanupJitter: math.NaN()}, "CleanupJitter"},
		{"a negative batch", config{Name: "x", CleanupBatch: -1}, "CleanupBatch"},
		{"negative workers", config{Name: "x", CleanupWorkers: -1}, "CleanupWorkers"},
		{"too many workers", config{Name: "x", CleanupWorkers: 65}, "CleanupWorkers"},
		{"a batch that holds up the store", config{Name: "x", CleanupBatch: 100_000}, "CleanupBatch"},
		{"grace shorter than the interval", config{Name: "x", Grace: time.Minute, OnExpire: onExpire}, "Grace"},
		{"a grace of a millisecond", config{Name: "x", Grace: time.Millisecond, OnExpire: onExpire}, "Grace"},
		{"no grace", config{Name: "x", Grace: -1}, "Grace"},
		{"an unknown policy for corrupt records", config{Name: "x", OnCorrupt: 9}, "OnCorrupt"},
		{"an unknown policy for full subjects", config{Name: "x", WhenFull: 9, MaxPerSubject: 1}, "WhenFull"},
		{"eviction without a limit", config{Name: "x", MaxPerSubject: -1, WhenFull: session.EvictOldest}, "WhenFull"},
		{"an idle timeout of centuries", config{Name: "x", IdleTimeout: math.MaxInt64, AbsoluteTimeout: -1}, "IdleTimeout"},
		{"an absolute timeout of centuries", config{Name: "x", AbsoluteTimeout: math.MaxInt64}, "AbsoluteTimeout"},
		{"an interval that would overflow with its jitter", config{Name: "x", CleanupInterval: math.MaxInt64}, "CleanupInterval"},
		{"a grace of centuries", config{Name: "x", Grace: math.MaxInt64}, "Grace"},
		{"a timeout that would overflow", config{Name: "x", Timeout: math.MaxInt64}, "Timeout"},
		{"a timeout of nothing", config{Name: "x", Timeout: time.Microsecond}, "Timeout"},
	} {
		_, err := session.New(memsession.New(), c.cfg)
		problem, ok := errors.AsType[*session.ConfigError](err)
		if !ok || problem.Field != c.field || problem.Why == "" || !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%s: %v, want a ConfigError for %s", c.what, err, c.field)
		}
	}
}

func TestNewReportsAllProblemsAtOnce(t *testing.T) {
	_, err := session.New(memsession.New(), config{IdleTimeout: 2 * time.Hour, AbsoluteTimeout: time.Hour, CleanupJitter: 2, Timeout: 1})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T, want a joined error", err)
	}
	var fields []string
	for _, e := range joined.Unwrap() {
		if problem, ok := errors.AsType[*session.ConfigError](e); ok {
			fields = append(fields, problem.Field)
		}
	}
	if want := []string{"Name", "Timeout", "IdleTimeout", "CleanupJitter"}; !slices.Equal(fields, want) {
		t.Errorf("reported %v, want %v", fields, want)
	}
}

// One mistake is one problem, and a name is quoted: it may hold anything.
func TestAProblemIsReportedOnceAndItsTextQuoted(t *testing.T) {
	for _, c := range []struct {
		cfg  config
		want string
	}{
		{config{Name: "x", WhenFull: 9}, "session: Config.WhenFull is 9, want one of the policies"},
		{config{Name: "x", Grace: 1}, "session: Config.Grace is 1ns, want at least 1ms: stores count in milliseconds"},
		{config{Name: "a\x1b[31m\nb"}, `session: Config.Name is "a\x1b[31m\nb", want 1 to 128 bytes of UTF-8 without spaces, control characters or braces`},
	} {
		if _, err := session.New(memsession.New(), c.cfg); err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

func TestNewNeedsAStore(t *testing.T) {
	for _, store := range []session.Store{nil, (*memsession.Store)(nil)} {
		_, err := session.New(store, config{})
		if _, alsoConfig := errors.AsType[*session.ConfigError](err); !alsoConfig || !strings.HasPrefix(err.Error(), "session: invalid: New needs a store\n") {
			t.Errorf("a %T: %v, want the store and the Config's name missed at once", store, err)
		}
	}
}

func TestNilObserversAndOptionsAreSkipped(t *testing.T) {
	seen := &recorder{}
	for _, observer := range []session.Observer{(*recorder)(nil), session.Observers(nil, (*recorder)(nil), seen)} {
		m := newManager(t, memsession.New(), config{Observer: observer})
		if s := create(t, m, 1, nil, session.ForSubject("ann"), nil); s.Subject != "ann" {
			t.Errorf("created for %q, want ann", s.Subject)
		}
		if n := m.Stats().ObserverPanics; n != 0 {
			t.Errorf("%d panics of nil observers", n)
		}
	}
	if n := len(seen.of(session.OpCreate)); n != 1 {
		t.Errorf("%d creations observed, want 1", n)
	}
}

// A nil pointer as a codec is a mistake: JSON in its place could store what the
// codec was to encrypt.
func TestANilPointerIsNoCodec(t *testing.T) {
	_, err := session.New(memsession.New(), config{Name: "x", Codec: (*session.JSON)(nil)})
	if problem, ok := errors.AsType[*session.ConfigError](err); !ok || problem.Field != "Codec" {
		t.Errorf("%v, want a ConfigError for Codec", err)
	}
}

func TestZeroConfigIsTheDocumentedOne(t *testing.T) {
	store := newStage()
	m, err := session.New(store, config{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	s := create(t, m, 1)
	w := store.writes[0]
	if w.Idle != 30*time.Minute || w.Total != 24*time.Hour || w.TouchEvery != 30*time.Second || w.Keep != time.Hour {
		t.Errorf("idle %v, absolute %v, touch every %v, grace %v; want 30m, 24h, 30s, 1h", w.Idle, w.Total, w.TouchEvery, w.Keep)
	}
	if w.MaxPerOwner != 100 || w.WhenFull != session.EvictIdlest || w.Quarantine {
		t.Errorf("wrote %+v, want a limit of 100, of which the idlest goes, and no quarantine", w)
	}
	if got := m.Stats().Interval; got != 10*time.Minute {
		t.Errorf("the interval is %v, want 10m", got)
	}
	store.on(func(ctx context.Context, _ string) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > 250*time.Millisecond {
			t.Errorf("a call without a deadline ends in %v (%v), want 250ms", time.Until(end), ok)
		}
		return nil
	})
	if _, err := m.Get(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultsFollowWhatIsSet(t *testing.T) {
	for _, c := range []struct {
		what              string
		cfg               config
		idle, total, keep time.Duration
		every             time.Duration
	}{
		{"a short absolute timeout", config{AbsoluteTimeout: time.Minute}, time.Minute, time.Minute, time.Hour, 3 * time.Second},
		{"no idle timeout", config{IdleTimeout: -1, AbsoluteTimeout: time.Hour}, time.Hour, time.Hour, time.Hour, 30 * time.Second},
		{"no absolute timeout", config{IdleTimeout: time.Minute, AbsoluteTimeout: -1}, time.Minute, 0, time.Hour, 3 * time.Second},
		{"every touch recorded", config{TouchEvery: -1}, 30 * time.Minute, 24 * time.Hour, time.Hour, 0},
		{"a rare cleanup", config{CleanupInterval: time.Hour}, 30 * time.Minute, 24 * time.Hour, 3 * time.Hour, 30 * time.Second},
	} {
		store := newStage()
		c.cfg.Name = "x"
		m, err := session.New(store, c.cfg)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		create(t, m, 1)
		w := store.writes[0]
		if w.Idle != c.idle || w.Total != c.total || w.Keep != c.keep || w.TouchEvery != c.every {
			t.Errorf("%s: idle %v, absolute %v, grace %v, touch every %v; want %v, %v, %v, %v", c.what, w.Idle, w.Total, w.Keep, w.TouchEvery, c.idle, c.total, c.keep, c.every)
		}
	}
}

func TestASubjectHasAHundredSessionsUnlessConfigSaysOtherwise(t *testing.T) {
	for _, c := range []struct {
		cfg  config
		err  error
		left int64
	}{
		{config{}, nil, 100},
		{config{WhenFull: session.EvictOldest}, nil, 100},
		{config{MaxPerSubject: 100}, session.ErrFull, 100},
		{config{MaxPerSubject: -1}, nil, 101},
	} {
		m := newManager(t, memsession.New(), c.cfg)
		var err error
		for range 101 {
			_, err = m.Create(t.Context(), cart{}, session.ForSubject("ann"))
		}
		if left, _ := m.Count(t.Context()); left != c.left || !errors.Is(err, c.err) {
			t.Errorf("MaxPerSubject %d, %v: %d sessions and %v, want %d and %v", c.cfg.MaxPerSubject, c.cfg.WhenFull, left, err, c.left, c.err)
		}
	}
}
