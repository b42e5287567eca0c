// SPDX-License-Identifier: MIT

package redissession

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Check asks the server, or each master of a Cluster, for settings that lose
// sessions, or their places in the indexes, without which DeleteSubject does not
// find them, looks at the client for one that hides sessions, and returns a sentence
// about each, or an error when a server did not answer. A setting that a server does
// not report is assumed to be fine. It takes four round trips a server, changes
// nothing, and is meant for the start of a program and for health pages;
// docs/redis.md has the advice in full.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	warnings, err = s.caller.Check(ctx, "redissession", "sessions", s.prefix+":inbox:")
	if cluster, ok := s.caller.Client().(*redis.ClusterClient); ok && cluster.Options().ReadOnly {
		warnings = append(warnings, "redissession: the client reads from replicas (ReadOnly, RouteByLatency or RouteRandomly): lists miss what these have not received")
	}
	return warnings, err
}
