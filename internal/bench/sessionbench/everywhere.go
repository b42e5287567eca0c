// SPDX-License-Identifier: MIT

package sessionbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/redissession"
)

// everywhere ends all sessions of one subject beside readers of other sessions.
type everywhere struct {
	sessions int
	measure  func() (waits, error)
}

// waits are the 99th percentiles of a read, in ms; script is the longest of the
// scripts that end sessions.
type waits struct{ idle, busy, script float64 }

func newEverywhere(t testing.TB, n int) *everywhere {
	e := &everywhere{sessions: n}
	e.measure = sync.OnceValues(func() (waits, error) { return e.run(t) })
	return e
}

func (e *everywhere) figure(of func(waits) float64) func() (float64, error) {
	return func() (float64, error) {
		w, err := e.measure()
		return of(w), err
	}
}

func (e *everywhere) run(t testing.TB) (w waits, err error) {
	client := redistest.Real(t).Client(t)
	m, err := session.New(redissession.New(client), session.Config[cart]{Name: "web", MaxPerSubject: -1, Timeout: 10 * time.Second})
	if err != nil {
		return w, err
	}
	var others []session.ID
	for range 1000 {
		s, err := m.Create(ctx, cart{Text: data})
		if err != nil {
			return w, err
		}
		others = append(others, s.ID)
	}
	var creators sync.WaitGroup
	failed := make(chan error, 20)
	for range cap(failed) {
		creators.Go(func() {
			for range e.sessions / cap(failed) {
				if _, err := m.Create(ctx, cart{Text: "x"}, session.ForSubject("ann")); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	creators.Wait()
	if len(failed) > 0 {
		return w, <-failed
	}
	quiet, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if w.idle, err = slowReads(quiet, m, others); err != nil {
		return w, err
	}
	var n int
	var endErr error
	during, end := context.WithCancel(ctx)
	work, err := watch(client, func() (err error) {
		go func() {
			defer end()
			n, endErr = m.DeleteSubject(ctx, "ann")
		}()
		w.busy, err = slowReads(during, m, others)
		return err
	})
	<-during.Done()
	if err := errors.Join(err, endErr); err != nil || n != e.sessions {
		return w, fmt.Errorf("ended %d of %d sessions: %w", n, e.sessions, err)
	}
	w.script = work.slowest / 1000
	return w, nil
}

// slowReads reads sessions, one each 2 ms in four goroutines, until a context ends,
// and returns the 99th percentile of the times in ms.
func slowReads(until context.Context, m *session.Manager[cart], ids []session.ID) (float64, error) {
	var mu sync.Mutex
	var all []float64
	var failed error
	var readers sync.WaitGroup
	for g := range 4 {
		readers.Go(func() {
			for i := g; until.Err() == nil; i += 4 {
				start := time.Now()
				_, err := m.Get(ctx, ids[i%len(ids)])
				took := time.Since(start)
				mu.Lock()
				all, failed = append(all, took.Seconds()*1000), errors.Join(failed, err)
				mu.Unlock()
				time.Sleep(2 * time.Millisecond) // the pace of the readers
			}
		})
	}
	readers.Wait()
	if failed != nil || len(all) == 0 {
		return 0, fmt.Errorf("%d reads: %w", len(all), failed)
	}
	slices.Sort(all)
	return all[len(all)*99/100], nil
}
