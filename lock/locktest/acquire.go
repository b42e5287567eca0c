// SPDX-License-Identifier: MIT

package locktest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/lock"
)

var acquireRules = []rule{
	{"AGrantShowsTheWholeHold", "Leases, conflicts and the audit trail show what the grant says.", grantShowsAll},
	{"TextSurvives", "A name or a detail that comes back changed is another room, or another guest.", textSurvives},
	{"TheSameTicketGetsTheSameGrant", "A client that repeats a request whose answer got lost would be refused by its own hold, or get two fences for one lease.", sameTicketSameGrant},
	{"FencesRise", "A later holder whose fence is not greater cannot keep an earlier one's work out.", fencesRise},
	{"FencesComeFromTheClock", "A fence that counts from 1 starts again when the store loses its data.", fencesFromClock},
	{"NoAnswerShowsAToken", "A program that reads the token of another's hold can release it.", noTokenShown},
	{"OfManyOneIsGranted", "Two were granted the same night: a double booking.", oneOfMany},
	{"MaxHoldCutsTheTTL", "A hold that outlives MaxHold from the start has no limit.", maxHoldCutsTTL},
	{"AnEndedContextIsAnError", "A caller who has left would get a hold that no one releases.", endedContext},
}

func grantShowsAll(b *bench) {
	c := b.claimOf(4, lock.Span("room", 3, 9).Units(2))
	c.TTL = time.Minute
	c.Details = map[string]string{"channel": "web", "party": "2"}
	g := b.acquire(c)
	h := g.Hold
	switch {
	case g.Status != lock.StatusGranted:
		b.broken("status %d, want Granted", g.Status)
	case h.ID != c.ID || h.Holder != c.Holder || h.Reason != c.Reason || !maps.Equal(h.Details, c.Details):
		b.broken("the hold is %+v, want id %s, holder %q, reason %q, details %v", h, c.ID, c.Holder, c.Reason, c.Details)
	case h.Resource.String() != c.Resource.String() || h.Resource.Kind() != lock.Numbers || h.Resource.Size() != 2:
		b.broken("the hold is of %s, want %s", h.Resource, c.Resource)
	case h.Fence == 0 || h.Extensions != 0:
		b.broken("fence %d, %d extensions; want a fence above 0 and none", h.Fence, h.Extensions)
	case !b.near(h.Left, c.TTL):
		b.broken("%s left, want %s", h.Left, c.TTL)
	case h.ExpiresAt.Sub(h.AcquiredAt) != c.TTL:
		b.broken("from %s to %s, want %s between them", h.AcquiredAt, h.ExpiresAt, c.TTL)
	}
}

func textSurvives(b *bench) {
	names := []string{
		"room/101", "{braces}", "}", "a:b:c", "50 %", "%s%d", `back\slash`, `"quoted"`, "line\nbreak", "tab\tbed", "ünïcode ☃", "'", "-1", " ",
		"|", "[1, 2)", "\x01", "\x7f", strings.Repeat("x", lock.MaxName),
	}
	for _, name := range names {
		c := b.claim(lock.Span(name, lock.MinBound, lock.MaxBound))
		c.Holder, c.Reason = name, name
		c.Details = map[string]string{name: name, "empty": ""}
		b.granted(c)
		list := b.holds(lock.Key(name))
		if len(list) != 1 {
			b.broken("%q: %d holds listed, want 1", name, len(list))
		}
		h := list[0]
		from, to := h.Resource.Bounds()
		if h.Resource.Name() != name || h.Holder != name || h.Reason != name || !maps.Equal(h.Details, c.Details) || from != lock.MinBound || to != lock.MaxBound {
			b.broken("%q came back as %+v", name, h)
		}
		g := b.blocked(b.claim(lock.Span(name, 0, 1)))
		if len(g.Conflicts) != 1 || g.Conflicts[0].Hold.Holder != name || !maps.Equal(g.Conflicts[0].Hold.Details, c.Details) {
			b.broken("%q in a conflict came back as %+v", name, g.Conflicts)
		}
	}
}

func sameTicketSameGrant(b *bench) {
	c := b.claim(lock.All(lock.Key("a"), lock.Span("b", 1, 2)))
	first, second := b.acquire(c), b.acquire(c)
	if second.Status != lock.StatusGranted || second.Hold.Fence != first.Hold.Fence || !second.Hold.ExpiresAt.Equal(first.Hold.ExpiresAt) {
		b.broken("first fence %d until %s, then status %d, fence %d until %s; want the same",
			first.Hold.Fence, first.Hold.ExpiresAt, second.Status, second.Hold.Fence, second.Hold.ExpiresAt)
	}
	if n := len(b.holds(lock.Resource{})); n != 1 {
		b.broken("%d holds after the same claim twice, want 1", n)
	}
	if b.release(c.StoreTicket) != lock.StatusGranted || len(b.holds(lock.Resource{})) != 0 {
		b.broken("one release did not end what two equal claims made")
	}
}

func fencesRise(b *bench) {
	last := uint64(0)
	check := func(c lock.StoreClaim, when string) {
		if c.Fence <= last {
			b.broken("fence %d %s, after %d", c.Fence, when, last)
		}
		last = c.Fence
	}
	for i := range 5 {
		c := b.hold(lock.Key("room"))
		check(c, "after a release")
		check(b.hold(lock.Key(fmt.Sprint("other", i))), "of another name in the group")
		b.release(c.StoreTicket)
	}
	c := b.claim(lock.Key("room"))
	c.TTL = b.short
	check(b.granted(c), "before expiry")
	b.outlast(c.TTL)
	check(b.hold(lock.Key("room")), "after expiry")
}

func fencesFromClock(b *bench) {
	g := b.acquire(b.claim(lock.Key("room")))
	if us := uint64(g.Hold.AcquiredAt.UnixMicro()); g.Hold.Fence < us || g.Hold.Fence > us+uint64(time.Minute.Microseconds()) {
		b.broken("the first fence is %d, want about %d, the microseconds of the store's clock", g.Hold.Fence, us)
	}
}

func noTokenShown(b *bench) {
	mine := b.hold(lock.Key("room"))
	other := b.claim(lock.Key("room"))
	answers := fmt.Sprintf("%+v %+v %+v", b.blocked(other), b.holds(lock.Resource{}), b.acquire(mine))
	short := b.brief(lock.Key("brief"))
	b.outlast(short.TTL)
	answers += fmt.Sprintf("%+v %+v", b.sweep(0), b.acquire(b.claim(lock.Key("brief"))))
	for _, c := range []lock.StoreClaim{mine, other, short} {
		if strings.Contains(answers, c.Token) {
			b.broken("an answer has a token in it: %s", answers)
		}
	}
}

func oneOfMany(b *bench) {
	const claims = 24
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		winner []string
	)
	for i := range claims {
		c := b.claim(lock.Span("room", int64(i), claims+1)) // every two overlap
		all.Go(func() {
			g, err := b.store.Acquire(b.ctx, c)
			if err != nil {
				b.Errorf("Acquire: %v", err)
			}
			if err == nil && g.Status == lock.StatusGranted {
				mu.Lock()
				winner = append(winner, c.ID)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(winner) != 1 {
		b.broken("%d of %d simultaneous claims were granted, want 1", len(winner), claims)
	}
}

func maxHoldCutsTTL(b *bench) {
	c := b.claim(lock.Key("room"))
	c.TTL, c.MaxHold = time.Hour, time.Minute
	if g := b.acquire(c); g.Status != lock.StatusGranted || !b.near(g.Hold.Left, time.Minute) {
		b.broken("status %d with %s left, want Granted with 1m0s", g.Status, g.Hold.Left)
	}
}

func endedContext(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if g, err := b.store.Acquire(ctx, b.claim(lock.Key("room"))); err == nil {
		b.broken("Acquire under an ended context answered status %d", g.Status)
	}
	if _, err := b.store.Extend(ctx, []lock.StoreRenewal{{StoreTicket: b.ticket("room")}}); err == nil {
		b.broken("Extend under an ended context answered")
	}
	if _, err := b.store.Release(ctx, []lock.StoreTicket{b.ticket("room")}); err == nil {
		b.broken("Release under an ended context answered")
	}
}
