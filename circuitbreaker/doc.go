// SPDX-License-Identifier: MIT

// Package circuitbreaker stops calling a dependency that is failing, and finds
// out by itself when it is well again.
//
//	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms"})
//	...
//	room, err := circuitbreaker.Do(ctx, pms, func(ctx context.Context) (Room, error) {
//		return client.Find(ctx, stay)
//	})
//	if errors.Is(err, circuitbreaker.ErrOpen) {
//		return fromCache(stay) // the PMS was not called
//	}
//
// # States
//
//	           a rule is met; Trip
//	+--------+ -------------------------> +------+
//	| Closed |                            | Open | <-------+
//	+--------+ <---+                      +------+         |
//	  calls pass   |                        | calls are    |
//	  and are      | enough probes          | rejected     | a probe fails
//	  counted      | succeed                |              | or hangs; Trip
//	               |                        | the open     |
//	               |      +----------+      | time passed  |
//	               +----- | HalfOpen | <----+              |
//	                      +----------+ --------------------+
//	                        a few calls pass as probes,
//	                        the others are rejected
//
//	any state -- ForceOpen --> ForcedOpen -- Reset --> Closed    calls are rejected
//	any state -- Disable ----> Disabled ---- Reset --> Closed    calls pass, no rule is asked
//
// [Config] says which rules open a breaker (failures in a row, the share of
// failures or of slow calls in a [Window], a rule of your own), how long it
// stays open ([Backoff]) and what it takes to close it ([Probes]). [DefaultClassify]
// says which errors are failures. [Group] keeps a breaker for each of many
// keys. [Breaker.Allow] is for calls that cannot be a function.
//
// # Guarantees
//
//   - Each opening is one transition and one event, however many calls fail at
//     once.
//   - A result counts only for the stay in a state that let its call through. A
//     call that began before the breaker opened, was reset or was half-open the
//     last time cannot close it, open it or use up a probe.
//   - No more than [Probes.Concurrent] probes of one half-open stay run at a
//     time. A probe that panics, ends its goroutine, is cancelled or is settled
//     twice gives its slot back once; one that hangs reopens the breaker after
//     [Probes.Timeout].
//   - State is right without traffic: timers move it, not calls.
//   - Rates are exact at their threshold: they are compared as integers.
//   - Totals in [Stats] count every call once and never fall, whatever Reset does.
//   - A rejection costs a few nanoseconds: no clock, no lock, no allocation. So
//     the breaker does not become the load that it keeps away.
//   - Your functions ([Observer], Config.Classify, Config.TripWhen) run outside
//     every lock and may call the breaker. A panicking observer is contained and
//     counted; a panic in the others goes to the caller, and the breaker stands.
//   - There is no goroutine that stays, and nothing to close. With the default
//     rules a breaker takes half a kilobyte, and a few more once cores contend for
//     it.
//
// # Not guaranteed
//
//   - Calls in flight when a breaker opens go on: it refuses, it does not
//     interrupt. Their number is not bounded while the breaker is closed.
//   - It adds no deadline. A call that hangs for ever while the breaker is closed
//     is never counted: give calls a deadline, which counts as a failure.
//   - Breakers are local. Those of other processes neither know nor follow it;
//     jitter keeps them from probing at the same instant.
//   - Retry inside the breaker or around it, but around it do not retry [ErrOpen]
//     at once: wait for [OpenError.RetryAfter].
//   - With concurrent calls there is no order among outcomes that end at the same
//     time: a streak is what the breaker saw, in one of the possible orders.
package circuitbreaker
