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
	return Ref{space: l.ticket.Space, group: l.ticket.Group, name: l.ticket.Name, id: l.ticket.ID, secret: &l.secret}
}

// GivingBack is how many claims wait to be given back.
func (m *Manager) GivingBack() (n int) {
	m.returns.mu.Lock()
	defer m.returns.mu.Unlock()
	for _, waiting := range m.returns.groups {
		n += len(waiting)
	}
	return n
}

// HoldUp stops whatever looks at the leases until it is called.
func (m *Manager) HoldUp() (goOn func()) {
	m.mu.Lock()
	return m.mu.Unlock
}
