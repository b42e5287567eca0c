// SPDX-License-Identifier: MIT

package circuitbreaker

// State determines what a breaker does with calls.
type State uint8

const (
	Closed     State = iota // calls pass and are counted
	HalfOpen                // a few calls pass as probes, the others are rejected
	Open                    // every call is rejected until the open time has passed
	ForcedOpen              // every call is rejected until Reset
	Disabled                // every call passes and nothing trips until Reset

	numStates = 5
)

// String returns "closed", "half_open", "open", "forced_open" or "disabled".
func (s State) String() string {
	return name(s, "closed", "half_open", "open", "forced_open", "disabled")
}

// MarshalText returns what String does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String returns for the states that there are.
func (s *State) UnmarshalText(text []byte) error {
	for known := range State(numStates) {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return problem("Start", string(text), "closed, half_open, open, forced_open or disabled")
}

// Outcome is what the result of a call says about the dependency.
type Outcome uint8

const (
	Success Outcome = iota // the dependency worked
	Failure                // it did not work
	Ignored                // it says nothing: counted, but no rule looks at it
)

// String returns "success", "failure" or "ignored".
func (o Outcome) String() string { return name(o, "success", "failure", "ignored") }

// Reason is why a state changed.
type Reason uint8

const (
	NoReason         Reason = iota
	TooManyInARow           // Config.ConsecutiveFailures was reached
	TooManyFailures         // Config.FailureRate was reached
	TooManySlow             // Config.SlowRate was reached
	OwnRule                 // Config.TripWhen returned true
	ProbeFailed             // too many probes were failures or slow
	ProbeTimedOut           // a probe took longer than Probes.Timeout, and that was too many
	ProbesPassed            // enough probes succeeded
	WaitedLongEnough        // the open time has passed
	ByHand                  // Trip, ForceOpen, Disable, Probe, Reset or Config.Start
)

// String returns the reason in lower case with underscores, such as
// "too_many_in_a_row".
func (r Reason) String() string {
	return name(r, "none", "too_many_in_a_row", "too_many_failures", "too_many_slow", "own_rule",
		"probe_failed", "probe_timed_out", "probes_passed", "waited_long_enough", "by_hand")
}

func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}
