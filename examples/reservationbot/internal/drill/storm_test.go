// SPDX-License-Identifier: MIT

package drill

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

func TestTheSameSeedPlansTheSameStays(t *testing.T) {
	today := func() hotel.Date { return hotel.Day(2026, time.December, 1) }
	s := Storm{Desk: desk.Desk{Rooms: hotel.Rooms(20), Today: today}, Seed: 3}
	first := s.Plan(50)
	for i, again := range s.Plan(50) {
		if again.stay != first[i].stay {
			t.Fatalf("guest %d wants %v and %v", i, first[i].stay, again.stay)
		}
	}
}

// What the library reports about an acquired lease may arrive late, after the audit
// trail for instance. A refusal for that lease was right all the same.
func TestTheOracleKnowsAHoldFromTheMomentItWasAskedFor(t *testing.T) {
	in := hotel.Day(2026, time.December, 12)
	stay := hotel.Stay{Room: "101", In: in, Out: in.Plus(3)}
	o := NewOracle()
	event := lock.Event{Op: lock.OpAcquire, Resource: stay.Resource()}
	for _, guest := range []string{"run-1", "run-2"} {
		o.Asking(guest)
	}
	refused, granted := event, event
	refused.Holder, refused.Result = "run-2", lock.ResultConflict
	granted.Holder, granted.ID = "run-1", "hold"
	o.ObserveLock(t.Context(), refused)
	o.ObserveLock(t.Context(), granted)
	reply := desk.Reply{Hold: &lock.Hold{ID: "hold", Holder: "run-1", Resource: stay.Resource(), Left: time.Minute}}
	if err := o.explain(Try{Run: "run-", guest: "run-2", stay: stay, done: time.Now(), reply: reply}); err != nil {
		t.Error(err)
	}
}

func TestTheOracleSeesThroughRefusalsThatNothingExplains(t *testing.T) {
	now := time.Now()
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	in := hotel.Day(2026, time.December, 12)
	wanted := hotel.Stay{Room: "101", In: in, Out: in.Plus(3)}
	beside := hotel.Stay{Room: "101", In: in.Plus(3), Out: in.Plus(4)}
	hold := func(id, holder string, s hotel.Stay) *lock.Hold {
		return &lock.Hold{ID: id, Holder: holder, Resource: s.Resource(), Left: time.Minute}
	}
	booking := func(key, guest string, s hotel.Stay) *hotel.Booking {
		return &hotel.Booking{Order: hotel.Order{Key: key, Guest: guest, Stay: s}}
	}
	o := NewOracle()
	o.refusals["run-1"] = span{from: at(10), to: at(11)}
	o.holds["before"] = span{"run-2", wanted.Resource(), at(1), at(9)}
	o.holds["during"] = span{"run-3", wanted.Resource(), at(5), at(20)}
	o.holds["open"] = span{holder: "run-4", resource: wanted.Resource(), from: at(5)}
	o.holds["after"] = span{"run-5", wanted.Resource(), at(15), at(20)}
	for name, c := range map[string]struct {
		reply desk.Reply
		right bool
	}{
		"a hold at that moment":        {desk.Reply{Hold: hold("during", "run-3", wanted)}, true},
		"a hold that goes on":          {desk.Reply{Hold: hold("open", "run-4", wanted)}, true},
		"a hold of another process":    {desk.Reply{Hold: hold("x", "elsewhere", wanted)}, true},
		"a hold that was over":         {desk.Reply{Hold: hold("before", "run-2", wanted)}, false},
		"a hold that came later":       {desk.Reply{Hold: hold("after", "run-5", wanted)}, false},
		"a hold that no one got":       {desk.Reply{Hold: hold("x", "run-6", wanted)}, false},
		"another's hold":               {desk.Reply{Hold: hold("during", "run-4", wanted)}, false},
		"the guest's own hold":         {desk.Reply{Hold: hold("during", "run-1", wanted)}, false},
		"a hold beside":                {desk.Reply{Hold: hold("during", "run-3", beside)}, false},
		"a booking whose hold is over": {desk.Reply{Booking: booking("before", "run-2", wanted)}, true},
		"a booking that came later":    {desk.Reply{Booking: booking("after", "run-5", wanted)}, false},
		"a booking of another process": {desk.Reply{Booking: booking("x", "elsewhere", wanted)}, true},
		"a booking that no one made":   {desk.Reply{Booking: booking("x", "run-6", wanted)}, false},
		"a booking beside":             {desk.Reply{Booking: booking("before", "run-2", beside)}, false},
		"no reason":                    {desk.Reply{}, false},
	} {
		err := o.explain(Try{Run: "run-", guest: "run-1", stay: wanted, begun: at(10), done: at(12), reply: c.reply})
		if (err == nil) != c.right {
			t.Errorf("%s: %v", name, err)
		}
	}
}
