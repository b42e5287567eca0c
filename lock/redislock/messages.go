// SPDX-License-Identifier: MIT

package redislock

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

// read takes one message in: "id end fence,lag," of a grant, or "id " of a hold
// that another has ended. Any other is counted and ignored.
func (b *inbox) read(message string) {
	id, rest, spaced := strings.Cut(message, " ")
	b.mu.Lock()
	lost, w := b.held[id].lost, b.waiting[id]
	if spaced && rest == "" && lost != nil {
		b.drop(id)
		b.mu.Unlock()
		lost()
		return
	}
	defer b.mu.Unlock()
	digits, stamp, _ := strings.Cut(rest, " ")
	end, err := strconv.ParseInt(digits, 10, 64)
	r := reader{rest: stamp}
	h := lock.Hold{ID: id, Unconfirmed: true}
	r.stamp(&h)
	if w == nil || err != nil || r.bad || r.rest != "" {
		b.ignored++
		return
	}
	h.ExpiresAt = time.UnixMilli(end).UTC()
	w.deliver(h, w.room.clock, time.Now())
}

// IgnoredMessages is how many messages reached the inbox that were malformed, or
// of no claim or hold of this store. A few are normal: of claims that were given
// up when their grant was on its way.
func (s *Store) IgnoredMessages() int {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return s.inbox.ignored
}

// deliver gives a waiter its grant, which came in at received, or has it ask
// when the grant is over, as far as can be known here.
func (w *waiter) deliver(h lock.Hold, p pair, received time.Time) {
	h.Left = min(h.ExpiresAt.Sub(time.UnixMilli(p.server)), received.Add(w.trial).Sub(p.sent))
	g := lock.StoreGrant{Hold: h, Since: p.sent}
	if p.server == 0 || !time.Now().Before(p.sent.Add(h.Left)) {
		g = lock.StoreGrant{Status: lock.StatusBlocked}
	}
	select {
	case <-w.ready: // an older answer
	default:
	}
	w.ready <- g
}

// ask has the claims that wait in a room, or in all, ask again.
func (b *inbox) ask(r *room) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.waiting {
		if r == nil || w.room == r {
			w.place(false)
			select {
			case w.ready <- lock.StoreGrant{Status: lock.StatusBlocked}:
			default: // it has an answer already
			}
		}
	}
}

// ping keeps the places in a room while there are any. Those who wait ask again
// when the server knows of fewer places than there were before the ping: it
// drops those of an inbox that was not seen for some time or left a grant
// unconfirmed, and a try that came before the ping may have made it anew.
func (b *inbox) ping(r *room, stop <-chan struct{}) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.pingOnce(r)
		case <-stop:
			return
		}
	}
}

func (b *inbox) pingOnce(r *room) {
	ctx, cancel := context.WithTimeout(context.Background(), pulse)
	defer cancel()
	b.mu.Lock()
	r.fresh = 0
	r.pings++
	b.mu.Unlock()
	sent := time.Now()
	answer, err := b.caller.Run(ctx, pingScript, r.keys, b.address())
	if err != nil {
		return // the places last for two more
	}
	list := open(answer)
	list.clock()
	status, places := next[int64](list), int(next[int64](list))
	p := pair{sent: sent, received: time.Now(), server: list.now.UnixMilli()}
	b.mu.Lock()
	if !list.bad {
		r.note(p)
	}
	for list.more() {
		one := list.list()
		h, _ := one.hold(lock.Resource{})
		if w := b.waiting[h.ID]; w != nil && !one.bad {
			w.deliver(h, p, p.received)
			if w.placed {
				places++ // its place went with the grant
			}
		}
		list.join(one)
	}
	lost := places < r.placed-r.fresh
	b.mu.Unlock()
	if status != 0 || lost {
		b.ask(r)
	}
}
