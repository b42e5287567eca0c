// SPDX-License-Identifier: MIT

package circuitbreaker

// Trip opens the breaker as a rule would: it recovers through probes after its
// open time. cause is in the rejections and the event; it may be nil. A breaker
// that is Open, ForcedOpen or Disabled stays as it is.
func (b *Breaker) Trip(cause error) {
	b.force(change{to: Open, reason: ByHand, cause: cause}, Open, ForcedOpen, Disabled)
}

// ForceOpen opens the breaker until [Breaker.Reset]: no timer and no probe
// changes that. cause is in the rejections and the event; it may be nil.
func (b *Breaker) ForceOpen(cause error) {
	b.force(change{to: ForcedOpen, reason: ByHand, cause: cause}, ForcedOpen)
}

// Disable lets every call through until [Breaker.Reset]. Calls are still
// counted, but no rule is checked.
func (b *Breaker) Disable() {
	b.force(change{to: Disabled, reason: ByHand}, Disabled)
}

// Reset closes the breaker from any state, with an empty window, no streak and
// no attempts. Results of calls in flight no longer count for the rules. The
// totals stay. A breaker that is closed already is emptied without an event:
// its state does not change.
func (b *Breaker) Reset() {
	b.force(change{to: Closed, reason: ByHand})
}

// force makes the change unless the breaker is in one of the states to keep.
func (b *Breaker) force(c change, keep ...State) {
	for {
		e := b.era.Load()
		for _, s := range keep {
			if e.state == s {
				return
			}
		}
		if b.transition(noContext, e, c) {
			return
		}
	}
}
