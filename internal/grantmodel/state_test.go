// SPDX-License-Identifier: MIT

package grantmodel

import "slices"

const (
	claimants = 4
	processes = 3
	slots     = 6   // messages on their way at most
	none      = -1  // no claimant
	never     = 100 // a time that does not come
	floor     = -12 // times in the past are equal below it
)

// setup is what a run explores: who there is, what may go wrong, and which
// bounds have to hold.
type setup struct {
	name    string
	process []int8 // of each claimant
	second  int8   // in ticks
	ttl     int8   // in ticks

	loss, twice uint8           // messages that get lost, or arrive twice, at most
	stops, dies uint8           // processes that stop for up to 4 s, or die, at most
	steps       []int8          // the server's clock may step once by one of these
	late        [processes]int8 // ticks that a message of a process may be on its way
	faulty      uint8           // bits of the processes that faults may hit
	quits       uint8           // bits of the claimants that may give up
	silent      bool            // the first claimant releases only by its TTL
	old         int8            // ticks that a message without a receiver may be on its way

	rules rules
	polls bool // a waiter asks again when the deadline in its way passes

	waiter  int8 // the claimant whose waiting is measured, or none
	maxFree int8 // bounds in ticks; 0 = only measured
	maxIdle int8
	maxLeft int8
	maxLost int8

	max int // states to explore
}

type kind uint8

const (
	tryRequest kind = iota + 1
	confirmRequest
	releaseRequest // giving up included
	pingRequest
	answer
	pingAnswer
	grantMessage
)

type status uint8

const (
	granted status = iota
	blocked
	_
	missing
)

// message is a request on its way to the server, or an answer or a grant on
// its way to a process.
type message struct {
	kind   kind
	who    uint8 // the claimant; of a ping, the process
	to     kind  // of an answer: what was asked
	orphan bool  // no one waits for the answer
	status status

	provisional bool
	noPlace     bool  // of a try: blocked without a place
	noted       bool  // of a release: the ending is to be remembered
	places      uint8 // of a ping: how many the inbox has
	now, end    int8  // the server's time of the script, and the end of the hold
	latest      int8  // the server's time from which a try is refused
	fence       uint8
	age         int8
}

type phase uint8

const (
	idle phase = iota
	waits
	holds
	leaves
	ended
)

// claimant is one call of Acquire and the lease that comes of it.
type claimant struct {
	phase     phase
	call      kind // under way
	sent      int8 // local time of the call
	offset    int8 // local time before the server's, of the newest pair
	pair      bool // there is a pair
	confirmed bool
	again     bool // asks again when the call under way is answered
	deadline  int8
	poll      int8
	fence     uint8
	rank      uint8 // in the order of arrival, from 1
	place     bool  // the newest answer gave it a place
	counted   bool  // so it was when the ping was sent
	copied    bool  // a copy of a try may come later: one was sent twice, or was not answered
}

type mode uint8

const (
	runs mode = iota
	stopped
	dead
)

type process struct {
	mode    mode
	touched bool // a fault has hit it
	pinging bool
	sent    int8 // local time of the ping
	due     int8 // of the next ping
	rest    int8 // of a stop
}

// state is everything. All times are relative to the present: a tick takes one
// from each. The server's times and the local ones move apart only when the
// server's clock steps.
type state struct {
	claimants [claimants]claimant
	processes [processes]process
	messages  [slots]message

	// The server's records.
	queue       [claimants]int8
	hold        int8
	provisional bool
	end         int8
	holdFence   uint8
	fence       uint8
	seen        [processes]int8 // since when an inbox was not seen; never: no entry
	endings     [claimants]int8 // how long each is remembered still

	// What may still happen, and what was seen.
	loss, twice, stops, dies uint8
	step                     int8  // 1: to come, 2: done
	arrived                  uint8 // claimants that have had a place
	top                      uint8 // highest fence of a believer
	free, idle, left, quiet  int8  // how long each has lasted; see watch
	lost                     int8
	overlap, overlapBefore   int8  // of two beliefs: both after the step, and one before it
	mark                     uint8 // the fence at the step
	turned                   bool  // one begins to believe after one with a higher fence
	broken                   violation
}

type violation uint8

const (
	_ violation = iota
	twoBelieve
	fenceFell
	somethingStays
	waitedTooLong
	outOfTurn
	heldAfterEnd
	heldByNoOne
	withoutPlace
	noSlot
)

var violations = map[violation]string{
	twoBelieve:     "two believe at once",
	fenceFell:      "a fence is not higher than one before",
	somethingStays: "something stays behind",
	waitedTooLong:  "a live waiter is not granted in time",
	outOfTurn:      "one is granted before another that arrived first",
	heldAfterEnd:   "one that has ended holds again",
	heldByNoOne:    "a hold has no believer for too long",
	withoutPlace:   "a live waiter has neither a place nor a call under way",
}

// model explores the states of a setup.
type model struct {
	setup
	cut int // successors left out because all slots were taken
}

func (m *model) seconds(n int8) int8 { return n * m.second }

// owner is the process that a message comes from or goes to.
func (m *model) owner(x message) int8 {
	if x.kind == pingRequest || x.kind == pingAnswer {
		return int8(x.who)
	}
	return m.process[x.who]
}

// start is the first state: the first claimant holds.
func (m *model) start() state {
	s := state{loss: m.loss, twice: m.twice, stops: m.stops, dies: m.dies}
	for i := range s.queue {
		s.queue[i] = none
		s.claimants[i].phase = ended
	}
	for i := range m.process {
		s.claimants[i].phase = idle
	}
	for p := range s.processes {
		s.seen[p], s.processes[p].due = never, never
	}
	s.hold, s.end, s.holdFence, s.fence, s.top = 0, m.ttl, 1, 1, 1
	s.claimants[0] = claimant{phase: holds, confirmed: true, deadline: m.ttl, fence: 1, poll: never}
	if len(m.steps) > 0 {
		s.step = 1
	}
	return s
}

// held reports whether there is a live hold.
func (s *state) held() bool { return s.hold != none && s.end > 0 }

// believers counts the claimants that believe to hold.
func (s *state) believers(m *model) (n int) {
	for i := range m.process {
		if s.claimants[i].phase == holds && s.processes[m.process[i]].mode < dead {
			n++
		}
	}
	return n
}

func (s *state) send(m *model, x message) {
	if x.kind > pingRequest && s.processes[m.owner(x)].mode == dead {
		return
	}
	free := slices.IndexFunc(s.messages[:], func(y message) bool { return y.kind == 0 })
	if free < 0 {
		s.broken = noSlot
		return
	}
	s.messages[free] = x
}
