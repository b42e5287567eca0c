// SPDX-License-Identifier: MIT

package lock

import "time"

// WakeLater makes the lease look as it does on a machine that was suspended
// for d: the wall clock has gone on, the monotonic one has not.
func (l *Lease) WakeLater(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wall = l.wall.Add(-d)
}

// Ref is the Ref of a lease that goes on.
func (l *Lease) Ref() Ref {
	return Ref{space: l.ticket.Space, group: l.ticket.Group, id: l.ticket.ID, secret: &l.secret}
}
