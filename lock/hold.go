// SPDX-License-Identifier: MIT

package lock

import "time"

// Hold is a lease as others see it. It never carries the secret token.
type Hold struct {
	ID             string
	Holder, Reason string
	Resource       Resource
	AcquiredAt     time.Time     // the store's time
	ExpiresAt      time.Time     // the store's time
	Left           time.Duration // until it expires, when the store answered; <= 0 when it has
	Extensions     int
	Fence          uint64
	Details        map[string]string
}

// Conflict is one hold that is in the way, and the part of the wanted
// resource that it overlaps.
type Conflict struct {
	Wanted Resource
	Hold   Hold
}
