// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"sync/atomic"
	"time"
)

// callWindow is a window of the last len(slots) calls. Calls are numbered from
// 1 as they end; a slot is one word that carries its call's number, so that a
// goroutine that was held up cannot overwrite a newer call:
//
//	word = number << 2 | failed << 1 | slow
//
// All cores share the numbering: that is what "the last calls" means.
type callWindow struct {
	last  atomic.Uint64
	slots []atomic.Uint64
}

const (
	failedBit = 1 << 1
	slowBit   = 1 << 0
	flagBits  = 2
)

func newCallWindow(calls int) *callWindow {
	return &callWindow{slots: make([]atomic.Uint64, calls)}
}

func (w *callWindow) add(_ time.Duration, o Outcome, slow bool) {
	number := w.last.Add(1)
	word := number << flagBits
	if o == Failure {
		word |= failedBit
	}
	if slow {
		word |= slowBit
	}
	slot := &w.slots[number%uint64(len(w.slots))]
	for old := slot.Load(); old < word; old = slot.Load() {
		if slot.CompareAndSwap(old, word) {
			return
		}
	}
}

func (w *callWindow) counts(time.Duration) Counts {
	var c Counts
	for i := range w.slots {
		word := w.slots[i].Load()
		switch {
		case word == 0: // never used
			continue
		case word&failedBit != 0:
			c.Failure++
		default:
			c.Success++
		}
		if word&slowBit != 0 {
			c.Slow++
		}
	}
	return c
}
