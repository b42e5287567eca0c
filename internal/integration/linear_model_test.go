// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-go/holdfast/lock"
)

// request is what a client asked a manager for.
type request struct {
	op     string
	group  string
	claim  *claim        // whose hold it is about; of "holds" nil
	wanted lock.Resource // of "holds"
	token  int           // of "resume", "extend" and "release": what gives the right to it
	next   int           // of "resume": the token that the hold gets
}

// claim is what one acquire wants. Its number is its holder's name, so that
// every caller that meets the hold can say whose it is.
type claim struct {
	number   int
	resource lock.Resource
	returned int64 // when it was given back after an outcome that is unknown; 0 = not
}

// answer is what the client learned: that it was done, or one of the errors,
// or, with unknown, nothing.
type answer struct {
	outcome outcome
	fence   uint64     // of a granted acquire and of a resume
	seen    []sighting // by "holds", or in the way of an acquire, sorted
	more    bool       // in the way than a conflict names
}

type outcome string

const (
	done     outcome = "done"
	blocked  outcome = "blocked"
	notHeld  outcome = "not held"
	capped   outcome = "capped"
	mystery  outcome = "unknown"
	maxCount         = 2 // extensions of a hold
)

// sighting is a hold as others see it.
type sighting struct {
	number     int
	fence      uint64
	extensions int
}

// books are what the plainest lock service would know of one group: the state
// of the model. They are never changed, only replaced.
type books struct {
	fence   uint64  // the last that is known
	entries []entry // in order of their claims' numbers
}

// entry is a claim that was granted, or given up.
type entry struct {
	claim      *claim
	fence      uint64 // 0 = no client has learned it
	extensions int
	token, ref int    // who may change it; by ref it was taken over, and may be again
	end        string // "" = it is held
}

// capacity is that of a room type: the last letter of its name.
func capacityOf(name string) int { return int(name[len(name)-1] - '0') }

// lockModel says that every operation takes place at one instant between its
// call and its return, in each group on its own. Nothing expires in it: the
// histories that it is for are shorter than any TTL.
var lockModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byGroup := make(map[string][]porcupine.Operation)
		for _, op := range history {
			group := op.Input.(request).group
			byGroup[group] = append(byGroup[group], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byGroup {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return books{} },
	Step: func(state, input, output any) (bool, any) {
		return state.(books).step(input.(request), output.(answer))
	},
	Equal: func(a, b any) bool {
		return a.(books).fence == b.(books).fence && slices.Equal(a.(books).entries, b.(books).entries)
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(request), output.(answer)
		if in.claim == nil {
			return fmt.Sprintf("%s %s: %s %v", in.op, in.wanted, out.outcome, out.seen)
		}
		return fmt.Sprintf("%s %d %s: %s %d %v", in.op, in.claim.number, in.claim.resource, out.outcome, out.fence, out.seen)
	},
	DescribeState: func(state any) string {
		var text string
		for _, e := range state.(books).entries {
			if e.end == "" {
				text += fmt.Sprintf("%d %s +%d; ", e.claim.number, e.claim.resource, e.extensions)
			}
		}
		return text
	},
}

// step reports whether a request may have this answer now, and what the books
// say then. A request whose answer is unknown may have any.
func (b books) step(in request, out answer) (bool, books) {
	any, e := out.outcome == mystery, b.find(in.claim)
	held := e != nil && e.end == ""
	switch in.op {
	case "acquire":
		free := e == nil && len(b.inTheWay(in.claim.resource)) == 0
		switch {
		case any && free, out.outcome == done && free && out.fence > b.fence:
			return true, b.with(entry{claim: in.claim, fence: out.fence})
		case out.outcome == blocked:
			return !free && matches(out, b.inTheWay(in.claim.resource)), b
		}
		return any, b
	case "give back":
		// What the manager does on the side after an acquire of unknown
		// outcome: should that come only now, it comes too late.
		if e == nil {
			return true, b.with(entry{claim: in.claim, end: "given up"})
		}
		if e.token != 0 {
			return true, b // it has been taken over
		}
		return true, b.ended(e, "given up")
	case "resume":
		// It takes the hold over; the token that gave the right to it does
		// so again, until the hold is taken over by another.
		switch {
		case !held || in.token != e.token && in.token != e.ref && in.next != e.token:
			return any || out.outcome == notHeld, b
		case in.next == e.token && e.fence > 0: // asked again
			return any || out.outcome == done && out.fence == e.fence, b
		case any || out.outcome == done && out.fence > b.fence:
			taken := *e
			taken.token, taken.ref, taken.fence = in.next, in.token, out.fence
			return true, b.with(taken)
		}
		return false, b
	case "extend":
		held = held && e.token == in.token
		if held && e.extensions < maxCount && (any || out.outcome == done) {
			longer := *e
			longer.extensions++
			return true, b.with(longer)
		}
		return any || held && out.outcome == capped && e.extensions == maxCount || !held && out.outcome == notHeld, b
	case "release":
		if held && e.token == in.token {
			return any || out.outcome == done, b.ended(e, "released")
		}
		// Whether it is remembered that the same token has ended it
		// depends on the time that has passed, and not every store keeps
		// the token for that.
		return any || out.outcome == notHeld || out.outcome == done && e != nil && e.end == "released", b
	case "force":
		if held {
			return any || out.outcome == done, b.ended(e, "forced")
		}
		return any || out.outcome == notHeld, b
	case "holds":
		return any || matches(out, b.overlapping(in.wanted)), b
	}
	panic("no such operation: " + in.op)
}

func (b books) find(c *claim) *entry {
	i := slices.IndexFunc(b.entries, func(e entry) bool { return e.claim == c })
	if i < 0 {
		return nil
	}
	return &b.entries[i]
}

// with returns the books with an entry added, or replaced.
func (b books) with(e entry) books {
	i, found := slices.BinarySearchFunc(b.entries, e, func(a, b entry) int { return cmp.Compare(a.claim.number, b.claim.number) })
	entries := slices.Clone(b.entries)
	if found {
		entries[i] = e
	} else {
		entries = slices.Insert(entries, i, e)
	}
	return books{fence: max(b.fence, e.fence), entries: entries}
}

func (b books) ended(e *entry, how string) books {
	if e.end != "" {
		return b
	}
	over := *e
	over.end = how
	return b.with(over)
}

// overlapping returns the holds that overlap r.
func (b books) overlapping(r lock.Resource) (list []sighting) {
	for _, e := range b.entries {
		if e.end == "" && e.claim.resource.Overlaps(r) {
			list = append(list, sighting{e.claim.number, e.fence, e.extensions})
		}
	}
	return list
}

// inTheWay returns the holds that overlap a part of r that does not fit.
func (b books) inTheWay(r lock.Resource) (list []sighting) {
	for part := range r.Parts() {
		if b.busiest(part)+part.Size() > capacityOf(part.Name()) {
			list = append(list, b.overlapping(part)...)
		}
	}
	slices.SortFunc(list, bySight)
	return slices.Compact(list)
}

// busiest is how many units are taken in the night of a part where most are.
// What is of another kind counts in all of them.
func (b books) busiest(part lock.Resource) (most int) {
	from, to := part.Bounds()
	if part.Kind() == lock.Whole {
		from, to = 0, 1
	}
	for night := from; night < to; night++ {
		taken := 0
		for _, e := range b.entries {
			if e.end != "" {
				continue
			}
			for p := range e.claim.resource.Parts() {
				start, end := p.Bounds()
				if p.Name() == part.Name() && (p.Kind() != part.Kind() || start <= night && night < end) {
					taken += p.Size()
				}
			}
		}
		most = max(most, taken)
	}
	return most
}

func bySight(a, b sighting) int { return cmp.Compare(a.number, b.number) }

// matches reports whether a client saw what the books say.
func matches(out answer, want []sighting) bool {
	if len(out.seen) > len(want) || len(out.seen) < len(want) && !out.more {
		return false
	}
	for _, s := range out.seen {
		i, found := slices.BinarySearchFunc(want, s, bySight)
		if !found || want[i].extensions != s.extensions || want[i].fence != 0 && want[i].fence != s.fence {
			return false
		}
	}
	return true
}
