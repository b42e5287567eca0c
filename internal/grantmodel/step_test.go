// SPDX-License-Identifier: MIT

package grantmodel

import "slices"

// act names a step, for the trace.
type act struct {
	what string
	on   int // a claimant, process, slot or number of ticks
	of   objectKind
}

type objectKind uint8

const (
	ofNothing objectKind = iota
	ofMessage
	ofClaimant
	ofProcess
	ofClock
)

func down(v *int8) {
	if *v != never {
		*v = max(*v-1, floor)
	}
}

// next calls emit with each state that may follow s.
func (m *model) next(s state, emit func(state, act)) {
	out := func(t state, what string, on int, of objectKind) {
		if t.broken == noSlot {
			m.cut++
			return
		}
		if t.believers(m) > 1 && len(m.steps) == 0 {
			t.broken = twoBelieve
		}
		slices.SortFunc(t.messages[:], compare)
		emit(t, act{what, on, of})
	}
	if t, ok := m.tick(s); ok {
		out(t, "", 0, ofNothing)
	}
	m.deliver(s, out)
	m.decide(s, out)
	m.fail(s, out)
	if s.step == 1 {
		for _, d := range m.steps {
			out(s.stepped(m, d), "the server's clock STEPS by", int(d), ofClock)
		}
	}
}

type emitter func(t state, what string, on int, of objectKind)

// deliver lets one of the messages arrive, get lost, or be doubled.
func (m *model) deliver(s state, out emitter) {
	for k, x := range s.messages {
		if x.kind == 0 || k > 0 && x == s.messages[k-1] {
			continue
		}
		p := m.owner(x)
		t := s
		t.messages[k] = message{}
		switch {
		case x.kind <= pingRequest:
			t.script(m, x)
			if x.kind == releaseRequest && t.hold == int8(x.who) && t.held() {
				t.broken = heldAfterEnd
			}
			out(t, "server:", k, ofMessage)
		case s.processes[p].mode == runs:
			t.receive(m, x)
			out(t, "receives:", k, ofMessage)
		}
		if m.faulty>>p&1 == 0 {
			continue
		}
		if s.loss > 0 {
			t := s
			t.messages[k] = message{}
			t.loss--
			t.processes[p].touched = true
			out(t, "LOST:", k, ofMessage)
			if x.kind == answer && s.twice > 0 {
				t.twice--
				t.messages[k] = message{kind: x.to, who: x.who, latest: never}
				t.copied(x.to, int8(x.who))
				out(t, "LOST, sent again by the client:", k, ofMessage)
			}
		}
		if s.twice > 0 && (x.kind <= pingRequest || x.kind == grantMessage) {
			t := s
			t.twice--
			x.orphan = x.kind != grantMessage
			t.copied(x.kind, int8(x.who))
			t.send(m, x)
			out(t, "DOUBLED:", k, ofMessage)
		}
	}
}

// copied notes that a client sends a request twice, which it knows.
func (s *state) copied(k kind, who int8) {
	if c := &s.claimants[who]; k == tryRequest && c.phase < leaves {
		c.copied = true
	}
}

// decide lets one of the claimants ask, give up or release.
func (m *model) decide(s state, out emitter) {
	for j := range m.process {
		i, c, p := int8(j), s.claimants[j], s.processes[m.process[j]]
		if p.mode != runs {
			continue
		}
		// They ask first in the order of their numbers.
		if c.phase == idle && (j <= 1 || s.claimants[j-1].rank > 0 || s.claimants[j-1].phase >= leaves) {
			t := s
			t.claimants[i] = claimant{phase: waits, poll: never}
			t.request(m, i, tryRequest)
			if p.due != never {
				out(t, "asks", j, ofClaimant)
			}
			for d := int8(0); p.due == never && d < m.second; d++ {
				t.processes[m.process[j]].due = d + 1
				out(t, "asks", j, ofClaimant)
			}
		}
		if c.phase == waits && m.quits>>i&1 > 0 {
			t := s
			t.leave(m, i)
			out(t, "gives up", j, ofClaimant)
		}
		if c.phase == holds && !(j == 0 && m.silent) {
			t := s
			t.leave(m, i)
			out(t, "releases", j, ofClaimant)
		}
	}
}

// fail lets one of the processes stop, go on or die.
func (m *model) fail(s state, out emitter) {
	for p := range int8(processes) {
		if m.faulty>>p&1 == 0 || !slices.Contains(m.process, p) {
			continue
		}
		switch s.processes[p].mode {
		case runs:
			if s.stops > 0 {
				t := s
				t.stops--
				pr := &t.processes[p]
				pr.mode, pr.rest, pr.touched = stopped, m.seconds(4), true
				out(t, "STOPPED:", int(p), ofProcess)
			}
			if s.dies > 0 {
				out(s.died(m, p), "DIES:", int(p), ofProcess)
			}
		case stopped:
			t := s
			t.processes[p].mode, t.processes[p].rest = runs, 0
			t.timers(m, p)
			out(t, "goes on:", int(p), ofProcess)
		}
	}
}

// died is the state after a process died.
func (s state) died(m *model, p int8) state {
	s.dies--
	s.processes[p] = process{mode: dead, touched: true, due: never}
	for j := range m.process {
		if m.process[j] == p {
			s.dropCall(int8(j))
			s.finish(int8(j))
		}
	}
	for k, x := range s.messages {
		if x.kind > pingRequest && m.owner(x) == p {
			s.messages[k] = message{}
		}
	}
	return s
}

// stepped is the state after the server's clock stepped by d.
func (s state) stepped(m *model, d int8) state {
	s.step, s.mark = 2, s.fence
	if s.hold != none && s.end >= 0 { // what lapsed long ago does not come back
		s.end -= d
	}
	for p := range s.seen {
		if s.seen[p] < m.seconds(3) {
			s.seen[p] = min(max(s.seen[p]+d, floor), m.seconds(3))
		}
	}
	for i := range s.endings {
		if s.endings[i] > 0 {
			s.endings[i] = max(s.endings[i]-d, 0)
		}
		if s.claimants[i].pair {
			s.claimants[i].offset += d
		}
	}
	for i := range s.messages {
		x := &s.messages[i]
		if x.kind == 0 {
			continue
		}
		x.end -= d
		if x.latest != never {
			x.latest -= d
		}
		if x.kind == answer || x.kind == pingAnswer {
			x.now -= d
		}
	}
	return s
}

// tick lets the time go on, unless something has to happen before.
func (m *model) tick(s state) (state, bool) {
	for _, x := range s.messages {
		if x.kind == 0 {
			continue
		}
		p := m.owner(x)
		if x.age >= m.late[p] && !x.orphan && (x.kind <= pingRequest || s.processes[p].mode == runs) {
			return s, false
		}
	}
	for p := range s.processes {
		if s.processes[p].mode == stopped && s.processes[p].rest == 0 {
			return s, false
		}
	}
	for i := range s.messages {
		if s.messages[i].kind != 0 {
			m.travel(&s, &s.messages[i])
		}
	}
	if s.hold != none {
		s.end = max(s.end-1, -1)
	}
	for p := range s.seen {
		if s.seen[p] != never {
			s.seen[p] = min(s.seen[p]+1, m.seconds(3))
		}
	}
	for i := range s.endings {
		s.endings[i] = max(s.endings[i]-1, 0)
	}
	for j := range m.process {
		m.age(&s, int8(j))
	}
	for p := range int8(processes) {
		pr := &s.processes[p]
		if pr.pinging {
			pr.sent--
		}
		if pr.due != never {
			pr.due = max(pr.due-1, 0)
		}
		if pr.mode == stopped {
			pr.rest--
		} else if pr.mode == runs {
			s.timers(m, p)
		}
	}
	m.watch(&s)
	return s, true
}

// travel is a tick of a message on its way.
func (m *model) travel(s *state, x *message) {
	x.age++
	down(&x.end)
	down(&x.latest)
	if x.kind == answer || x.kind == pingAnswer {
		x.now--
	}
	p := m.owner(*x)
	if pr := &s.processes[p]; pr.mode == runs && m.late[p] > 0 {
		pr.touched = true
	}
	if x.orphan && x.age > max(m.old, m.late[p]) {
		*x = message{}
	}
}

// age is a tick of a claimant. Its deadline comes first: rules 11 and 14.
func (m *model) age(s *state, i int8) {
	c := &s.claimants[i]
	if c.call != 0 {
		c.sent--
	}
	if c.phase == waits {
		down(&c.poll)
		c.poll = max(c.poll, 0)
	}
	if c.phase != holds {
		return
	}
	if c.deadline--; c.deadline > 0 {
		return
	}
	undo, copied := !c.confirmed && m.rules.undo, c.copied && m.rules.copies
	s.dropCall(i)
	if s.finish(i); undo {
		c.phase, c.copied = leaves, copied
	}
}
