// SPDX-License-Identifier: MIT

package redislock

import "context"

// Check asks the server, or each master of a Cluster, for settings that lose
// locks, and returns a sentence about each, or an error when a server did not
// answer. A setting that a server does not report is assumed to be fine. It
// takes four round trips a server, changes nothing, and is meant for the start
// of a program and for health pages; docs/redis.md has the advice in full.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	return s.caller.Check(ctx, "redislock", "holds", s.inbox.prefix)
}
