// SPDX-License-Identifier: MIT

package fault

import (
	"context"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/audit"
)

// Sink is a sink in front of another, which it can keep events from. Writes
// fail while it is down, in a way that the audit log may try again.
type Sink struct {
	audit.Sink
	down atomic.Bool
}

// Write implements [audit.Sink].
func (s *Sink) Write(ctx context.Context, batch []audit.Event) error {
	if s.down.Load() {
		return ErrSwitchedOff
	}
	return s.Sink.Write(ctx, batch)
}
