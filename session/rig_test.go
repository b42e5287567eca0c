// SPDX-License-Identifier: MIT

package session_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/memsession"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// cart is the data of the tests.
type cart struct {
	Items int
	Notes map[string]string `json:",omitempty"`
}

type manager = session.Manager[cart]
type config = session.Config[cart]

// newManager makes a manager with 10 min idle and 1 h absolute timeout unless
// cfg says otherwise.
func newManager(t testing.TB, store session.Store, cfg config) *manager {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "carts"
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 10 * time.Minute
	}
	if cfg.AbsoluteTimeout == 0 {
		cfg.AbsoluteTimeout = time.Hour
	}
	if cfg.Timeout == 0 && time.Now().Year() > 2000 { // not in a bubble: a busy machine takes its time
		cfg.Timeout = time.Minute
	}
	m, err := session.New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func create(t testing.TB, m *manager, items int, opts ...session.CreateOption) *session.Session[cart] {
	t.Helper()
	s, err := m.Create(t.Context(), cart{Items: items}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sweep(t testing.TB, m *manager) session.Report {
	t.Helper()
	r, err := m.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// recorder is an observer that keeps what is reported.
type recorder struct {
	mu     sync.Mutex
	events []session.Event
}

func (r *recorder) ObserveSession(_ context.Context, e session.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// of returns the events of an operation.
func (r *recorder) of(op session.Op) []session.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e session.Event) bool { return e.Op != op })
}

// reasons returns why sessions ended, in order.
func (r *recorder) reasons() []session.EndReason {
	var all []session.EndReason
	for _, e := range r.of(session.OpEnded) {
		all = append(all, e.Reason)
	}
	return all
}

// stage is a store that counts its calls, and does what a test wants before
// each: return an error to fail the call, wait, or look at what others do.
type stage struct {
	session.Store
	mu     sync.Mutex
	calls  []string
	before func(ctx context.Context, call string) error
	claim  func(session.StoreClaimed) session.StoreClaimed // changes what Claim answers
	writes []session.StoreWrite
	loads  []session.StoreLoad
}

func newStage() *stage { return &stage{Store: memsession.New()} }

func (s *stage) enter(ctx context.Context, call string) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	before := s.before
	s.mu.Unlock()
	if before != nil {
		return before(ctx, call)
	}
	return nil
}

// on sets before, under the lock.
func (s *stage) on(f func(ctx context.Context, call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// trips returns the calls since the last time.
func (s *stage) trips() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.calls
	s.calls = nil
	return all
}

func (s *stage) wrote(w session.StoreWrite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, w)
}

func (s *stage) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	s.wrote(w)
	if err := s.enter(ctx, "Create"); err != nil {
		return session.StoreReply{}, err
	}
	return s.Store.Create(ctx, w)
}

func (s *stage) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	s.mu.Lock()
	s.loads = append(s.loads, l)
	s.mu.Unlock()
	if err := s.enter(ctx, "Load"); err != nil {
		return session.StoreReply{}, err
	}
	return s.Store.Load(ctx, l)
}

func (s *stage) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	s.wrote(w)
	if err := s.enter(ctx, "Save"); err != nil {
		return session.StoreReply{}, err
	}
	return s.Store.Save(ctx, w)
}

func (s *stage) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	s.wrote(w)
	if err := s.enter(ctx, "Move"); err != nil {
		return session.StoreReply{}, err
	}
	return s.Store.Move(ctx, from, w)
}

func (s *stage) Delete(ctx context.Context, d session.StoreRemove) (session.StoreRemoved, error) {
	if err := s.enter(ctx, "Delete"); err != nil {
		return session.StoreRemoved{}, err
	}
	return s.Store.Delete(ctx, d)
}

func (s *stage) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	if err := s.enter(ctx, "List"); err != nil {
		return func(yield func(session.StoreRecord, error) bool) { yield(session.StoreRecord{}, err) }
	}
	return s.Store.List(ctx, l)
}

func (s *stage) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
	call := "Claim"
	if c.Max == 0 {
		call = "Settle"
	}
	if err := s.enter(ctx, call); err != nil {
		return session.StoreClaimed{}, err
	}
	got, err := s.Store.Claim(ctx, c)
	if s.claim != nil {
		got = s.claim(got)
	}
	return got, err
}

func (s *stage) Quarantined(ctx context.Context, space string) iter.Seq2[session.Quarantined, error] {
	if err := s.enter(ctx, "Quarantined"); err != nil {
		return func(yield func(session.Quarantined, error) bool) { yield(session.Quarantined{}, err) }
	}
	return s.Store.(session.StoreQuarantine).Quarantined(ctx, space)
}

func (s *stage) Restore(ctx context.Context, space, id string) (session.StoreStatus, error) {
	if err := s.enter(ctx, "Restore"); err != nil {
		return 0, err
	}
	return s.Store.(session.StoreQuarantine).Restore(ctx, space, id)
}

func (s *stage) Count(ctx context.Context, space string) (session.StoreCount, error) {
	if err := s.enter(ctx, "Count"); err != nil {
		return session.StoreCount{}, err
	}
	return s.Store.Count(ctx, space)
}
