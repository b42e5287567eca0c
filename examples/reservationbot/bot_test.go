// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/drill"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// start wires a bot as the arguments say, and closes it with the test.
func start(t testing.TB, args ...string) *bot {
	t.Helper()
	o, err := parseOptions(args, func(string) string { return "" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func TestTheScriptGoesAsItsGoldenAnswerSays(t *testing.T) {
	want, err := os.ReadFile("testdata/booking.golden")
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "-script", "testdata/booking.txt")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	wanted := strings.Split(string(want), "\n")
	for i, line := range strings.Split(out, "\n") {
		if i >= len(wanted) || line != wanted[i] {
			t.Fatalf("line %d of booking.golden differs; the bot prints\n%s", i+1, out)
		}
	}
	if strings.Count(out, "\n") != strings.Count(string(want), "\n") {
		t.Errorf("the bot prints fewer lines than booking.golden has:\n%s", out)
	}
}

func TestAScriptCanComeFromStandardInput(t *testing.T) {
	var out, errs bytes.Buffer
	in := strings.NewReader("!guest ana\nhello\n")
	code := run(t.Context(), []string{"-script", "-"}, func(string) string { return "" }, in, &out, &errs)
	if code != 0 || !strings.Contains(out.String(), "ana> hello\nbot> Try") {
		t.Errorf("exit code %d, %q, %q", code, out.String(), errs.String())
	}
}

func TestAScriptLineThatMakesNoSenseIsNamed(t *testing.T) {
	b := start(t, "-script", "-")
	for _, line := range []string{
		"!", "!dance now", "!pms sleepy", "!wait long", "!wait -1s", "!show money", "!guest",
		"!guest a\x00b", "!guest " + strings.Repeat("a", 65), strings.Repeat("a", 1<<16),
	} {
		err := drill.Play(t.Context(), b.Parts, strings.NewReader("\n"+line+"\n"), new(bytes.Buffer))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%s: %v, want an error that names line 2", line, err)
		}
	}
}

func TestAScriptStopsWhileItWaitsForALine(t *testing.T) {
	b := start(t, "-script", "-")
	terminal, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- drill.Play(ctx, b.Parts, terminal, io.Discard) }()
	fmt.Fprintln(typed, "hello")
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
}

func TestAHangingPMSCostsAMessageOneSecondAndNotItsHold(t *testing.T) {
	b := start(t, "-script", "-")
	script := "!pms hanging\nhold room 101 from 2026-12-12 to 2026-12-15\n!pms healthy\nbook\n!show holds\n"
	var out bytes.Buffer
	if err := drill.Play(t.Context(), b.Parts, strings.NewReader(script), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"I keep room 101 for you", "Booked: room 101", "nothing is held"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestAMissingScriptOrServerIsOneErrorAndExitCode1(t *testing.T) {
	for _, args := range [][]string{
		{"-script", "testdata/none.txt"},
		{"-script", "-", "-redis", "127.0.0.1:1"},
		{"-script", "-", "-audit", "sqlite:/no/such/folder/audit.db"},
	} {
		if code, _, errs := command(t, args...); code != 1 || !strings.HasPrefix(errs, "reservationbot: ") {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}
}

// A server may accept connections and say nothing.
func TestASilentServerDoesNotKeepTheBotFromStopping(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, part := range [][]string{
		{"-redis", silent.Addr().String()},
		{"-audit", "postgres://bot:secret@" + silent.Addr().String() + "/audit"},
	} {
		o, err := parseOptions(append(part, "-script", "-"), func(string) string { return "" }, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err = open(ctx, o)
		cancel()
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", part[0], err)
		}
	}
}

func TestAnAuditFileMayHaveAnyName(t *testing.T) {
	folder := t.TempDir()
	start(t, "-script", "-", "-audit", "sqlite:"+filepath.Join(folder, "a?b #%41.db"))
	if _, err := os.Stat(filepath.Join(folder, "a?b #%41.db")); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "a?b #%41.db-wal"))
	if err != nil || len(files) != 1 {
		t.Errorf("the database is in another file: %v, %v", files, err)
	}
}

func TestCloseGoesFromTheUsersOfAPartToThePart(t *testing.T) {
	b := start(t, "-script", "-")
	var order []string
	for _, c := range b.closers {
		order = append(order, c.name)
	}
	want := "temporary folder, audit database, embedded Redis, Redis client, simulated PMS, PMS client, audit trail, look for gaps, locks, sessions, orders, visitors"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("opened, and closed in reverse: %s\nwant %s", got, want)
	}
}

func TestAClosedBotHasItsTrailInTheDatabase(t *testing.T) {
	file := t.TempDir() + "/audit.db"
	b := start(t, "-script", "-", "-audit", "sqlite:"+file)
	b.Desk.Answer(t.Context(), "ana", "hold room 101 from 2026-12-12 to 2026-12-15")
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, "-script", "-", "-audit", "sqlite:"+file)
	var types []string
	for e, err := range again.Events.Query(t.Context(), gormsink.Criteria{ResourceID: "room/101"}) {
		types = append(types, e.Type)
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(types) != 1 || types[0] != "lock.acquired" {
		t.Errorf("the trail has %v", types)
	}
}

func TestTheCleanupIntervalReachesTheSessions(t *testing.T) {
	o, err := parseOptions(nil, func(string) string { return "7" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := b.Desk.Chats.Stats()
	if s.Interval != 7*time.Second || !s.Running {
		t.Errorf("the cleanup runs every %s: %t", s.Interval, s.Running)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if b.Desk.Chats.Stats().Running {
		t.Error("the cleanup runs on after the bot was closed")
	}
}

func TestBotsOnOneRedisAndPMSShareRoomsAndConversations(t *testing.T) {
	redis := miniredis.NewMiniRedis()
	redis.ClockTTL(true)
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	pms, err := hotel.StartSimulator(hotel.Rooms(2), 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pms.Close() })
	shared := []string{"-rooms", "2", "-redis", redis.Addr(), "-pms", pms.URL}

	one, two := start(t, append(shared, "-script", "-")...), start(t, append(shared, "-script", "-")...)
	one.Desk.Answer(t.Context(), "ana", "hold room 101 from 2026-12-12 to 2026-12-15")
	if r := two.Desk.Answer(t.Context(), "ben", "book room 101 from 2026-12-14 to 2026-12-16"); r.Hold == nil {
		t.Errorf("the other bot's hold is not seen: %q", r.Text)
	}
	if r := two.Desk.Answer(t.Context(), "ana", "book"); r.Booking == nil {
		t.Errorf("the other bot's hold cannot be booked: %q", r.Text)
	}

	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, r := stormOf(t, append(shared, "-storm", "30")...); r.DoubleBookings != 0 || r.Errors != 0 {
				t.Errorf("two storms at once: %+v", r)
			}
		})
	}
	wg.Wait()
}
