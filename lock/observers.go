// SPDX-License-Identifier: MIT

package lock

import "context"

// Observers returns an observer that tells each of list, in order; nils are
// dropped. One that panics does not keep the others from being told.
func Observers(list ...Observer) Observer {
	var all observers
	for _, o := range list {
		if o != nil {
			all = append(all, o)
		}
	}
	return all
}

type observers []Observer

// ObserveLock defers the rest before it calls the first, so the rest is told
// even while a panic is on its way to whoever contains and counts it.
func (l observers) ObserveLock(ctx context.Context, e Event) {
	if len(l) == 0 {
		return
	}
	defer l[1:].ObserveLock(ctx, e)
	l[0].ObserveLock(ctx, e)
}
