// SPDX-License-Identifier: MIT

package drill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/lock"
)

// Oracle watches the locks of a storm and reports afterwards whether each
// refusal was right: another guest's hold or booking must have been in the way
// at the moment of asking.
//
// It knows moments only as the time between a call and its return. A hold is
// there at some time after its acquiring was begun and until its release has
// succeeded; a refusal was decided while its call was under way. If the two do
// not meet, nothing can explain the refusal. Spans may only err on the long
// side, so each begins before its call, and ends when the oracle gets the event.
type Oracle struct {
	mu       sync.Mutex
	asked    map[string]time.Time // by the guest: when the latest call began
	holds    map[string]span      // by the hold's ID
	refusals map[string]span      // by the guest
}

type span struct {
	holder   string
	resource lock.Resource
	from, to time.Time // to is zero while it lasts
}

func NewOracle() *Oracle {
	return &Oracle{asked: make(map[string]time.Time), holds: make(map[string]span), refusals: make(map[string]span)}
}

// Asking is a [desk.Desk]'s Asking.
func (o *Oracle) Asking(guest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[guest] = time.Now()
}

// ObserveLock implements [lock.Observer].
func (o *Oracle) ObserveLock(_ context.Context, e lock.Event) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := span{holder: e.Holder, resource: e.Resource, from: o.asked[e.Holder]}
	switch {
	case e.Op == lock.OpAcquire && e.Result == lock.ResultOK:
		o.holds[e.ID] = seen
	case e.Op == lock.OpAcquire && e.Result == lock.ResultConflict:
		seen.to = now
		o.refusals[e.Holder] = seen
	case e.Op == lock.OpRelease && e.Result == lock.ResultOK || e.Op == lock.OpLost:
		seen = o.holds[e.ID]
		seen.to = now
		o.holds[e.ID] = seen
	}
}

// explain returns why a refusal cannot be right, or nil. Without locks there is no
// oracle, and nothing that could be.
func (o *Oracle) explain(t Try) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r := t.reply; {
	case r.Hold != nil:
		return o.explainHold(t, *r.Hold)
	case r.Booking != nil:
		return o.explainBooking(t, *r.Booking)
	}
	return errors.New("refused without a reason")
}

func (o *Oracle) explainHold(t Try, h lock.Hold) error {
	theirs, known := o.holds[h.ID]
	asked, refused := o.refusals[t.guest]
	switch {
	case !h.Resource.Overlaps(t.stay.Resource()) || h.Left <= 0 || h.Holder == t.guest:
		return fmt.Errorf("refused for a hold of %s on %s with %s left, which is not in the way", h.Holder, h.Resource, h.Left)
	case !known && t.sameRun(h.Holder):
		return fmt.Errorf("refused for a hold on %s that no one got", h.Resource)
	case !known:
		return nil // another process's guest; its record says enough
	case theirs.resource.String() != h.Resource.String() || theirs.holder != h.Holder:
		return fmt.Errorf("refused for a hold on %s, which is one on %s", h.Resource, theirs.resource)
	case !refused || theirs.from.After(asked.to) || !theirs.to.IsZero() && theirs.to.Before(asked.from):
		return fmt.Errorf("refused for a hold on %s, which was not there then", h.Resource)
	}
	return nil
}

// explainBooking relies on the booking's key, which is the ID of the hold
// that it was made with. A booking stays when its hold has gone.
func (o *Oracle) explainBooking(t Try, b hotel.Booking) error {
	theirs, known := o.holds[b.Key]
	switch {
	case !t.stay.Overlaps(b.Stay) || b.Guest == t.guest:
		return fmt.Errorf("refused for a booking of %s by %s, which is not in the way", b.Stay.Resource(), b.Guest)
	case !known && t.sameRun(b.Guest):
		return fmt.Errorf("refused for a booking of %s that no one made", b.Stay.Resource())
	case known && (theirs.holder != b.Guest || theirs.from.After(t.done)):
		return fmt.Errorf("refused for a booking of %s, which was not there then", b.Stay.Resource())
	}
	return nil
}
