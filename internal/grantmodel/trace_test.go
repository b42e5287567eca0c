// SPDX-License-Identifier: MIT

package grantmodel

import (
	"cmp"
	"fmt"
)

const letters = "ABCD" // of the claimants

var (
	kinds  = []string{"", "try", "confirmation", "release", "ping", "answer", "answer to the ping", "grant"}
	phases = []string{"idle", "waits", "holds", "leaves", "ended"}
)

// tell is what a step did to s, in words.
func (s *state) tell(a act) string {
	switch a.of {
	case ofMessage:
		return a.what + " " + s.messages[a.on].String()
	case ofClaimant:
		return letters[a.on:a.on+1] + " " + a.what
	case ofProcess:
		return fmt.Sprintf("%s process %d", a.what, a.on)
	}
	return fmt.Sprintf("%s %d", a.what, a.on)
}

func (x message) String() string {
	s := fmt.Sprintf("%s of %c", kinds[x.kind], letters[x.who])
	if x.kind == pingRequest || x.kind == pingAnswer {
		s = fmt.Sprintf("%s of process %d", kinds[x.kind], x.who)
	}
	if x.kind == answer {
		s += fmt.Sprintf(" to the %s: %s", kinds[x.to], []string{"granted", "blocked", "", "missing"}[x.status])
	}
	if x.kind == grantMessage || x.kind == answer && x.to != releaseRequest {
		s += fmt.Sprintf(", until %+d, fence %d", x.end, x.fence)
	}
	for _, word := range []struct {
		on   bool
		word string
	}{{x.provisional, ", provisional"}, {x.noPlace, ", no place"}, {x.noted, ", remembered"}, {x.orphan, " (no one waits for it)"}} {
		if word.on {
			s += word.word
		}
	}
	return s
}

// describe is a state in words: the hold, the queue, and what each claimant
// believes.
func (m *model) describe(s state) string {
	text := "free"
	if s.hold != none {
		text = fmt.Sprintf("%c until %+d", letters[s.hold], s.end)
		if s.provisional {
			text += " provisional"
		}
	}
	text += ", queue "
	for _, id := range s.queue {
		if id != none {
			text += letters[id : id+1]
		}
	}
	for j := range m.process {
		c := s.claimants[j]
		text += fmt.Sprintf(", %c %s", letters[j], phases[c.phase])
		if c.phase == holds {
			text += fmt.Sprintf(" %d", c.deadline)
		}
	}
	return text
}

// compare orders messages, so that states that differ only in the slots of
// their messages are one.
func compare(a, b message) int {
	flags := func(x message) int {
		n := 0
		for _, flag := range []bool{x.orphan, x.provisional, x.noPlace, x.noted} {
			n *= 2
			if flag {
				n++
			}
		}
		return n
	}
	return cmp.Or(
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.who, b.who), cmp.Compare(a.to, b.to), cmp.Compare(a.status, b.status),
		cmp.Compare(a.now, b.now), cmp.Compare(a.end, b.end), cmp.Compare(a.latest, b.latest), cmp.Compare(a.fence, b.fence),
		cmp.Compare(a.age, b.age), cmp.Compare(a.places, b.places), flags(a)-flags(b))
}
