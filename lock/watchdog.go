// SPDX-License-Identifier: MIT

package lock

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/observe"
)

// watchdog confirms and renews leases with one goroutine for all of a manager,
// while there are any and until Close. It sleeps until the first lease is due,
// takes along those due a little later, and sends them in batches, with one
// goroutine for each lane that has some. A batch without an answer is tried again
// soon. Meanwhile no deadline moves, so a lease ends in time however long the
// store does not answer.
type watchdog struct {
	m    *Manager
	kick chan struct{} // capacity 1: the first lease due has changed

	mu      sync.Mutex
	due     dueLeases
	lanes   map[lane][]*Lease // those under way, and what has become due there since
	count   int               // watched, those just being renewed included
	running bool
}

// lane is what goes together. Confirmations have their own: they must not wait
// for renewals that are not answered.
type lane struct {
	group    string
	confirms bool
}

// watch is a lease's place in the watchdog, guarded by its mutex.
type watch struct {
	on    bool
	due   time.Time
	index int // in the heap, -1 while being renewed
}

const (
	renewing     = "renewing"
	batchSize    = 128
	confirmAfter = time.Millisecond // so that a lease that is released at once costs no confirmation
)

func newWatchdog(m *Manager) *watchdog {
	return &watchdog{m: m, kick: make(chan struct{}, 1), lanes: make(map[lane][]*Lease)}
}

func (w *watchdog) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// add watches l from now on, unless it has ended meanwhile: the cause
// of its end is set before it is removed here, so one of the two sees the
// other.
func (w *watchdog) add(l *Lease) {
	w.mu.Lock()
	l.watch.on = true
	w.count++
	pause := min(l.ttl, time.Until(l.Deadline())) / 3
	if l.isUnconfirmed() {
		pause = min(pause, confirmAfter)
	}
	w.push(l, time.Now().Add(pause))
	w.mu.Unlock()
	if l.ctx.Err() != nil {
		w.remove(l)
	}
}

// push places l by its time. w.mu is held.
func (w *watchdog) push(l *Lease, due time.Time) {
	l.watch.due = due
	heap.Push(&w.due, l)
	if !w.running {
		w.running = true
		w.m.spawn(w.run)
	} else if l.watch.index == 0 {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
}

func (w *watchdog) remove(l *Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !l.watch.on {
		return
	}
	l.watch.on = false
	w.count--
	if l.watch.index >= 0 {
		heap.Remove(&w.due, l.watch.index)
	}
}

func (w *watchdog) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		pause, idle := w.pause()
		if idle {
			return
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-w.kick:
		case <-w.m.stopping.Done():
			return // and stays running: nothing is renewed any more
		}
		for at, leases := range w.take() {
			w.m.spawn(func() { w.renewAll(at, leases) })
		}
	}
}

// pause returns how long it is until the first lease is due. Without any, the
// goroutine ends; the next lease starts another.
func (w *watchdog) pause() (d time.Duration, idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		w.running = false
		return 0, true
	}
	return time.Until(w.due[0].watch.due), false
}

// take removes from the heap the leases that are due, and those that will be
// within a thirtieth of the time that the first one has, for fewer and fuller
// batches. Those of a lane that is under way are added to what waits there.
func (w *watchdog) take() map[lane][]*Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if len(w.due) == 0 || w.due[0].watch.due.After(now) {
		return nil
	}
	until := now.Add(w.due[0].renewedFor(w.due[0].isUnconfirmed()) / 30)
	lanes := make(map[lane][]*Lease)
	for len(w.due) > 0 && !w.due[0].watch.due.After(until) {
		if first := w.due[0]; first.watch.due.After(now) && first.isUnconfirmed() {
			break // it may be released before it is due
		}
		l := heap.Pop(&w.due).(*Lease)
		at := lane{l.ticket.Group, l.isUnconfirmed()}
		if waiting, busy := w.lanes[at]; busy && lanes[at] == nil {
			w.lanes[at] = append(waiting, l)
		} else {
			w.lanes[at] = nil
			lanes[at] = append(lanes[at], l)
		}
	}
	return lanes
}

// renewAll renews what is due in a lane, until nothing is.
func (w *watchdog) renewAll(at lane, leases []*Lease) {
	for len(leases) > 0 {
		n := min(len(leases), batchSize)
		w.renew(w.watched(leases[:n]))
		if leases = leases[n:]; len(leases) > 0 {
			continue
		}
		w.mu.Lock()
		if leases = w.lanes[at]; len(leases) > 0 {
			w.lanes[at] = nil
		} else {
			delete(w.lanes, at)
		}
		w.mu.Unlock()
	}
}

// watched leaves out the leases that have ended meanwhile.
func (w *watchdog) watched(leases []*Lease) []*Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(leases), func(l *Lease) bool { return !l.watch.on })
}

// renew sends one batch. It waits for the answer for no more than a quarter
// of the shortest time that a lease has, so that there is time to try again.
func (w *watchdog) renew(batch []*Lease) {
	if len(batch) == 0 {
		return
	}
	renewals := make([]StoreRenewal, len(batch))
	patience := StoreTrialTime
	for i, l := range batch {
		renewals[i] = StoreRenewal{StoreTicket: l.ticket, TTL: l.ttl, Confirm: l.isUnconfirmed()}
		if l.renew {
			renewals[i].Lost = l.taken
		}
		patience = min(patience, max(l.renewedFor(renewals[i].Confirm)/4, minTTL))
	}
	ctx, cancel := context.WithTimeout(w.m.stopping, patience)
	defer cancel()
	sent := time.Now()
	grants, err := w.m.store.Extend(ctx, renewals)
	if err == nil && len(grants) != len(batch) {
		err = errAnswers
	}
	if w.m.stopping.Err() != nil {
		return
	}
	took := time.Since(sent)
	for i, l := range batch {
		failed, confirms := err, renewals[i].Confirm
		if err != nil {
			failed = unavailable(ctx, "renewing "+l.resource.String(), err)
			w.again(l, time.Now().Add(max(l.renewedFor(confirms)/30, minTTL)))
		} else if failed = l.apply(renewing, grants[i], sent); failed == nil && l.renew {
			w.again(l, sent.Add(l.ttl/3))
		} else {
			w.remove(l) // it is confirmed, has ended, or MaxHold leaves nothing to renew
		}
		if confirms {
			continue // it is no renewal to an observer
		}
		e := l.event(OpRenew)
		e.Took, e.Result, e.Err = took, result(failed), failed
		l.outbox.Put(ctx, e)
	}
	w.m.spawn(func() { // a slow observer must hold up no renewal
		observe.Each(batch, func(l *Lease) { l.outbox.Drain() })
	})
}

// isUnconfirmed reports whether the lease is to be confirmed.
func (l *Lease) isUnconfirmed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unconfirmed
}

// renewedFor is how long the lease lasts from one renewal to the next.
func (l *Lease) renewedFor(unconfirmed bool) time.Duration {
	if unconfirmed {
		return min(l.ttl, StoreTrialTime)
	}
	return l.ttl
}

// again puts l back, unless it has been removed meanwhile.
func (w *watchdog) again(l *Lease, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.watch.on {
		w.push(l, due)
	}
}

// dueLeases is a heap by time due.
type dueLeases []*Lease

func (d dueLeases) Len() int           { return len(d) }
func (d dueLeases) Less(i, j int) bool { return d[i].watch.due.Before(d[j].watch.due) }

func (d dueLeases) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].watch.index, d[j].watch.index = i, j
}

func (d *dueLeases) Push(x any) {
	l := x.(*Lease)
	l.watch.index = len(*d)
	*d = append(*d, l)
}

func (d *dueLeases) Pop() any {
	last := len(*d) - 1
	l := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	l.watch.index = -1
	return l
}
