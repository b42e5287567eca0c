// SPDX-License-Identifier: MIT

package circuitbreaker

// broken returns the first rule that the counts of a closed breaker break, after
// a failure or a slow call. It may run user code (TripWhen) and holds no lock.
func (cfg *Config) broken(c Counts) Reason {
	answered := c.Success + c.Failure
	all := answered + c.Ignored // the ignored calls of a window were slow
	least := uint64(cfg.MinCalls)
	switch {
	case cfg.ConsecutiveFailures > 0 && c.Consecutive >= cfg.ConsecutiveFailures:
		return TooManyInARow
	case answered >= least && reached(cfg.FailureRate, c.Failure, answered):
		return TooManyFailures
	case all >= least && reached(cfg.SlowRate, c.Slow, all):
		return TooManySlow
	case cfg.TripWhen != nil && cfg.TripWhen(c):
		return OwnRule
	}
	return NoReason
}

// tolerance is what a rate may miss its threshold by: 2 of 3 reach 2.0/3, and 57
// of 100 reach 0.57, although floating-point numbers hold neither.
const tolerance = 1e-9

// reached reports whether part of all is at least the rate. A rate of 0 is a
// rule that is off.
func reached(rate float64, part, all uint64) bool {
	return rate > 0 && part > 0 && float64(part) >= (rate-tolerance)*float64(all)
}
