// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
)

// TestMain is the bot when a test has started it as a process to kill.
func TestMain(m *testing.M) {
	args := os.Getenv("RESERVATIONBOT")
	if args == "" {
		leakcheck.Main(m)
		return
	}
	o, err := parseOptions(strings.Fields(args), func(string) string { return "" }, nil)
	if err != nil {
		panic(err)
	}
	o.settleAfter = settling()
	b, err := open(context.Background(), o)
	if err != nil {
		panic(err)
	}
	panic(serve(context.Background(), b, os.Stdout))
}

func isLong() bool { return os.Getenv("HOLDFAST_LONG") != "" }

// settling is the bot's own time, or a short one.
func settling() time.Duration {
	if isLong() {
		return 15 * time.Second
	}
	return 2 * time.Second
}

// process is a bot that is killed now and then, and started again.
type process struct {
	args string
	mu   sync.Mutex
	cmd  *exec.Cmd
	url  string
}

func (p *process) start(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RESERVATIONBOT="+p.args)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Errorf("the bot did not start: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.url = cmd, strings.TrimSpace(url)
}

func (p *process) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// visitor is a guest and what the bot has said to them.
type visitor struct {
	name     string
	given    []string // references of bookings
	canceled bool     // asked for it, whatever the answer
}

func (v *visitor) say(client *http.Client, bot, text string) {
	body, _ := json.Marshal(map[string]string{"guest": v.name, "text": text})
	r, err := client.Post(bot+"api/chat", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return // the bot was killed
	}
	defer r.Body.Close()
	var reply struct{ Booking string }
	if json.NewDecoder(r.Body).Decode(&reply) == nil && reply.Booking != "" {
		v.given = append(v.given, reply.Booking)
	}
}

// outside are the flags of bots that share a Redis, a PMS and a database which are
// not theirs, so that these outlive them.
func outside(t *testing.T, rooms int) []string {
	t.Helper()
	store := miniredis.NewMiniRedis()
	store.ClockTTL(true)
	if err := store.StartAddr("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	pms, err := hotel.StartSimulator(hotel.Rooms(rooms), 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pms.Close() })
	return []string{"-rooms", strconv.Itoa(rooms), "-redis", store.Addr(), "-pms", pms.URL, "-audit", "sqlite:" + t.TempDir() + "/audit.db"}
}

func TestTheControlOfAStormLeavesTheOrdersOfGuestsToTheBot(t *testing.T) {
	o, err := parseOptions(outside(t, 10), func(string) string { return "" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.settleAfter = 30 * time.Millisecond
	b, err := open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.close() }()
	if err := b.Desk.Orders.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := hotel.Order{Key: "lost", Guest: "gone", Stay: hotel.Stay{Room: "101", In: b.today(), Out: b.today().Plus(1)}, Fence: 1}
	if _, _, err := b.Desk.Orders.Open(t.Context(), session.Conversation{Channel: "order", Peer: order.Key}, order); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PMS.Book(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if err := b.stormsHere(t.Context(), 200, func(site.Tally) {}); err != nil {
		t.Error(err)
	}
	b.Desk.Orders.Start()
	within(t, "the booking of a guest who is gone", func() string {
		all, err := b.PMS.BookingsOf(t.Context(), order.Guest)
		return fmt.Sprint(len(all), err)
	}, "0 <nil>")
}

// Answers of the PMS get lost, bots are killed, and guests change their minds or
// go away. Within a minute each booking in the PMS is one that its guest's
// conversation lists, and each that a guest was given, and has not cancelled, is in
// the PMS and in the trail.
func TestNoBookingIsLeftThatItsGuestDoesNotKnow(t *testing.T) {
	guests := 60
	if isLong() {
		guests = 500
	}
	args := outside(t, 40)
	witness := start(t, append(args, "-script", "-")...)
	bots := []*process{new(process), new(process)}
	for _, p := range bots {
		p.args = strings.Join(args, " ") + " -addr 127.0.0.1:0"
		if p == bots[0] { // the other one waits for the database
			p.args += " -spool " + t.TempDir()
		}
		p.start(t)
		t.Cleanup(func() { p.kill() })
	}

	rush, over := context.WithCancel(t.Context())
	var troubles sync.WaitGroup
	kills := 0
	troubles.Go(func() {
		for pauseFor(rush, time.Duration(300+rand.IntN(700))*time.Millisecond) {
			p := bots[rand.IntN(len(bots))]
			p.kill()
			kills++
			p.start(t)
		}
	})
	troubles.Go(func() {
		for pauseFor(rush, time.Duration(50+rand.IntN(200))*time.Millisecond) {
			_ = witness.PMS.SetMode(rush, []string{hotel.Healthy, hotel.Lossy}[rand.IntN(2)])
		}
	})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 32}, Timeout: 10 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	visitors := make([]*visitor, guests)
	var talking sync.WaitGroup
	arrive := make(chan struct{}, 8) // how many talk at a time
	for i := range visitors {
		v := &visitor{name: fmt.Sprintf("guest%d", i)}
		visitors[i] = v
		talking.Go(func() {
			arrive <- struct{}{}
			defer func() { <-arrive }()
			v.visit(t, client, bots, witness)
		})
	}
	talking.Wait()
	over()
	troubles.Wait()
	if err := witness.PMS.SetMode(t.Context(), hotel.Healthy); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	deadline := began.Add(time.Minute)
	for {
		unknown := ghosts(t, witness)
		if len(unknown) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the guests of %d bookings do not know them: %v", len(unknown), unknown)
		}
		pauseFor(t.Context(), 100*time.Millisecond)
	}
	t.Logf("%d guests, %d kills: no ghost after %v", guests, kills, time.Since(began).Round(time.Second/10))
	keptItsWord(t, witness, visitors)
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// visit books, and then does something else, or nothing.
func (v *visitor) visit(t *testing.T, client *http.Client, bots []*process, b *bot) {
	bot := func() string { return bots[rand.IntN(len(bots))].at() }
	in := b.today().Plus(1 + rand.IntN(30))
	stay := func() string {
		return fmt.Sprintf("room %s from %s to %s", b.Desk.Rooms[rand.IntN(len(b.Desk.Rooms))], in, in.Plus(1+rand.IntN(2)))
	}
	v.say(client, bot(), "book "+stay())
	for range rand.IntN(3) {
		pauseFor(t.Context(), time.Duration(rand.IntN(200))*time.Millisecond)
		switch rand.IntN(4) {
		case 0:
			v.canceled = true
			v.say(client, bot(), "cancel")
		case 1:
			v.say(client, bot(), "hold "+stay())
		case 2:
			v.say(client, bot(), "book")
		default:
			v.say(client, bot(), "book "+stay())
		}
	}
}

// ghosts are the bookings in the PMS that the conversations do not list.
func ghosts(t *testing.T, b *bot) (unknown []hotel.Booking) {
	t.Helper()
	all, err := b.PMS.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, booking := range all {
		s, err := b.Desk.Chats.Peek(t.Context(), desk.SessionOf(booking.Guest))
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			t.Fatal(err)
		}
		if s == nil || !slices.ContainsFunc(s.Data.Bookings, func(known hotel.Booking) bool { return known.Reference == booking.Reference }) {
			unknown = append(unknown, booking)
		}
	}
	return unknown
}

// confirmed are the bookings that the trail has, by reference.
func confirmed(t *testing.T, b *bot) map[string]bool {
	t.Helper()
	recorded := make(map[string]bool)
	for e, err := range b.Events.Query(t.Context(), gormsink.Criteria{Types: []string{"booking.confirmed"}}) {
		if err != nil {
			t.Fatal(err)
		}
		recorded[e.Reason] = true
	}
	return recorded
}

// keptItsWord compares the answers to guests with the PMS and the trail.
func keptItsWord(t *testing.T, b *bot, visitors []*visitor) {
	t.Helper()
	all, err := b.PMS.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	recorded := confirmed(t, b)
	given := 0
	for _, v := range visitors {
		for _, reference := range v.given {
			given++
			if !recorded[reference] {
				t.Errorf("%s was given %s, of which the trail has nothing", v.name, reference)
			}
			if !v.canceled && !slices.ContainsFunc(all, func(b hotel.Booking) bool { return b.Reference == reference }) {
				t.Errorf("%s was given %s, which the PMS does not have", v.name, reference)
			}
		}
	}
	doubles, err := b.PMS.DoubleBookings(t.Context())
	if err != nil || doubles != 0 || given == 0 {
		t.Errorf("%d double bookings, %v; %d bookings given", doubles, err, given)
	}
	t.Logf("%d bookings in the PMS, %d given to guests", len(all), given)
}
