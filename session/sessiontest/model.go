// SPDX-License-Identifier: MIT

package sessiontest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func modelCases() []conformanceCase {
	return []conformanceCase{{"RandomSchedulesAgreeWithTheModel", modelAgrees}}
}

// model is what a store has to do, said in the simplest way: a map and the
// time. It counts time in units, so that a real store, whose answers take
// time, agrees with it as long as no step ends near a deadline.
type model struct {
	live map[int]*modelRecord
	due  map[string]bool // payloads that Claim owes
}

type modelRecord struct {
	rec          session.StoreRecord
	payload      string
	idle, absEnd int // deadlines, in half units
}

func (r *modelRecord) end() int { return min(r.idle, r.absEnd) }

// modelAgrees plays a random schedule on a few handles and compares every
// answer. Steps happen at whole units, deadlines lie at halves.
func modelAgrees(b *bench) {
	seed := b.suite.seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	b.Logf("schedule of seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	p := &player{bench: b, random: random, model: model{live: map[int]*modelRecord{}, due: map[string]bool{}}}
	for range 5 {
		p.handles = append(p.handles, b.handle(session.Hash{}))
	}
	p.began = time.Now()
	b.idle, b.total = 7*b.suite.unit()/2, 15*b.suite.unit()/2 // 3.5 and 7.5 units
	steps := 400
	if !b.suite.virtual {
		steps = 100
	}
	for i := range steps {
		if b.Failed() {
			return
		}
		p.step = i
		if random.IntN(6) == 0 {
			p.tick()
		}
		moves := []func(int){p.create, p.create, p.peek, p.touch, p.save, p.save, p.staleSave, p.remove, p.claim, p.count}
		moves[random.IntN(len(moves))](random.IntN(len(p.handles)))
	}
}

type player struct {
	*bench
	random  *rand.Rand
	model   model
	handles []session.StoreHandle
	step    int
	now     int // in half units; always even
}

// tick waits for the next whole unit.
func (p *player) tick() {
	p.look()
	p.now += 2
	p.passed = time.Duration(p.now) * p.suite.unit() / 2
	time.Sleep(time.Until(p.began.Add(p.passed)))
	for _, r := range p.model.live {
		if r.end() < p.now {
			p.model.due[r.payload] = true
			r.rec.Rev = 0 // lapsed: it answers Lapsed until it is claimed or replaced
		}
	}
}

func (r *modelRecord) lapsed() bool { return r.rec.Rev == 0 }

// expect is the status that a call on a live record would get.
func (p *player) expect(i int) session.StoreStatus {
	switch r := p.model.live[i]; {
	case r == nil:
		return session.StatusMissing
	case r.lapsed():
		return session.StatusLapsed
	}
	return session.StatusDone
}

func (p *player) check(what string, i int, r session.StoreReply, status session.StoreStatus) bool {
	p.Helper()
	if r.Status != status {
		p.Errorf("step %d, unit %d: %s of record %d answered %v, the model says %v", p.step, p.now/2, what, i, r.Status, status)
		return false
	}
	if m := p.model.live[i]; m != nil && !m.lapsed() && (status == session.StatusDone || status == session.StatusExists || status == session.StatusStale) && string(r.Record.Payload) != m.payload {
		p.Errorf("step %d, unit %d: %s of record %d carries %q, the model says %q", p.step, p.now/2, what, i, r.Record.Payload, m.payload)
		return false
	}
	return true
}

func (p *player) create(i int) {
	w := p.write(p.handles[i], fmt.Sprintf("%d@%d", i, p.step))
	r := p.bench.create(w)
	if p.expect(i) == session.StatusDone {
		p.model.live[i].idle = p.now + 7 // found and touched, as Load would do
		p.check("Create", i, r, session.StatusExists)
		return
	}
	p.model.live[i] = &modelRecord{rec: r.Record, payload: string(w.Payload), idle: p.now + 7, absEnd: p.now + 15}
	p.check("Create", i, r, session.StatusDone)
}

func (p *player) peek(i int) { p.check("Peek", i, p.bench.peek(p.handles[i]), p.expect(i)) }

func (p *player) touch(i int) {
	if p.check("Touch", i, p.bench.touch(p.handles[i]), p.expect(i)) && p.expect(i) == session.StatusDone {
		p.model.live[i].idle = p.now + 7
	}
}

func (p *player) save(i int) {
	want, rec := p.expect(i), session.StoreRecord{StoreHandle: p.handles[i], Rev: 1}
	payload := fmt.Sprintf("%d@%d", i, p.step)
	if want == session.StatusDone {
		m := p.model.live[i]
		rec, m.payload, m.idle = m.rec, payload, p.now+7
	}
	r := p.bench.save(rec, payload)
	if p.check("Save", i, r, want) && want == session.StatusDone {
		p.model.live[i].rec.Rev = r.Record.Rev
	}
}

func (p *player) staleSave(i int) {
	want := p.expect(i)
	if want == session.StatusDone {
		want = session.StatusStale
	}
	p.check("Save of an old revision", i, p.bench.save(session.StoreRecord{StoreHandle: p.handles[i], Rev: 1}, "never"), want)
}

func (p *player) remove(i int) {
	n, want := p.bench.remove(session.StoreRemove{Handles: []session.Hash{p.handles[i].Hash}}), 0
	if m := p.model.live[i]; m != nil {
		want = 1
		delete(p.model.due, m.payload)
		delete(p.model.live, i)
	}
	if n != want {
		p.Errorf("step %d, unit %d: Delete of record %d says %d, the model says %d", p.step, p.now/2, i, n, want)
	}
}

func (p *player) claim(int) {
	var got, want []string
	var done []session.StoreSettle
	for _, d := range p.bench.claim(session.StoreClaim{For: time.Minute, Payload: true}).Due {
		got = append(got, string(d.Payload))
		done = append(done, session.StoreSettle{StoreHandle: d.StoreHandle, Rev: d.Rev})
	}
	p.settle(done...)
	for payload := range p.model.due {
		want = append(want, payload)
	}
	clear(p.model.due)
	for i, m := range p.model.live {
		if m.lapsed() {
			delete(p.model.live, i)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.Errorf("step %d, unit %d: Claim reported %q, the model says %q", p.step, p.now/2, got, want)
	}
}

func (p *player) count(int) {
	c, active := p.bench.count(), int64(0)
	for _, m := range p.model.live {
		if !m.lapsed() {
			active++
		}
	}
	if c.Active != active || c.Backlog != int64(len(p.model.due)) {
		p.Errorf("step %d, unit %d: counted %+v, the model says %d active, %d due", p.step, p.now/2, c, active, len(p.model.due))
	}
}
