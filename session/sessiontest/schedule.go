// SPDX-License-Identifier: MIT

package sessiontest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

// Schedules sets how many schedules of requests around a logout are played;
// the default is 200.
func Schedules(n int) Option { return func(s *suite) { s.schedules = n } }

func scheduleCases() []conformanceCase {
	return []conformanceCase{{"NoScheduleBringsBackADeletedRecord", nothingResurrects}}
}

// nothingResurrects plays everything that a request in flight may still do
// around a Delete, in every order: in turn, and all at once. A record that was
// deleted must be gone, whatever came before, beside or after.
func nothingResurrects(b *bench) {
	for round := range b.suite.schedules {
		if b.Failed() {
			return
		}
		mine := b.owner()
		rec := b.created(b.handle(mine), "in")
		if round%3 == 0 { // a handler has it
			b.want(b.take(rec.StoreHandle, "anna", 100), session.StatusDone, "a free lease has to be given")
		}
		moved := b.write(b.handle(mine), "moved")
		moved.Rev, moved.CreatedAt, moved.Deadline = rec.Rev, rec.CreatedAt, rec.Deadline
		anna := b.write(rec.StoreHandle, "anna's")
		anna.Rev, anna.Lease, anna.Free = rec.Rev, "anna", round%2 == 0
		renewal := session.StoreLoad{StoreHandle: rec.StoreHandle, Touch: true, Lease: "anna", LeaseFor: time.Hour, Held: true, Bare: true}
		var alive bool // the move was quicker: the session lives on, but not here
		requests := []func(){
			func() { b.remove(session.StoreRemove{Handles: []session.Hash{rec.Hash}}) },
			func() { b.save(rec, "late") },
			func() { b.touch(rec.StoreHandle) },
			func() { b.load(renewal) },
			func() { b.must(b.store.Save(b.ctx(), anna)) },
			func() { alive = b.must(b.store.Move(b.ctx(), rec.StoreHandle, moved)).Status == session.StatusDone },
		}
		late := slices.Clone(requests[1:])
		rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		play(requests, round%2 == 1)
		b.want(b.peek(rec.StoreHandle), session.StatusMissing, "a request in flight brought a deleted session back: its user is logged in again")
		play(late, round%4 > 1)
		b.want(b.peek(rec.StoreHandle), session.StatusMissing, "a late request brought a deleted session back: its user is logged in again")
		list, want := b.list(mine), 0
		if alive {
			want = 1
		}
		if _, back := list[rec.Hash]; back || len(list) != want {
			b.Fatalf("the owner has %d records after the only one was deleted (moved away: %v), want %d", len(list), alive, want)
		}
		b.remove(session.StoreRemove{Owner: mine})
	}
	if n := b.count().Active; n != 0 {
		b.Errorf("%d records are counted after all were deleted", n)
	}
}

// play runs the requests, at once or in turn.
func play(requests []func(), atOnce bool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, r := range requests {
		if atOnce {
			wg.Go(r)
		} else {
			r()
		}
	}
}
