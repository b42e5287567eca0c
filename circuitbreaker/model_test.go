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
	past         []counted
	probing      map[*modelCall]bool
	probes       Config // as the half-open stay began
	judged       []counted
	want         Stats
}

type counted struct {
	at   time.Duration
	o    Outcome
	slow bool
}

type modelCall struct {
	permit  Permit
	era     int
	began   time.Duration
	probe   bool
	settled bool
}

func (m *model) enter(to State, reason Reason) {
	if m.state == Closed && m.now-m.since >= m.delay(m.attempt+1) {
		m.attempt = 0
	}
	switch {
	case to == Open:
		m.attempt++
	case to != HalfOpen && reason != ProbesPassed:
		m.attempt = 0
	}
	m.want.times[m.state] += m.now - m.since
	m.state, m.since, m.until = to, m.now, m.now+m.delay(m.attempt)
	m.probes, m.judged = m.cfg, nil
	m.era++
	m.streak, m.past, m.probing = 0, nil, map[*modelCall]bool{}
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
			next = min(next, p.began+m.probes.Probes.Timeout)
		}
		if next > target {
			m.now = target
			return
		}
		m.now = next
		if m.state == Open {
			m.enter(HalfOpen, WaitedLongEnough)
			continue
		}
		for p := range m.probing {
			if p.began+m.probes.Probes.Timeout == next {
				delete(m.probing, p)
				m.judge(counted{next, Failure, m.probes.SlowRate > 0})
				break
			}
		}
	}
}

// judge adds a probe's result, and tries every way in which the probes to come
// may end.
func (m *model) judge(c counted) {
	m.judged = append(m.judged, c)
	p := m.probes
	var good, bad, slow int
	for _, c := range m.judged {
		switch c.o {
		case Success:
			good++
		case Failure:
			bad++
		}
		if c.slow && p.SlowRate > 0 {
			slow++
		}
	}
	of, tooMany := p.Probes.Of, func(n int) bool { return n > 0 && n*100 >= int(m.percent)*p.Probes.Of }
	if of == 0 {
		of, tooMany = p.Probes.Successes, func(n int) bool { return n > 0 }
	}
	rest, mayOpen, mayClose := max(of-len(m.judged), 0), false, false
	for bads := bad; bads <= bad+rest; bads++ {
		for slows := slow; slows <= slow+rest; slows++ {
			if tooMany(bads) || p.SlowRate > 0 && tooMany(slows) {
				mayOpen = true
			} else {
				mayClose = true
			}
		}
	}
	switch {
	case !mayClose, good == 0 && bad >= 2:
		m.enter(Open, ProbeFailed)
	case !mayOpen:
		m.enter(Closed, ProbesPassed)
	}
}

// allow returns nil for a rejection.
func (m *model) allow() *modelCall {
	c := &modelCall{era: m.era, began: m.now}
	switch {
	case m.state == Closed || m.state == Disabled:
	case m.state == HalfOpen && len(m.probing) < m.probes.Probes.Concurrent:
		c.probe = true
		m.probing[c] = true
	case m.cfg.Shadow:
		m.want.ShadowRejected++
	default:
		m.want.Rejected++
		return nil
	}
	return c
}

func (m *model) settle(c *modelCall, o Outcome, gaveUp bool) {
	if c.settled {
		return
	}
	c.settled = true
	slow := m.cfg.SlowCall > 0 && m.now-c.began >= m.cfg.SlowCall && (o != Ignored || gaveUp)
	add(&m.want.Total, o, slow)
	switch {
	case c.era != m.era, c.probe && !m.probing[c]:
		m.want.Stale++
	case c.probe:
		delete(m.probing, c)
		if o != Ignored || slow && m.probes.SlowRate > 0 {
			m.judge(counted{m.now, o, slow})
		}
	case (m.state == Closed || m.state == Disabled) && (o != Ignored || slow):
		switch o {
		case Success:
			m.streak = 0
		case Failure:
			m.streak++
		}
		m.past = append(m.past, counted{m.now, o, slow})
		if m.state == Closed && (o == Failure || slow) && m.tripped(o) {
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

func (m *model) tripped(o Outcome) bool {
	c := m.window()
	answered, least := c.Success+c.Failure, uint64(m.cfg.MinCalls)
	all := answered + c.Ignored
	return m.cfg.ConsecutiveFailures > 0 && o == Failure && m.streak >= m.cfg.ConsecutiveFailures ||
		m.cfg.FailureRate > 0 && answered >= least && c.Failure > 0 && c.Failure*100 >= m.percent*answered ||
		m.cfg.SlowRate > 0 && all >= least && c.Slow > 0 && c.Slow*100 >= m.percent*all ||
		m.cfg.TripWhen != nil && c.Failure >= 9
}

// stats completes what the breaker should answer.
func (m *model) stats(b *Breaker) Stats {
	s := m.want
	s.State, s.Since = m.state, b.born.Add(m.since)
	s.times[m.state] += m.now - m.since
	s.Shadow = m.cfg.Shadow
	if m.state == Open {
		s.OpenLeft = m.until - m.now
	}
	if m.cfg.windowed() {
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
	if cfg.FailureRate > 0 && rng.IntN(2) == 0 {
		cfg.Probes.Of, cfg.Probes.Successes = 1+rng.IntN(6), 0
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
			gaveUp := o == Ignored && rng.IntN(2) == 0
			did = fmt.Sprint("settle as ", o, ", given up: ", gaveUp)
			settle(out[i].permit, o, gaveUp)
			m.settle(out[i], o, gaveUp)
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
			did = m.control(b, rng)
		}
		if got, want := b.Stats(), m.stats(b); got != want {
			t.Fatalf("step %d, %s:\n got %+v\nwant %+v\nwith %+v", step, did, got, want, cfg)
		}
	}
}

func settle(p Permit, o Outcome, gaveUp bool) {
	switch {
	case o == Success:
		p.Done(context.Background(), nil)
	case o == Failure:
		p.Failure()
	case gaveUp:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.Done(ctx, errDown)
	default:
		p.Ignore()
	}
}

func (m *model) control(b *Breaker, rng *rand.Rand) string {
	switch rng.IntN(12) {
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
	case 3:
		b.Probe()
		if m.state != HalfOpen {
			m.enter(HalfOpen, ByHand)
		}
		return "Probe"
	case 4:
		openFor := time.Duration(1+rng.IntN(8000)) * time.Millisecond
		b.TripFor(openFor, errDown)
		switch m.state {
		case ForcedOpen, Disabled:
			return "TripFor in vain"
		case Open:
			m.attempt-- // it is the same opening
		}
		m.enter(Open, ByHand)
		m.until = m.now + openFor
		return "TripFor " + openFor.String()
	case 5, 6:
		return m.update(b, rng)
	}
	b.Reset()
	m.enter(Closed, ByHand)
	return "Reset"
}

func (m *model) update(b *Breaker, rng *rand.Rand) string {
	raw := randomConfig(rng, m.percent)
	if err := b.Update(raw); err != nil {
		return err.Error() // and the states will differ
	}
	cfg, _ := raw.withDefaults()
	if m.cfg.windowed() != cfg.windowed() || m.cfg.Window != cfg.Window {
		m.past = nil
		if m.state == Closed || m.state == Disabled {
			m.era++
		}
	}
	m.cfg = cfg
	return fmt.Sprintf("Update to %+v", cfg)
}
