// SPDX-License-Identifier: MIT

package redissession

import "time"

// Option changes a store that [New] makes.
type Option func(*Store)

// WithPrefix sets what every key begins with; the default is "holdfast". All
// processes that share sessions must use the same.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = escape.Replace(prefix) }
}

// WithPartitions sets how many hash slots a manager's sessions are spread
// over; the default is 16, and n is brought into 1 to 256. All processes that
// share sessions must use the same number, for ever: with another one most
// records are not found. The cleanup fails, saying so, once it meets sessions
// that were written with another one. Count and an idle cleanup cycle cost one
// small command for each partition.
func WithPartitions(n int) Option {
	return func(s *Store) { s.partitions = min(max(n, 1), 256) }
}

// WithQuarantine bounds the quarantine: at most so many records in each
// partition, each for so long. The default is 64 for 7 days. When it is full
// the oldest go. Values below 1 and a millisecond mean the default.
func WithQuarantine(most int, keep time.Duration) Option {
	return func(s *Store) {
		if most >= 1 {
			s.quarantineMost = most
		}
		if keep >= time.Millisecond {
			s.quarantineKeep = keep
		}
	}
}
