// SPDX-License-Identifier: MIT

package audit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines collects what a log writes to its logger, with the time since the start.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lines) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lines) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lines) logger() *slog.Logger {
	start := time.Now()
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("t", fmt.Sprint(a.Value.Time().Sub(start).Truncate(time.Minute)))
		}
		return a
	}}))
}

func (b *lines) all() []string { return strings.Split(strings.TrimSpace(b.String()), "\n") }

func TestTheFirstTroubleIsLoggedAtOnceAndThenALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		s := newScripted(always(errDown))
		l := newLog(t, s, Config{Linger: -1, Queue: 10, WhenFull: DropNewest, Retry: Backoff{Max: time.Second}, Logger: out.logger()})
		mustRecord(t, l, 1)
		synctest.Wait()
		if got := out.all(); len(got) != 1 || got[0] != `t=0s level=WARN msg="audit: writing fails" log=audit failed_writes=1 dropped=0 queued=1 err=down` {
			t.Fatalf("after the first failure the logger has %q", got)
		}
		for range 10 * 60 {
			_ = l.Record(t.Context(), Event{Type: "ok", Reason: "canary"})
			time.Sleep(time.Second)
		}
		got := out.all()
		if n := len(got); n < 8 || n > 11 {
			t.Errorf("%d lines in ten minutes, want about one a minute", n)
		}
		if last := got[len(got)-1]; !strings.Contains(last, `level=ERROR msg="audit: events are dropped"`) || !strings.Contains(last, "dropped=60") || !strings.Contains(last, "reason=queue_full queued=10") {
			t.Errorf("in the outage: %s", last)
		}
		synctest.Wait()
		s.plan = always(nil)
		mustClose(t, l)
		if last := out.all()[len(out.all())-1]; !strings.Contains(last, "the sink stores again") {
			t.Errorf("after the outage: %s", last)
		}
		if strings.Contains(out.String(), "canary") {
			t.Error("a line quotes an event")
		}
	})
}

func TestASinkThatIgnoresItsContextIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(func(int, context.Context, []Event) error { time.Sleep(time.Minute); return nil }),
			Config{Linger: -1, Logger: out.logger()})
		mustRecord(t, l, 1)
		time.Sleep(30 * time.Second)
		if got := out.String(); !strings.Contains(got, "the sink does not answer") {
			t.Errorf("after 30 s of silence the logger has %q", got)
		}
		mustClose(t, l)
	})
}

func TestFlickeringTroubleIsLoggedAtTheSameRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(func(n int, _ context.Context, _ []Event) error {
			if n%2 == 0 {
				return errDown
			}
			return nil
		}), Config{Linger: -1, Logger: out.logger()})
		for range 10 * 60 {
			mustRecord(t, l, 1)
			time.Sleep(time.Second)
		}
		mustClose(t, l)
		if n := len(out.all()); n > 22 {
			t.Errorf("%d lines in ten minutes, want at most two a minute", n)
		}
	})
}

func TestWhatIsLostAtTheEndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := newLog(t, newScripted(always(errDown)), Config{Linger: -1, Logger: out.logger()})
		mustRecord(t, l, 3)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = l.Close(ctx)
		if last := out.all()[len(out.all())-1]; !strings.Contains(last, "dropped=3 reason=retries_spent") {
			t.Errorf("the last line is %s", last)
		}
	})
}

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	var out lines
	before := slog.Default()
	defer slog.SetDefault(before)
	l, err := New(sinkFunc(always2(ErrPermanent)), Config{Linger: -1})
	if err != nil {
		t.Fatal(err)
	}
	slog.SetDefault(out.logger())
	mustRecord(t, l, 1)
	_ = l.Close(t.Context())
	if !slices.ContainsFunc(out.all(), func(line string) bool { return strings.Contains(line, "refused for good") }) {
		t.Errorf("the default logger has %q", out.all())
	}
}
