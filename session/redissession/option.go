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
// share sessions must use the same number. Redis keeps it: the first call of a
// process with another one, and each after it, is an error that matches
// [session.ErrInvalid]. [Store.Repartition] changes it. Count and an idle cleanup
// cycle cost one small command for each partition.
func WithPartitions(n int) Option {
	return func(s *Store) { s.partitions = min(max(n, 1), 256) }
}

// WithQuarantine bounds the quarantine of each manager's sessions: to so many
// bytes of Redis' memory, of which each partition has its share, and each record
// to so long. The default is 16 MiB for 7 days. When a share is full its oldest
// go; a record that is larger is not kept. Values below 1 and a millisecond mean
// the default.
func WithQuarantine(bytes int, keep time.Duration) Option {
	return func(s *Store) {
		if bytes >= 1 {
			s.quarantineBytes = bytes
		}
		if keep >= time.Millisecond {
			s.quarantineKeep = keep
		}
	}
}
