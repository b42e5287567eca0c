// SPDX-License-Identifier: MIT

//go:build unix

package integration

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// now is the clock that all processes of the host share, and that no process sets.
func now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// belief is one lease as its holder saw it. The holder surely believed in it
// from Granted to Last: an ended lease never comes back, so one that says at
// some time after Last began that it is held was held all the while. Neither
// end can come out too long, whichever process was stopped, and where.
type belief struct {
	Holder   string
	Stay     stay
	Fence    uint64
	Asked    time.Duration // just before the request was made
	Granted  time.Duration // just after the lease was returned
	Last     time.Duration // just before Err said nil for the last time
	Deadline time.Duration // as the lease said when it had ended
	Context  time.Duration // just before the context was alive for the last time
	Cause    string
}

// stay is nights of a room, [From, To).
type stay struct {
	Room     string
	From, To int64
}

func (s stay) overlaps(o stay) bool { return s.Room == o.Room && s.From < o.To && o.From < s.To }

func (b belief) String() string {
	return fmt.Sprintf("%s on %s [%d,%d) with fence %d from %s to %s (%s)", b.Holder, b.Stay.Room, b.Stay.From, b.Stay.To, b.Fence, b.Granted, b.Last, b.Cause)
}

// pair is two beliefs that do not go together.
type pair struct{ a, b belief }

func (p pair) String() string { return fmt.Sprintf("%s\nand %s", p.a, p.b) }

// overlaps returns who believed at one instant in leases that overlap.
func overlaps(all []belief) (found []pair) {
	all = slices.SortedFunc(slices.Values(all), func(a, b belief) int { return cmp.Compare(a.Granted, b.Granted) })
	var open []belief
	for _, b := range all {
		open = slices.DeleteFunc(open, func(o belief) bool { return o.Last < b.Granted })
		for _, o := range open {
			if o.Stay.overlaps(b.Stay) && b.Last >= b.Granted {
				found = append(found, pair{o, b})
			}
		}
		open = append(open, b)
	}
	return found
}

// fallen returns leases that have no greater fence than one that had been
// granted before they were asked for.
func fallen(all []belief) (found []pair) {
	byAsked := slices.SortedFunc(slices.Values(all), func(a, b belief) int { return cmp.Compare(a.Asked, b.Asked) })
	byGranted := slices.SortedFunc(slices.Values(all), func(a, b belief) int { return cmp.Compare(a.Granted, b.Granted) })
	var highest belief
	for _, b := range byAsked {
		for len(byGranted) > 0 && byGranted[0].Granted < b.Asked {
			if byGranted[0].Fence > highest.Fence {
				highest = byGranted[0]
			}
			byGranted = byGranted[1:]
		}
		if b.Fence <= highest.Fence {
			found = append(found, pair{highest, b})
		}
	}
	return found
}

// hotel is a store guarded by fences. It knows nothing of leases but their
// numbers, and keeps what it accepted in order.
type hotel struct {
	mu       sync.Mutex
	seen     map[stay]uint64 // by single night
	accepted []write
	refused  int
	open     bool // accepts everything: the control
}

type write struct {
	Stay  stay
	Fence uint64
}

func (h *hotel) write(w write) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = make(map[stay]uint64)
	}
	for night := w.Stay.From; night < w.Stay.To; night++ {
		if h.seen[stay{w.Stay.Room, night, night + 1}] > w.Fence && !h.open {
			h.refused++
			return false
		}
	}
	for night := w.Stay.From; night < w.Stay.To; night++ {
		h.seen[stay{w.Stay.Room, night, night + 1}] = w.Fence
	}
	h.accepted = append(h.accepted, w)
	return true
}

// stale returns the writes that the hotel accepted after one of a lease that
// was granted only later. It goes by when leases were granted, and uses fences
// merely as names.
func (h *hotel) stale(all []belief) (found []pair) {
	h.mu.Lock()
	defer h.mu.Unlock()
	leases := make(map[write]belief, len(all))
	for _, b := range all {
		leases[write{b.Stay, b.Fence}] = b
	}
	latest := make(map[stay]belief) // of those who wrote, by single night
	for _, w := range h.accepted {
		b, known := leases[w]
		if !known {
			continue // its holder did not live to tell
		}
		for night := w.Stay.From; night < w.Stay.To; night++ {
			place := stay{w.Stay.Room, night, night + 1}
			if l, any := latest[place]; any && b.Granted < l.Asked {
				found = append(found, pair{l, b})
			} else if !any || b.Asked > l.Asked {
				latest[place] = b
			}
		}
	}
	return found
}

func TestTheCheckersFindWhatIsWrong(t *testing.T) {
	ms := time.Millisecond
	first := belief{Holder: "first", Stay: stay{"101", 1, 3}, Fence: 7, Asked: 10 * ms, Granted: 11 * ms, Last: 20 * ms}
	second := belief{Holder: "second", Stay: stay{"101", 2, 4}, Fence: 8, Asked: 21 * ms, Granted: 22 * ms, Last: 30 * ms}
	change := func(b belief, how func(*belief)) belief { how(&b); return b }
	for name, c := range map[string]struct {
		second                  belief
		writes                  []uint64
		overlaps, fallen, stale int
	}{
		"one after the other":                {second, []uint64{7, 8}, 0, 0, 0},
		"the first writes late":              {second, []uint64{8, 7}, 0, 0, 1},
		"at once":                            {change(second, func(b *belief) { b.Asked, b.Granted = 11*ms, 19*ms }), nil, 1, 0, 0},
		"at once, on other nights":           {change(second, func(b *belief) { b.Asked, b.Granted, b.Stay.From = 11*ms, 19*ms, 3 }), nil, 0, 0, 0},
		"at once, in another room":           {change(second, func(b *belief) { b.Asked, b.Granted, b.Stay.Room = 11*ms, 19*ms, "102" }), nil, 0, 0, 0},
		"at once, but never looked":          {change(second, func(b *belief) { b.Asked, b.Granted, b.Last = 11*ms, 19*ms, 18*ms }), nil, 0, 0, 0},
		"within the other":                   {change(second, func(b *belief) { b.Asked, b.Granted, b.Last = 11*ms, 12*ms, 13*ms }), nil, 1, 0, 0},
		"a fence that falls":                 {change(second, func(b *belief) { b.Fence = 6 }), []uint64{7, 6}, 0, 1, 0},
		"the same fence":                     {change(second, func(b *belief) { b.Fence = 7 }), nil, 0, 1, 0},
		"a fence that falls lets one behind": {change(second, func(b *belief) { b.Fence = 6 }), []uint64{6, 7}, 0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			all := []belief{c.second, first}
			h := &hotel{open: true}
			for _, fence := range c.writes {
				h.write(write{all[slices.IndexFunc(all, func(b belief) bool { return b.Fence == fence })].Stay, fence})
			}
			if got := overlaps(all); len(got) != c.overlaps {
				t.Errorf("overlaps: %v, want %d", got, c.overlaps)
			}
			if got := fallen(all); len(got) != c.fallen {
				t.Errorf("fallen fences: %v, want %d", got, c.fallen)
			}
			if got := h.stale(all); len(got) != c.stale {
				t.Errorf("stale writes: %v, want %d", got, c.stale)
			}
		})
	}
}

func TestTheHotelRefusesALowerFence(t *testing.T) {
	var h hotel
	for _, c := range []struct {
		w    write
		want bool
	}{
		{write{stay{"101", 1, 4}, 7}, true},
		{write{stay{"101", 1, 4}, 7}, true},
		{write{stay{"101", 3, 5}, 6}, false},
		{write{stay{"101", 4, 5}, 6}, true},
		{write{stay{"102", 1, 4}, 6}, true},
		{write{stay{"101", 3, 5}, 8}, true},
		{write{stay{"101", 3, 4}, 7}, false},
	} {
		if got := h.write(c.w); got != c.want {
			t.Errorf("%+v: %t, want %t", c.w, got, c.want)
		}
	}
	if h.refused != 2 {
		t.Errorf("%d refused, want 2", h.refused)
	}
}
