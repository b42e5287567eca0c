// SPDX-License-Identifier: MIT

// Package drill tries a bot: a storm of guests, an oracle that checks each refusal
// of a storm, and scripts of conversations.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/site"
)

// Storm lets many guests loose on a hotel at once.
type Storm struct {
	Desk   desk.Desk // a copy of the bot's, with what a storm has of its own
	Trail  *audit.Log
	PMS    *hotel.Client
	Oracle *Oracle // explains the refusals; nil without locks
	Seed   uint64
}

// Try is one guest's message and what came of it.
type Try struct {
	Run, guest  string // the guest's name begins with the run's
	stay        hotel.Stay
	begun, done time.Time
	reply       desk.Reply
}

func (t Try) sameRun(guest string) bool { return strings.HasPrefix(guest, t.Run) }

const (
	horizon   = 30 // nights from today on that guests want
	longest   = 5  // nights of a stay
	stormTime = 5 * time.Minute
)

// What a storm's desk has of its own.
const (
	Think   = 100 * time.Millisecond
	Call    = 10 * time.Second // the queue in front of the PMS is long
	HoldFor = 20 * time.Second // so that what a storm leaves behind is soon free
)

// Run has the planned guests come at once and counts what came of it.
func (s *Storm) Run(ctx context.Context, tries []Try, errs io.Writer) (site.Tally, error) {
	ctx, cancel := context.WithTimeout(ctx, stormTime)
	defer cancel()
	before := s.Trail.Stats()
	rush(ctx, &s.Desk, tries)
	ctx, cancel = context.WithTimeout(ctx, Call)
	defer cancel()
	doubles, err := s.PMS.DoubleBookings(ctx)
	unflushed := s.Trail.Flush(ctx)
	result := count(tries, s.Oracle, errs)
	after := s.Trail.Stats()
	result.Rooms, result.DoubleBookings = len(s.Desk.Rooms), doubles
	result.AuditEvents = after.Written - before.Written
	for why, n := range after.Dropped {
		result.AuditLost += n - before.Dropped[why]
	}
	return result, errors.Join(unflushed, err)
}

// Plan draws the stays; the same seed draws the same. The names are new each
// time, so that no guest has a conversation or a hold from before.
func (s *Storm) Plan(guests int) []Try {
	random := rand.New(rand.NewPCG(s.Seed, 1))
	run := "storm-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	tries := make([]Try, guests)
	for i := range tries {
		in := s.Desk.Today().Plus(random.IntN(horizon))
		tries[i].Run, tries[i].guest = run, run+strconv.Itoa(i+1)
		tries[i].stay = hotel.Stay{
			Room: s.Desk.Rooms[random.IntN(len(s.Desk.Rooms))],
			In:   in,
			Out:  in.Plus(1 + random.IntN(longest)),
		}
	}
	return tries
}

// rush has every guest send a message at once and waits for the answers.
func rush(ctx context.Context, d *desk.Desk, tries []Try) {
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
		})
	}
	close(gate)
	wg.Wait()
}

// count sums the answers up, and prints the first few errors.
func count(tries []Try, oracle *Oracle, errs io.Writer) site.Tally {
	result := site.Tally{Guests: len(tries)}
	fail := func(t Try, err error) {
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
			if err := oracle.explain(t); err != nil {
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
