// SPDX-License-Identifier: MIT

package lock

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// watchdog renews leases with one goroutine for all of a manager, started by
// the first lease and ended by Close. It sleeps until the first lease is due,
// takes along those due a little later, and sends each group's in batches. A
// batch without an answer is tried again soon; meanwhile nobody's deadline
// moves, so a lease ends in time however long the store is away.
type watchdog struct {
	m    *Manager
	kick chan struct{} // capacity 1: the first lease due has changed

	mu      sync.Mutex
	due     dueLeases
	count   int // watched, those just being renewed included
	started bool
}

// watch is a lease's place in the watchdog, guarded by its mutex.
type watch struct {
	on    bool
	due   time.Time
	index int // in the heap, -1 while being renewed
}

const (
	renewing   = "renewing"
	batchSize  = 128
	maxBatches = 16 // under way at once, of different groups
)

func newWatchdog(m *Manager) *watchdog { return &watchdog{m: m, kick: make(chan struct{}, 1)} }

func (w *watchdog) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// add watches l from now on, unless it has ended meanwhile: whoever ends a
// lease sets its cause before removing it here, so one of the two sees the
// other.
func (w *watchdog) add(l *Lease) {
	w.mu.Lock()
	l.watch.on = true
	w.count++
	w.push(l, time.Now().Add(min(l.ttl, time.Until(l.Deadline()))/3))
	start := !w.started
	w.started = true
	w.mu.Unlock()
	if l.ctx.Err() != nil {
		w.remove(l)
	}
	if start {
		w.m.spawn(w.run)
	}
}

// push places l by its time. w.mu is held.
func (w *watchdog) push(l *Lease, due time.Time) {
	l.watch.due = due
	heap.Push(&w.due, l)
	if l.watch.index == 0 {
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
		timer.Reset(w.pause())
		select {
		case <-timer.C:
		case <-w.kick:
		case <-w.m.stopping.Done():
			return
		}
		w.renewAll(w.take())
	}
}

// pause returns how long nobody is due.
func (w *watchdog) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		return time.Hour
	}
	return time.Until(w.due[0].watch.due)
}

// take removes from the heap who is due, and who will be within a thirtieth of
// the TTL of the first one, for fewer and fuller batches.
func (w *watchdog) take() map[string][]*Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if len(w.due) == 0 || w.due[0].watch.due.After(now) {
		return nil
	}
	until := now.Add(w.due[0].ttl / 30)
	groups := make(map[string][]*Lease)
	for len(w.due) > 0 && !w.due[0].watch.due.After(until) {
		l := heap.Pop(&w.due).(*Lease)
		groups[l.ticket.Group] = append(groups[l.ticket.Group], l)
	}
	return groups
}

// renewAll renews group after group, or several at once when there are
// several, so that one whose server is away does not hold up the others.
func (w *watchdog) renewAll(groups map[string][]*Lease) {
	var (
		done  sync.WaitGroup
		slots = make(chan struct{}, maxBatches)
	)
	defer done.Wait()
	for _, leases := range groups {
		if len(groups) == 1 {
			w.renewGroup(leases)
			return
		}
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			w.renewGroup(leases)
		})
	}
}

func (w *watchdog) renewGroup(leases []*Lease) {
	for len(leases) > 0 {
		n := min(len(leases), batchSize)
		w.renew(leases[:n])
		leases = leases[n:]
	}
}

// renew sends one batch. It waits for the answer for no more than a quarter
// of the shortest TTL, so that there is time to try again.
func (w *watchdog) renew(batch []*Lease) {
	renewals := make([]Renewal, len(batch))
	patience := 2 * time.Second
	for i, l := range batch {
		renewals[i] = Renewal{Ticket: l.ticket, TTL: l.ttl}
		patience = min(patience, max(l.ttl/4, minTTL))
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
		failed := err
		if err != nil {
			failed = unavailable(ctx, "renewing "+l.resource.String(), err)
			w.again(l, time.Now().Add(max(l.ttl/30, minTTL)))
		} else if failed = l.apply(renewing, grants[i], sent); failed == nil {
			w.again(l, sent.Add(l.ttl/3))
		} else {
			w.remove(l) // it has ended, or MaxHold leaves nothing to renew
		}
		e := l.event(OpRenew)
		e.Took, e.Result, e.Err = took, result(failed), failed
		l.outbox.Put(ctx, e)
	}
	for _, l := range batch {
		l.outbox.Drain()
	}
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
