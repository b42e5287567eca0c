// SPDX-License-Identifier: MIT

// Package circuitbreaker stops calls to a dependency that fails, and lets them
// through again when the dependency has recovered.
//
//	pms, err := circuitbreaker.New(circuitbreaker.Config{Name: "pms"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	room, err := circuitbreaker.Do(ctx, pms, func(ctx context.Context) (string, error) {
//		return client.FindRoom(ctx, "garden view")
//	})
//	if errors.Is(err, circuitbreaker.ErrOpen) {
//		room, err = cached("garden view") // the PMS was not called
//	}
//
// # States
//
//	           a rule is met; Trip
//	+--------+ -------------------------> +------+
//	| Closed |                            | Open | <-------+
//	+--------+ <---+                      +------+         |
//	  calls pass   |                        | calls are    |
//	  and are      | enough probes          | rejected     | too many
//	  counted      | succeed                |              | probes fail
//	               |                        | the open     | or hang; Trip
//	               |      +----------+      | time passed  |
//	               +----- | HalfOpen | <----+              |
//	                      +----------+ --------------------+
//	                        a few calls pass as probes,
//	                        the others are rejected
//
//	any state -- ForceOpen --> ForcedOpen -- Reset --> Closed    calls are rejected
//	any state -- Disable ----> Disabled ---- Reset --> Closed    calls pass, no rule is checked
//	any state -- Probe ------> HalfOpen                          the next calls decide
//
// [Config] sets the rules that open a breaker (failures in a row, the share of
// failures or of slow calls in a [Window], a rule of your own), how long it
// stays open ([Backoff]) and which [Probes] close it; [Breaker.Update] changes them
// later. [Config.Classify] says which errors are failures, and which say nothing
// about the dependency. [Group] keeps a breaker for each of many keys.
// [Breaker.Allow] is for calls that cannot be a function.
//
// # Guarantees
//
//   - Each opening is one transition and one event, however many calls fail at
//     once.
//   - A result counts only for the stay in a state that let its call through. A
//     call that began before the breaker opened, was reset or was half-open the
//     last time cannot close it, open it or use up a probe.
//   - At most [Probes.Concurrent] probes of one half-open stay run at a time. A
//     probe that panics, ends its goroutine, is cancelled or is settled twice
//     frees its slot once; one that hangs is a failure after [Probes.Timeout].
//   - A caller that gives up says nothing about the dependency, whatever error the
//     driver makes of it. But a caller that gave up after [Config.SlowCall] counts
//     as a slow call.
//   - The state is right without traffic: timers change it, not calls.
//   - Rates are exact at their threshold: 57 of 100 reach 0.57. They are compared
//     with a tolerance of 1e-9.
//   - Totals in [Stats] count every call once and never fall, whatever Reset does.
//   - A rejection costs a few nanoseconds: without a [Config.Trace] it reads no
//     clock, takes no lock and allocates nothing. So the breaker does not become the
//     load that it keeps away. Neither that nor the cost of a call grows with the
//     window or the number of probes.
//   - Your functions ([Observer], Config.Classify, Config.TripWhen) run outside
//     every lock and may call the breaker. A panic of an observer is contained and
//     counted; a panic of the others reaches the caller, and the breaker keeps
//     working.
//   - No goroutine stays, and there is nothing to close. With the default rules a
//     breaker takes three quarters of a kilobyte, and up to 8 KiB more for each of
//     its counters on which many cores collide.
//
// # Not guaranteed
//
//   - Calls in flight when a breaker opens continue: it rejects calls, it does not
//     interrupt them. Their number is not bounded while the breaker is closed.
//   - It adds no deadline. A call that hangs for ever while the breaker is closed
//     is never counted: give each call a deadline, which counts as a failure.
//   - Breakers are local. Breakers of other processes do not share their state;
//     jitter keeps them from probing at the same instant.
//   - It does not retry. Retry inside the breaker or around it, but around it do
//     not retry [ErrOpen] at once: wait for [OpenError.RetryAfter], which is a
//     second where the time is not known.
//   - Concurrent calls that end at the same time have no defined order: a streak
//     is what the breaker saw, in one of the possible orders.
package circuitbreaker
