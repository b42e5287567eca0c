// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// try is one guest's message and what came of it.
type try struct {
	run, guest  string // the guest's name begins with the run's
	stay        hotel.Stay
	begun, done time.Time
	reply       desk.Reply
}

func (t try) sameRun(guest string) bool { return strings.HasPrefix(guest, t.run) }

const (
	horizon    = 30 // nights from today on that guests want
	longest    = 5  // nights of a stay
	stormTime  = 5 * time.Minute
	stormThink = 100 * time.Millisecond
	stormCall  = 10 * time.Second // the queue in front of the PMS is long
	stormHold  = 20 * time.Second // so that what a storm leaves behind is soon free
)

// storm lets the guests loose and prints a tally. It fails when a room was
// booked twice.
func storm(ctx context.Context, b *bot, out, errs io.Writer) error {
	result, err := b.storm(ctx, plan(b, b.options.storm), errs)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		return err
	}
	if result.DoubleBookings > 0 {
		return fmt.Errorf("%d double bookings", result.DoubleBookings)
	}
	return nil
}

// stormsHere are a storm on this bot's own hotel and, to show what locks are for,
// the same on a hotel of its own without them. Both begin with the same
// bookings, which are not those of an earlier storm, and the same switches.
func (b *bot) stormsHere(ctx context.Context, guests int, done func(site.Tally)) error {
	if b.latest != "" {
		if err := within(ctx, stormCall, func(ctx context.Context) error { return b.pms.Clear(ctx, b.latest) }); err != nil {
			return err
		}
	}
	control, err := open(ctx, options{storm: guests, noLocks: true, rooms: b.options.rooms, seed: b.options.seed, redis: b.options.redis, settleAfter: b.options.settleAfter})
	if err != nil {
		return err
	}
	control.desk.Today = b.desk.Today
	err = within(ctx, stormCall, func(ctx context.Context) error { return control.resemble(ctx, b) })
	for _, b := range []*bot{b, control} {
		if err != nil {
			break
		}
		tries := plan(b, guests)
		b.latest = tries[0].run
		var result site.Tally
		result, err = b.storm(ctx, tries, io.Discard)
		done(result)
	}
	return errors.Join(err, control.close())
}

// resemble makes the bookings of the other bot's hotel and turns its switches.
func (b *bot) resemble(ctx context.Context, other *bot) error {
	bookings, err := other.pms.Ledger(ctx)
	for _, booked := range bookings {
		if err == nil {
			_, err = b.pms.Book(ctx, hotel.Order{Key: booked.Key, Guest: booked.Guest, Stay: booked.Stay})
		}
	}
	return errors.Join(err, b.switches.Set(ctx, other.switches.Read()))
}

// storm has the planned guests come at once and counts what came of it. The
// guests who are here already keep places of their own at the desk.
func (b *bot) storm(ctx context.Context, tries []try, errs io.Writer) (site.Tally, error) {
	ctx, cancel := context.WithTimeout(ctx, stormTime)
	defer cancel()
	counter := *b.desk
	counter.Holds, counter.HoldFor, counter.Think, counter.PMSTimeout = b.holds(stormHold), stormHold, stormThink, stormCall
	counter.Chats, counter.Places = b.crowd, make(chan struct{}, connections)
	before := b.trail.Stats().Written
	rush(ctx, &counter, tries, errs)
	unflushed := within(ctx, stormCall, b.trail.Flush)
	if lost := b.rooms.Stats().AuditErrors; lost > 0 {
		fmt.Fprintf(errs, "%d audit events were not recorded in time\n", lost)
	}
	doubles := 0
	err := within(ctx, stormCall, func(ctx context.Context) (err error) {
		doubles, err = b.pms.DoubleBookings(ctx)
		return err
	})
	result := count(tries, b.explain, errs)
	result.Rooms, result.DoubleBookings, result.AuditEvents = b.options.rooms, doubles, b.trail.Stats().Written-before
	return result, errors.Join(unflushed, err)
}

func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}

// plan draws the stays; the same seed draws the same. The names are new each
// time, so that no guest has a conversation or a hold from before.
func plan(b *bot, guests int) []try {
	random := rand.New(rand.NewPCG(b.options.seed, 1))
	run := "storm-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	tries := make([]try, guests)
	for i := range tries {
		in := b.desk.Today().Plus(random.IntN(horizon))
		tries[i].run, tries[i].guest = run, run+strconv.Itoa(i+1)
		tries[i].stay = hotel.Stay{
			Room: b.desk.Rooms[random.IntN(len(b.desk.Rooms))],
			In:   in,
			Out:  in.Plus(1 + random.IntN(longest)),
		}
	}
	return tries
}

// rush has every guest send a message at once and waits for the answers.
func rush(ctx context.Context, d *desk.Desk, tries []try, errs io.Writer) {
	var answered atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range tries {
		wg.Go(func() {
			t := &tries[i]
			text := fmt.Sprintf("book room %s from %s to %s", t.stay.Room, t.stay.In, t.stay.Out)
			<-gate
			t.begun = time.Now()
			t.reply = d.Answer(ctx, t.guest, text)
			t.done = time.Now()
			answered.Add(1)
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()
	close(gate)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(errs, "%d of %d guests answered\n", answered.Load(), len(tries))
		case <-stopped:
			return
		}
	}
}

// explain returns why a refusal cannot be right. Without locks there is
// nothing that could be.
func (b *bot) explain(t try) error {
	if b.oracle == nil {
		return nil
	}
	return b.oracle.explain(t)
}

// count sums the answers up, and prints the first few errors.
func count(tries []try, explain func(try) error, errs io.Writer) site.Tally {
	result := site.Tally{Guests: len(tries)}
	fail := func(t try, err error) {
		if result.Errors++; result.Errors <= 5 {
			fmt.Fprintf(errs, "%s, %s: %v\n", t.guest, t.stay.Resource(), err)
		}
	}
	var took []time.Duration
	for _, t := range tries {
		took = append(took, t.done.Sub(t.begun))
		switch {
		case t.reply.Err != nil:
			fail(t, t.reply.Err)
		case t.reply.Outcome == desk.OK && t.reply.Booking != nil:
			result.Booked++
		case t.reply.Outcome == desk.Fallback:
			result.Fallbacks++
		case t.reply.Outcome == desk.Refused:
			result.Conflicts++
			if err := explain(t); err != nil {
				fail(t, err)
			}
		default:
			fail(t, errors.New(t.reply.Text))
		}
	}
	result.P50, result.P99 = percentile(took, 50), percentile(took, 99)
	return result
}

// percentile returns the nearest rank, in milliseconds with one decimal.
func percentile(all []time.Duration, p float64) float64 {
	slices.Sort(all)
	rank := int(math.Ceil(p / 100 * float64(len(all))))
	return math.Round(float64(all[max(rank, 1)-1].Microseconds())/100) / 10
}
