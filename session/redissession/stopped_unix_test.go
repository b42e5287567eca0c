// SPDX-License-Identifier: MIT

//go:build unix

package redissession

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// A client without ContextTimeoutEnabled, the default of go-redis, would wait
// for its own time limits, several times over.
func TestAServerThatStopsCannotOutlastTheDeadline(t *testing.T) {
	t.Parallel()
	for name, obedient := range map[string]bool{"a client that heeds contexts": true, "a client that does not": false} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Real(t)
			client := redis.NewClient(&redis.Options{
				Addr: server.Addr, ContextTimeoutEnabled: obedient, DialTimeout: time.Minute, ReadTimeout: time.Minute, PoolTimeout: time.Minute,
			})
			t.Cleanup(func() { _ = client.Close() })
			m := newManager(t, client, session.Config[note]{Timeout: 100 * time.Millisecond})
			patient := newManager(t, client, session.Config[note]{})
			s, err := patient.Create(t.Context(), note{"secret"}, session.ForSubject("ann"))
			if err != nil {
				t.Fatal(err)
			}
			stop := func() {
				if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			goOn := func() { _ = server.Process.Signal(syscall.SIGCONT) }
			t.Cleanup(goOn) // lets the client's goroutines end
			stop()
			for what, call := range calls(m, s) {
				start := time.Now()
				err := call(t.Context())
				if took := time.Since(start); !errors.Is(err, session.ErrUnavailable) || took > late {
					t.Errorf("%s without a deadline: %v after %v, want ErrUnavailable after Config.Timeout", what, err, took)
				}
			}
			for what, call := range calls(patient, s) {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				start := time.Now()
				err := call(ctx)
				cancel()
				if took := time.Since(start); !errors.Is(err, session.ErrUnavailable) || took > late {
					t.Errorf("%s: %v after %v, want ErrUnavailable after the deadline of 50 ms", what, err, took)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := patient.Sweep(ctx); !errors.Is(err, session.ErrUnavailable) || time.Until(deadline(ctx)) < -late {
				t.Errorf("Sweep: %v", err)
			}
			goOn()
			if _, err := patient.Create(t.Context(), note{}); err != nil { // what was sent may have been done: s may be another one by now
				t.Errorf("after it went on: %v", err)
			}
		})
	}
}

const late = 5 * time.Second // a busy machine may be

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

// calls are the operations of a manager on s, which they leave alone when the
// store does not answer.
func calls(m *session.Manager[note], s *session.Session[note]) map[string]func(context.Context) error {
	key := session.Conversation{Channel: "sms", Peer: "1"}
	handle := func(context.Context, *session.Session[note]) error { return errors.New("it ran without a lease") }
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := m.Create(ctx, note{}); return err },
		"Get":    func(ctx context.Context) error { _, err := m.Get(ctx, s.ID); return err },
		"Touch":  func(ctx context.Context) error { _, err := m.Touch(ctx, s.ID); return err },
		"Save":   func(ctx context.Context) error { return m.Save(ctx, s) },
		"Update": func(ctx context.Context) error {
			_, err := m.Update(ctx, s.ID, func(*note) error { return nil })
			return err
		},
		"Open":      func(ctx context.Context) error { _, _, err := m.Open(ctx, key, note{}); return err },
		"Exclusive": func(ctx context.Context) error { return m.Exclusive(ctx, s.ID, handle) },
		"Converse":  func(ctx context.Context) error { return m.Converse(ctx, key, note{}, handle) },
		"Rotate":    func(ctx context.Context) error { return m.Rotate(ctx, s) },
		"Count":     func(ctx context.Context) error { _, err := m.Count(ctx); return err },
		"BySubject": func(ctx context.Context) error {
			for _, err := range m.BySubject(ctx, "ann") {
				return err
			}
			return nil
		},
		"All": func(ctx context.Context) error {
			for _, err := range m.All(ctx) {
				return err
			}
			return nil
		},
	}
}

// What was sent to a server that stops is executed when it goes on, perhaps after
// what was sent to undo it.
func TestAServerThatStopsForAMomentMakesNoOneWaitForALease(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	client := server.Client(t)
	handle := func(context.Context, *session.Session[note]) error { return nil }
	managers := []*session.Manager[note]{
		newManager(t, client, session.Config[note]{Timeout: 100 * time.Millisecond}),
		newManager(t, client, session.Config[note]{Timeout: 100 * time.Millisecond}),
	}
	for _, m := range managers { // the first call of each asks for the partitions, too
		for m.Converse(t.Context(), talk, note{}, handle) != nil && t.Context().Err() == nil {
			time.Sleep(time.Millisecond) // a busy machine may need longer than Timeout
		}
	}
	if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { _ = managers[i%2].Converse(t.Context(), talk, note{}, handle) })
	}
	time.Sleep(400 * time.Millisecond) // as long as the server stops
	if err := server.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	start := time.Now()
	if err := newManager(t, client, session.Config[note]{}).Converse(ctx, talk, note{}, handle); err != nil {
		t.Errorf("after a stop of 0.4 s, the next waited %v: %v", time.Since(start), err)
	}
}
