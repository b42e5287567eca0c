// SPDX-License-Identifier: MIT

package redissession

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
	"github.com/holdfast-go/holdfast/session/sessiontest"
)

// appended is what the artificial next version appends to the header.
const appended = "appended"

// nextVersion makes a client that of the next version's process: its scripts know
// version 2, whose header has 8 bytes more. In the first of the two steps in
// which a version is released, it writes version 1 still.
type nextVersion struct{ writes bool }

// A script is always sent as text, since only that can be changed.
type noScript struct{}

func (noScript) Error() string { return "NOSCRIPT sent as text" }
func (noScript) RedisError()   {}

var nextScripts = strings.NewReplacer("SIZES = {[1] = 156}", "SIZES = {[1] = 156, [2] = 164}", "HEADER = 156", "HEADER = 164")

// change makes a command that of the next version, and reports whether it is
// to be sent.
func (n nextVersion) change(cmd redis.Cmder) bool {
	args := cmd.Args()
	switch args[0] {
	case "evalsha":
		cmd.SetErr(noScript{})
		return false
	case "eval":
		args[1] = nextScripts.Replace(args[1].(string))
		for i, arg := range args {
			if h, ok := arg.([]byte); ok && n.writes && len(h) == headerSize && bytes.HasPrefix(h, []byte("hfs\x01")) {
				args[i] = "hfs\x02" + string(h[4:]) + appended
			}
		}
	}
	return true
}

func (nextVersion) DialHook(h redis.DialHook) redis.DialHook { return h }

func (n nextVersion) ProcessHook(send redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !n.change(cmd) {
			return cmd.Err()
		}
		return send(ctx, cmd)
	}
}

func (n nextVersion) ProcessPipelineHook(send redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var left []redis.Cmder
		for _, cmd := range cmds {
			if n.change(cmd) {
				left = append(left, cmd)
			}
		}
		if len(left) == 0 {
			return noScript{}
		}
		return send(ctx, left)
	}
}

// readNext lets this package's Go code read version 2 until the test is over.
func readNext(t *testing.T) {
	sizes[2] = headerSize + len(appended)
	t.Cleanup(func() { delete(sizes, 2) })
}

// fleet is a service of several processes: each call is another one's, but that
// of a lease always the same one's, which waits for it.
type fleet struct {
	processes []*Store
	calls     atomic.Int64
}

func newFleet(t testing.TB, hooks ...redis.Hook) *fleet {
	_, m := redistest.Virtual(t)
	f := &fleet{}
	for _, hook := range hooks {
		client := redistest.VirtualClient(t, m)
		if hook != nil {
			client.AddHook(hook)
		}
		f.processes = append(f.processes, New(client))
	}
	return f
}

func (f *fleet) one() *Store { return f.processes[int(f.calls.Add(1))%len(f.processes)] }

func (f *fleet) of(lease string) *Store {
	if lease == "" {
		return f.one()
	}
	return f.processes[int(lease[0])%len(f.processes)]
}

func (f *fleet) Create(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	return f.of(w.Lease).Create(ctx, w)
}

func (f *fleet) Load(ctx context.Context, l session.StoreLoad) (session.StoreReply, error) {
	return f.of(l.Lease).Load(ctx, l)
}

func (f *fleet) Save(ctx context.Context, w session.StoreWrite) (session.StoreReply, error) {
	return f.one().Save(ctx, w)
}

func (f *fleet) Move(ctx context.Context, from session.StoreHandle, w session.StoreWrite) (session.StoreReply, error) {
	return f.one().Move(ctx, from, w)
}

func (f *fleet) Delete(ctx context.Context, r session.StoreRemove) (session.StoreRemoved, error) {
	return f.one().Delete(ctx, r)
}

func (f *fleet) List(ctx context.Context, l session.StoreList) iter.Seq2[session.StoreRecord, error] {
	return f.one().List(ctx, l)
}

func (f *fleet) Claim(ctx context.Context, c session.StoreClaim) (session.StoreClaimed, error) {
	return f.one().Claim(ctx, c)
}

func (f *fleet) Quarantined(ctx context.Context, space string) iter.Seq2[session.Quarantined, error] {
	return f.one().Quarantined(ctx, space)
}

func (f *fleet) Restore(ctx context.Context, space, id string) (session.StoreStatus, error) {
	return f.one().Restore(ctx, space, id)
}

func (f *fleet) Count(ctx context.Context, space string) (session.StoreCount, error) {
	return f.one().Count(ctx, space)
}

// In each step of a release the processes of two versions run at once. All of
// the suite has to hold while they take turns on the same records.
func TestAFleetOfTwoVersionsConforms(t *testing.T) {
	readNext(t)
	for name, hooks := range map[string][]redis.Hook{
		"this version, and the next that only reads":      {nil, nextVersion{}},
		"the next that only reads, and that which writes": {nextVersion{}, nextVersion{writes: true}},
		"the next alone": {nextVersion{writes: true}},
	} {
		t.Run(name, func(t *testing.T) {
			sessiontest.Run(t, func(t testing.TB) session.Store { return newFleet(t, hooks...) }, sessiontest.Virtual(), sessiontest.Schedules(20),
				sessiontest.Corrupt(func(t testing.TB, s session.Store, h session.StoreHandle) { damageHeader(t, s.(*fleet).one(), h) }),
				sessiontest.Vanish(func(t testing.TB, s session.Store, h session.StoreHandle) { vanish(t, s.(*fleet).one(), h) }))
		})
	}
}

func TestTheNextVersionReadsThisOneAndWritesItsOwn(t *testing.T) {
	readNext(t)
	for _, payload := range []string{"", "hello", strings.Repeat("long", 100)} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, nil, nextVersion{writes: true})
			this, later := f.processes[0], f.processes[1]
			stored := func(h session.StoreHandle) string {
				raw, err := this.caller.Client().Get(t.Context(), this.slotOf(h.Space, h.Hash).record(h.Hash)).Result()
				if err != nil {
					t.Fatal(err)
				}
				return raw
			}
			w := newWrite(payload)
			created := done(t)(this.Create(t.Context(), w))
			read := done(t)(later.Load(t.Context(), session.StoreLoad{StoreHandle: w.StoreHandle, Touch: true}))
			if string(read.Record.Payload) != payload || read.Record.Rev != created.Record.Rev || !read.Touched {
				t.Errorf("the next version reads %+v, want %+v touched", read, created)
			}
			if raw := stored(w.StoreHandle); raw[3] != 1 || raw[headerSize:] != payload {
				t.Errorf("a touch by the next version left %q, want a record of version 1", raw)
			}
			w.Rev, w.Nonce = created.Record.Rev, w.Nonce+2
			done(t)(later.Save(t.Context(), w))
			if raw := stored(w.StoreHandle); raw[3] != 2 || raw[headerSize:] != appended+payload {
				t.Errorf("a save by the next version left %q, want its own record", raw)
			}
		})
	}
}
