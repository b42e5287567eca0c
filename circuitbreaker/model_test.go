// SPDX-License-Identifier: MIT

package circuitbreaker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// model is the breaker written as simply as possible: one goroutine, lists
// instead of words, and time that moves only in advance.
type model struct {
	cfg          Config
	percent      uint64 // FailureRate and SlowRate
	now, since   time.Duration
	until        time.Duration
	state        State
	era, attempt int
	streak       int
	past         []pastCall
	probing      map[*modelCall]bool
	newest       time.Duration
	successes    int
	want         Stats
}

type pastCall struct {
	at   time.Duration
	o    Outcome
	slow bool
}

type modelCall struct {
	permit  Permit
	era     int
	start   time.Duration
	probe   bool
	settled bool
}

func (m *model) enter(to State, reason Reason) {
	switch {
	case to == Open && m.state == Closed && m.now-m.since >= m.delay(m.attempt+1):
		m.attempt = 1
	case to == Open:
		m.attempt++
	case to == HalfOpen || reason == ProbesPassed:
	default:
		m.attempt = 0
	}
	m.want.times[m.state] += m.now - m.since
	m.state, m.since, m.until = to, m.now, m.now+m.delay(m.attempt)
	m.era++
	m.streak, m.past, m.probing, m.newest, m.successes = 0, nil, map[*modelCall]bool{}, 0, 0
}

func (m *model) delay(attempt int) time.Duration {
	d := m.cfg.OpenFor.Base
	for range attempt - 1 {
		d = min(d*2, m.cfg.OpenFor.Max)
	}
	return d
}

// advance moves time on, stopping at every instant at which a timer acts.
func (m *model) advance(d time.Duration) {
	for target := m.now + d; ; {
		next := target + 1
		if m.state == Open {
			next = m.until
		}
		for p := range m.probing {
			next = min(next, p.start+m.cfg.Probes.Timeout)
		}
		if next > target {
			m.now = target
			return
		}
		m.now = next
		if m.state == Open {
			m.enter(HalfOpen, WaitedLongEnough)
		} else {
			m.enter(Open, ProbeTimedOut)
		}
	}
}

// allow returns nil for a rejection.
func (m *model) allow() *modelCall {
	c := &modelCall{era: m.era, start: m.now}
	switch {
	case m.state == Closed || m.state == Disabled:
	case m.state == HalfOpen && len(m.probing) < m.cfg.Probes.Concurrent:
		c.probe, c.start = true, max(m.now, m.newest+1)
		m.newest = c.start
		m.probing[c] = true
	case m.cfg.Shadow:
		m.want.ShadowRejected++
	default:
		m.want.Rejected++
		return nil
	}
	return c
}

func (m *model) settle(c *modelCall, o Outcome) {
	if c.settled {
		return
	}
	c.settled = true
	slow := m.cfg.SlowCall > 0 && o != Ignored && m.now-c.start >= m.cfg.SlowCall
	add(&m.want.Total, o, slow)
	switch {
	case c.era != m.era:
		m.want.Stale++
	case c.probe:
		delete(m.probing, c)
		switch {
		case o == Ignored:
		case o == Failure || slow && m.cfg.SlowRate > 0:
			m.enter(Open, ProbeFailed)
		default:
			if m.successes++; m.successes == m.cfg.Probes.Successes {
				m.enter(Closed, ProbesPassed)
			}
		}
	case (m.state == Closed || m.state == Disabled) && o != Ignored:
		if m.streak++; o == Success {
			m.streak = 0
		}
		m.past = append(m.past, pastCall{m.now, o, slow})
		if m.state == Closed && (o == Failure || slow) && m.tripped() {
			m.enter(Open, OwnRule)
		}
	}
}

func add(c *Counts, o Outcome, slow bool) {
	switch o {
	case Success:
		c.Success++
	case Failure:
		c.Failure++
	case Ignored:
		c.Ignored++
	}
	if slow {
		c.Slow++
	}
}

func (m *model) window() (c Counts) {
	w := m.cfg.Window
	for i, p := range m.past {
		recent := len(m.past)-i <= w.Calls
		if w.Calls == 0 {
			width := w.Duration / time.Duration(w.Buckets)
			recent = int(m.now/width)-int(p.at/width) < w.Buckets
		}
		if recent {
			add(&c, p.o, p.slow)
		}
	}
	return c
}

func (m *model) tripped() bool {
	c := m.window()
	all := c.Success + c.Failure
	enough := all >= uint64(m.cfg.MinCalls)
	return m.cfg.ConsecutiveFailures > 0 && m.streak >= m.cfg.ConsecutiveFailures ||
		m.cfg.FailureRate > 0 && enough && c.Failure*100 >= m.percent*all ||
		m.cfg.SlowRate > 0 && enough && c.Slow*100 >= m.percent*all ||
		m.cfg.TripWhen != nil && c.Failure >= 9
}

// stats completes what the breaker should answer.
func (m *model) stats(b *Breaker) Stats {
	s := m.want
	s.State, s.Since = m.state, b.born.Add(m.since)
	s.times[m.state] += m.now - m.since
	if b.policy.windowed {
		s.Window = m.window()
	}
	s.Window.Consecutive, s.Total.Consecutive = m.streak, m.streak
	s.Probing = len(m.probing)
	return s
}

func randomConfig(rng *rand.Rand, percent uint64) Config {
	size := []int{1, 2, 3, 10}[rng.IntN(4)]
	cfg := Config{
		Name: "pms", Shadow: rng.IntN(8) == 0, MinCalls: 1 + rng.IntN(3),
		OpenFor: Backoff{Base: time.Second, Max: 5 * time.Second, Jitter: -1},
		Probes:  Probes{Concurrent: 1 + rng.IntN(3), Successes: 1 + rng.IntN(4), Timeout: 3 * time.Second},
	}
	cfg.Window = Window{Duration: time.Duration(size) * time.Second, Buckets: size}
	if rng.IntN(2) == 0 {
		cfg.Window, cfg.MinCalls = Window{Calls: size}, min(cfg.MinCalls, size)
	}
	cfg.ConsecutiveFailures = []int{-1, 1, 2, 3, 4, 5}[rng.IntN(6)] // never 0: that could mean the default rules
	if rng.IntN(2) == 0 {
		cfg.FailureRate = float64(percent) / 100
	}
	if rng.IntN(2) == 0 {
		cfg.SlowCall = time.Second
	}
	if cfg.SlowCall > 0 && rng.IntN(2) == 0 {
		cfg.SlowRate = float64(percent) / 100
	}
	if rng.IntN(4) == 0 {
		cfg.TripWhen = func(c Counts) bool { return c.Failure >= 9 }
	}
	return cfg
}

func TestTheBreakerDoesWhatTheModelDoes(t *testing.T) {
	const steps = 500
	for seed := range uint64(long(60, 40)) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { walk(t, rand.New(rand.NewPCG(seed, 0)), steps) })
		})
	}
}

// walk plays a random schedule of calls, time and control.
func walk(t *testing.T, rng *rand.Rand, steps int) {
	percent := uint64(1 + rng.IntN(100))
	raw := randomConfig(rng, percent)
	b := mustNew(t, raw)
	cfg, _ := raw.withDefaults()
	m := &model{cfg: cfg, percent: percent, probing: map[*modelCall]bool{}}
	var out []*modelCall
	for step := range steps {
		var did string
		switch n := rng.IntN(100); {
		case n < 40 && len(out) < 20:
			did = "allow"
			want := m.allow()
			p, err := b.Allow()
			if (err == nil) != (want != nil) {
				t.Fatalf("step %d: let through: %v, want %v", step, err == nil, want != nil)
			}
			if want != nil {
				want.permit = p
				out = append(out, want)
			}
		case n < 80 && len(out) > 0:
			i, o := rng.IntN(len(out)), []Outcome{Success, Success, Failure, Failure, Ignored}[rng.IntN(5)]
			did = "settle as " + o.String()
			settle(out[i].permit, o)
			m.settle(out[i], o)
			if !out[i].probe || rng.IntN(4) > 0 { // a probe may be settled again
				out = append(out[:i], out[i+1:]...)
			}
		case n < 97:
			d := time.Duration(rng.IntN(1500)) * time.Millisecond
			did = "wait " + d.String()
			time.Sleep(d)
			synctest.Wait()
			m.advance(d)
		default:
			did = m.control(b, rng.IntN(8))
		}
		if got, want := b.Stats(), m.stats(b); got != want {
			t.Fatalf("step %d, %s:\n got %+v\nwant %+v\nwith %+v", step, did, got, want, cfg)
		}
	}
}

func settle(p Permit, o Outcome) {
	switch o {
	case Success:
		p.Done(context.Background(), nil)
	case Failure:
		p.Failure()
	default:
		p.Ignore()
	}
}

func (m *model) control(b *Breaker, which int) string {
	switch which {
	case 0:
		b.Trip(errDown)
		if m.state == Closed || m.state == HalfOpen {
			m.enter(Open, ByHand)
		}
		return "Trip"
	case 1:
		b.ForceOpen(errDown)
		if m.state != ForcedOpen {
			m.enter(ForcedOpen, ByHand)
		}
		return "ForceOpen"
	case 2:
		b.Disable()
		if m.state != Disabled {
			m.enter(Disabled, ByHand)
		}
		return "Disable"
	}
	b.Reset()
	m.enter(Closed, ByHand)
	return "Reset"
}
