// SPDX-License-Identifier: MIT

package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

// lanes is the [Sink] of a log over a [Multi]. Each of the sinks has a log of its
// own, a lane, so that none waits for another; the outer log's writer records its
// batches in all of them. Only that writer calls Write.
type lanes struct {
	logs []*Log

	// The batch of a Write that has not returned nil yet.
	handed map[ID]bool
	passes []*pass
}

// pass is the handling of a batch by one lane.
type pass struct {
	lane *Log
	idle bool // the lane had no other events
	over *flush
}

// patience is how long Write waits for the slower lanes after the first one.
const patience = time.Second

func newLanes(sinks []Sink, cfg Config) (*lanes, error) {
	s := new(lanes)
	for i, sink := range sinks {
		own := cfg
		own.Name += "/" + strconv.Itoa(i+1)
		own.WhenFull, own.Linger, own.Enrich = DropOldest, -1, nil
		own.Queue += own.MaxBatch // beside the batch in flight there is always one to drop
		l, err := New(sink, own)
		if err != nil {
			return nil, err
		}
		l.lane = true
		s.logs = append(s.logs, l)
	}
	return s, nil
}

// Write records the batch in all lanes and waits until one has settled it, and
// then, for patience at most, for those that were not behind before. Called
// again with the same batch, it waits on.
func (s *lanes) Write(ctx context.Context, batch []Event) error {
	if slices.ContainsFunc(batch, func(e Event) bool { return !s.handed[e.ID] }) {
		s.hand(batch)
	}
	answers := make(chan *pass, len(s.passes))
	stop := make(chan struct{})
	defer close(stop)
	waiting := 0 // for lanes that were idle
	for _, p := range s.passes {
		if p.idle {
			waiting++
		}
		go func() {
			select {
			case <-p.over.done:
				answers <- p
			case <-stop:
			}
		}()
	}
	var settled bool
	var enough <-chan time.Time
	for !settled || waiting > 0 {
		select {
		case p := <-answers:
			if p.idle {
				waiting--
			}
			if !settled {
				settled, enough = true, time.After(patience)
			}
		case <-enough:
			waiting = 0
		case <-ctx.Done():
			if !settled {
				return fmt.Errorf("%w: all of %d sinks: %w", ErrUnavailable, len(s.logs), ctx.Err())
			}
			waiting = 0
		}
	}
	s.forget()
	return nil
}

// hand records in each lane the events that were not handed over before.
func (s *lanes) hand(batch []Event) {
	known := s.handed
	s.forget()
	s.handed = make(map[ID]bool, len(batch))
	for _, l := range s.logs {
		idle := l.Stats().Queued == 0 || len(known) > 0
		for _, e := range batch {
			if !known[e.ID] {
				_ = l.Record(context.Background(), e) // the lane counts and marks what it refuses
			}
		}
		s.passes = append(s.passes, &pass{l, idle, l.follow()})
	}
	for _, e := range batch {
		s.handed[e.ID] = true
	}
}

func (s *lanes) forget() {
	for _, p := range s.passes {
		p.lane.mu.Lock()
		p.lane.forget(p.over)
		p.lane.mu.Unlock()
	}
	s.passes, s.handed = nil, nil
}

// follow returns a flush of everything accepted so far. It ends no pause.
func (l *Log) follow() *flush {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &flush{seq: l.seq, done: make(chan struct{})}
	l.flushes = append(l.flushes, f)
	l.settled()
	return f
}

// everything is the seq of a flush that never ends and collects every loss.
const everything = math.MaxUint64

// ending collects what the lanes lose from its creation on.
type ending struct {
	lanes    *lanes
	watching []*flush
}

func (s *lanes) ending() *ending {
	e := &ending{lanes: s}
	if s != nil {
		for _, l := range s.logs {
			f := &flush{seq: everything, done: make(chan struct{})}
			l.mu.Lock()
			l.flushes = append(l.flushes, f)
			l.mu.Unlock()
			e.watching = append(e.watching, f)
		}
	}
	return e
}

// with calls end, Flush or Close, on all lanes, and adds their losses and errors
// to err.
func (e *ending) with(ctx context.Context, err error, end func(*Log, context.Context) error) error {
	if e.lanes == nil {
		return err
	}
	errs := make([]error, len(e.lanes.logs))
	var all sync.WaitGroup
	for i, l := range e.lanes.logs {
		all.Go(func() { errs[i] = end(l, ctx) })
	}
	all.Wait()
	var sum LossError
	var causes []error
	known := make(map[ID]bool)
	add := func(ids []ID, inDoubt int) {
		for _, id := range ids {
			if !known[id] {
				known[id] = true
				sum.IDs = append(sum.IDs, id)
			}
		}
		sum.InDoubt = min(sum.InDoubt+inDoubt, len(sum.IDs))
	}
	own, isLoss := errors.AsType[*LossError](err)
	if isLoss {
		add(own.IDs, own.InDoubt)
		err = own.Cause
	}
	causes = append(causes, err)
	for i, l := range e.lanes.logs {
		inDoubt := 0
		if loss, ok := errors.AsType[*LossError](errs[i]); ok {
			inDoubt = loss.InDoubt
		}
		l.mu.Lock()
		l.forget(e.watching[i])
		add(e.watching[i].lost, inDoubt)
		cause := cmp.Or(errs[i], e.watching[i].cause)
		l.mu.Unlock()
		if cause != nil {
			causes = append(causes, fmt.Errorf("%s: %w", l.Name(), cause))
		}
	}
	err = errors.Join(causes...)
	if len(sum.IDs) == 0 {
		return err
	}
	sum.Cause = err
	return &sum
}

func (s *lanes) healthy() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.Healthy())
	}
	return errors.Join(errs...)
}
