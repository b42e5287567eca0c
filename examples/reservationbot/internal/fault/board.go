// SPDX-License-Identifier: MIT

// Package fault breaks the bot's parts on demand, so that a visitor or a test
// can watch how the rest copes.
//
//	part       broken by                       what the library then sees
//	PMS        the simulator's own modes       slow, failing, hanging or lost answers
//	audit      [Sink], in front of the sink    writes that fail
//	Redis      [Redis], a hook of the client   commands that fail at once
//	a session  [Redis], as the record is sent  a record with a wrong checksum
//	cleanup    stopping its loop               a gauge that freezes
//	the trail  [Forger], by SQL                a sealed row that Verify names
//
// A switch breaks the way to a part, not the part: other processes that use
// the same Redis or database do not notice.
package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/audit/gormsink"
	"github.com/holdfast-go/holdfast/audit/seal"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/desk"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
	"github.com/holdfast-go/holdfast/session"
)

// Switches are all switches and their positions, the good one first.
var Switches = map[string][]string{
	"pms":     hotel.Modes,
	"audit":   {Up, Down},
	"redis":   {Up, Down},
	"cleanup": {Running, Stopped}, // the loop that removes ended sessions
	"trail":   {Sealed, Changed},  // whether a row is as it was sealed
}

const (
	Up      = "up"
	Down    = "down"
	Running = "running"
	Stopped = "stopped"
	Sealed  = "sealed"
	Changed = "changed"
)

// Positions are where switches stand, by name, as the HTTP API shows and takes
// them.
type Positions map[string]string

var (
	// ErrInvalid says that there is no such switch or position. Nothing was switched.
	ErrInvalid = errors.New("fault: no such position")
	// ErrNoRow says that the trail has no sealed row to be changed.
	ErrNoRow = errors.New("fault: no row is sealed")
	// ErrTrail says that the trail's database did not do what it should.
	ErrTrail = errors.New("fault: the trail's database")
)

// Board is where the switches are. Fill in the fields before the first use.
// Safe for concurrent use.
type Board struct {
	PMS    *hotel.Client
	Chats  *session.Manager[desk.Chat]
	Audit  *Sink
	Redis  *Redis
	Forger *Forger // nil: the trail is not sealed, and has no switch

	mode atomic.Value // of string: of the PMS, as last set here; a real one has none
}

// Read returns the positions. It does no I/O.
func (b *Board) Read() Positions {
	mode, _ := b.mode.Load().(string)
	now := Positions{"pms": cmp.Or(mode, hotel.Healthy)}
	put := func(name string, bad bool) {
		now[name] = Switches[name][0]
		if bad {
			now[name] = Switches[name][1]
		}
	}
	put("audit", b.Audit.down.Load())
	put("redis", b.Redis.down.Load())
	put("cleanup", !b.Chats.Stats().Running)
	if b.Forger != nil {
		put("trail", b.Forger.row.Load() != nil)
	}
	return now
}

// Set moves the switches that are given. A switch or position that there is not is
// ErrInvalid; another error means that the PMS has no switch, that the cleanup did
// not stop within ctx, or is ErrNoRow or ErrTrail.
func (b *Board) Set(ctx context.Context, wanted Positions) error {
	now := b.Read()
	for name, to := range wanted {
		if now[name] == "" || !slices.Contains(Switches[name], to) {
			return fmt.Errorf("%w: there are %v, the trail's if it is sealed", ErrInvalid, Switches)
		}
	}
	var errs []error
	for name, to := range wanted {
		errs = append(errs, b.turn(ctx, name, to))
	}
	return errors.Join(errs...)
}

func (b *Board) turn(ctx context.Context, name, to string) error {
	switch name {
	case "audit":
		b.Audit.down.Store(to == Down)
	case "redis":
		b.Redis.down.Store(to == Down)
	case "cleanup":
		if to == Stopped {
			return b.Chats.Stop(ctx)
		}
		b.Chats.Start()
	case "pms":
		if err := b.PMS.SetMode(ctx, to); err != nil {
			return err
		}
		b.mode.Store(to)
	case "trail":
		return b.Forger.set(ctx, to)
	}
	return nil
}

// Corrupt changes a byte of the record of the guest's conversation on its way to
// the store, as faulty memory could. The next call that reads the record finds
// the damage, counts it, and removes the record. It waits until the conversation is
// quiet. An error of the session package says when there is none.
func (b *Board) Corrupt(ctx context.Context, guest string) error {
	return b.Chats.Exclusive(ctx, desk.SessionOf(guest), func(_ context.Context, s *session.Session[desk.Chat]) error {
		data, err := session.JSON{}.Encode(&s.Data)
		end := string(data)
		b.Redis.spoiled.Store(&end)
		return err
	})
}

// ErrSwitchedOff is what a part that was switched off answers.
var ErrSwitchedOff = errors.New("fault: switched off")

// Redis is a hook of a client that can cut it off from its server, or spoil what
// it sends. The zero value lets everything through.
type Redis struct {
	down    atomic.Bool
	spoiled atomic.Pointer[string] // the end of an argument that is to be damaged once
}

var _ redis.Hook = (*Redis)(nil)

// cut refuses the commands while the switch is down.
func (r *Redis) cut(cmds ...redis.Cmder) error {
	if !r.down.Load() {
		return nil
	}
	for _, cmd := range cmds {
		cmd.SetErr(ErrSwitchedOff)
	}
	return ErrSwitchedOff
}

// DialHook implements [redis.Hook].
func (*Redis) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements [redis.Hook].
func (r *Redis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := r.cut(cmd); err != nil {
			return err
		}
		spoiled := r.spoil(cmd.Args())
		err := next(ctx, cmd)
		if spoiled && err == nil {
			r.spoiled.Store(nil)
		}
		return err
	}
}

// spoil changes the last byte of the argument that was marked, if it is among
// args.
func (r *Redis) spoil(args []any) bool {
	end := r.spoiled.Load()
	for i, arg := range args {
		if s, _ := arg.(string); end != nil && *end != "" && strings.HasSuffix(s, *end) {
			args[i] = s[:len(s)-1] + string(s[len(s)-1]^1)
			return true
		}
	}
	return false
}

// ProcessPipelineHook implements [redis.Hook].
func (r *Redis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := r.cut(cmds...); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

// Sink is a sink in front of another, which it can keep events from. Writes
// fail while it is down, in a way that the audit log may try again.
type Sink struct {
	audit.Sink
	down atomic.Bool
}

// Write implements [audit.Sink].
func (s *Sink) Write(ctx context.Context, batch []audit.Event) error {
	if s.down.Load() {
		return ErrSwitchedOff
	}
	return s.Sink.Write(ctx, batch)
}

// Forger changes a sealed row of the trail, as someone with the password of the
// database could, and puts it back.
type Forger struct {
	sink   *gormsink.Sink
	seals  *seal.Trail
	verify func(context.Context) error
	turn   chan struct{} // has room for the one who changes or puts back
	row    atomic.Pointer[forged]
}

// forged is a row that is changed, and who did what it reports.
type forged struct{ ID, Actor string }

// NewForger returns a Forger that calls verify after each change.
func NewForger(sink *gormsink.Sink, seals *seal.Trail, verify func(context.Context) error) *Forger {
	return &Forger{sink: sink, seals: seals, verify: verify, turn: make(chan struct{}, 1)}
}

// set changes the row that was sealed last, or puts back the one that is changed.
// Then it verifies.
func (f *Forger) set(ctx context.Context, to string) (err error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	switch row := f.row.Load(); {
	case to == Changed && row == nil:
		if _, err = f.seals.Seal(ctx); err == nil {
			err = f.forge(ctx)
		}
	case to == Sealed && row != nil:
		if err = f.write(ctx, *row); err == nil {
			f.row.Store(nil)
		}
	}
	if err == nil {
		err = f.verify(ctx)
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		err = fmt.Errorf("%w: %w", ErrTrail, err)
	}
	return err
}

// Restore puts back the row that is changed, if one is. A nil Forger has none.
func (f *Forger) Restore(ctx context.Context) error {
	if f == nil || f.row.Load() == nil {
		return nil
	}
	return f.set(ctx, Sealed)
}

func (f *Forger) forge(ctx context.Context) error {
	var row forged
	table := f.sink.Table()
	err := f.sink.Snapshot(ctx, "read", func(tx *gorm.DB) error {
		return tx.Raw("SELECT e.id, e.actor_id AS actor FROM " + table + " e JOIN " + table + "_seal s ON s.id = e.id ORDER BY s.idx DESC LIMIT 1").Scan(&row).Error
	})
	if err == nil && row.ID == "" {
		return ErrNoRow
	}
	if err == nil {
		err = f.write(ctx, forged{row.ID, "not " + row.Actor})
	}
	if err == nil {
		f.row.Store(&row)
	}
	return err
}

func (f *Forger) write(ctx context.Context, row forged) error {
	return f.sink.Change(ctx, "forge", func(tx *gorm.DB) error {
		return tx.Exec("UPDATE "+f.sink.Table()+" SET actor_id = ? WHERE id = ?", row.Actor, row.ID).Error
	})
}
