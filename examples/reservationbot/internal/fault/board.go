// SPDX-License-Identifier: MIT

// Package fault breaks the bot's parts on demand, so that a visitor or a test
// can watch how the rest copes.
//
//	part       broken by                       what the library then sees
//	PMS        the simulator's own modes       slow, failing, hanging or lost answers
//	audit      [Sink], in front of the sink    writes that fail
//	Redis      [Redis], a hook of the client   commands that fail at once
//	a session  [Codec], the sessions' codec    a record with a wrong checksum
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
	"net"
	"strings"
	"sync"
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

// Switches are the positions of all switches, as the HTTP API shows and takes
// them. When taken, an empty one stays as it is.
type Switches struct {
	PMS     hotel.Mode `json:"pms,omitempty"`     // one of hotel.Modes
	Redis   Position   `json:"redis,omitempty"`   // up, down
	Audit   Position   `json:"audit,omitempty"`   // up, down
	Cleanup Position   `json:"cleanup,omitempty"` // running, stopped: the loop that removes ended sessions
	Trail   Position   `json:"trail,omitempty"`   // sealed, changed: whether a row is as it was sealed; "" = no row is
}

// Positions lists the switches by name, in the order in which they are shown.
func (s Switches) Positions() [][2]string {
	return [][2]string{{"pms", string(s.PMS)}, {"audit", string(s.Audit)}, {"redis", string(s.Redis)}, {"cleanup", string(s.Cleanup)}, {"trail", string(s.Trail)}}
}

// Position is where a switch of two stands.
type Position string

const (
	Up      Position = "up"
	Down    Position = "down"
	Running Position = "running"
	Stopped Position = "stopped"
	Sealed  Position = "sealed"
	Changed Position = "changed"
)

func (p Position) among(good, bad Position) bool { return p == "" || p == good || p == bad }

func position(down bool) Position {
	if down {
		return Down
	}
	return Up
}

var (
	// ErrInvalid says that a switch has no such position. Nothing was switched.
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
	Codec  *Codec
	Forger *Forger // nil: the trail is not sealed

	mu  sync.Mutex
	pms hotel.Mode // as last set here; a real PMS has none
}

// Read returns the positions. It does no I/O.
func (b *Board) Read() Switches {
	s := Switches{
		PMS:     b.mode(),
		Audit:   position(b.Audit.down.Load()),
		Redis:   position(b.Redis.down.Load()),
		Cleanup: Stopped,
	}
	if b.Chats.Stats().Running {
		s.Cleanup = Running
	}
	if b.Forger != nil {
		s.Trail = b.Forger.position()
	}
	return s
}

func (b *Board) mode() hotel.Mode {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.pms, hotel.Healthy)
}

// Set moves the switches that are given. An unknown position is ErrInvalid;
// another error means that the PMS has no switch, that the cleanup did not stop
// within ctx, or is ErrNoRow or
// ErrTrail.
func (b *Board) Set(ctx context.Context, s Switches) error {
	if s.PMS != "" && !s.PMS.Valid() || !s.Audit.among(Up, Down) || !s.Redis.among(Up, Down) || !s.Cleanup.among(Running, Stopped) ||
		!s.Trail.among(Sealed, Changed) || s.Trail != "" && b.Forger == nil {
		return fmt.Errorf("%w: the PMS is one of %v, Redis and the audit are up or down, the cleanup is running or stopped, a trail with seals is sealed or changed", ErrInvalid, hotel.Modes)
	}
	if s.Audit != "" {
		b.Audit.down.Store(s.Audit == Down)
	}
	if s.Redis != "" {
		b.Redis.down.Store(s.Redis == Down)
	}
	return errors.Join(b.setCleanup(ctx, s.Cleanup), b.setPMS(ctx, s.PMS), b.Forger.set(ctx, s.Trail))
}

func (b *Board) setCleanup(ctx context.Context, p Position) error {
	running := b.Chats.Stats().Running
	switch {
	case p == Running && !running:
		b.Chats.Start()
	case p == Stopped && running:
		return b.Chats.Stop(ctx)
	}
	return nil
}

func (b *Board) setPMS(ctx context.Context, m hotel.Mode) error {
	if m == "" {
		return nil
	}
	if err := b.PMS.SetMode(ctx, m); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pms = m
	return nil
}

// Corrupt changes a byte of the record of the guest's conversation on its way to
// the store, as faulty memory could. The next call that reads the record finds
// the damage, counts it, and removes the record. It waits until the conversation is
// quiet. An error of the session package says when there is none.
func (b *Board) Corrupt(ctx context.Context, guest string) error {
	return b.Chats.Exclusive(ctx, desk.SessionOf(guest), func(_ context.Context, s *session.Session[desk.Chat]) error {
		b.Codec.marked.Store(&s.Data)
		return nil
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

// DialHook implements [redis.Hook].
func (r *Redis) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if r.down.Load() {
			return nil, ErrSwitchedOff
		}
		return next(ctx, network, addr)
	}
}

// ProcessHook implements [redis.Hook].
func (r *Redis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if r.down.Load() {
			cmd.SetErr(ErrSwitchedOff)
			return ErrSwitchedOff
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
		if r.down.Load() {
			for _, cmd := range cmds {
				cmd.SetErr(ErrSwitchedOff)
			}
			return ErrSwitchedOff
		}
		return next(ctx, cmds)
	}
}

// Codec is the sessions' JSON. It has Redis damage the next save of the
// conversation that was marked.
type Codec struct {
	session.JSON
	Redis  *Redis
	marked atomic.Pointer[desk.Chat]
}

// Encode implements [session.Codec].
func (c *Codec) Encode(v any) ([]byte, error) {
	data, err := c.JSON.Encode(v)
	if chat, ok := v.(*desk.Chat); ok && chat != nil && c.marked.CompareAndSwap(chat, nil) {
		end := string(data)
		c.Redis.spoiled.Store(&end)
	}
	return data, err
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

func (f *Forger) position() Position {
	if f.row.Load() != nil {
		return Changed
	}
	return Sealed
}

// set changes the row that was sealed last, or puts back the one that is changed.
// Then it verifies.
func (f *Forger) set(ctx context.Context, p Position) (err error) {
	if p == "" {
		return nil
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	switch row := f.row.Load(); {
	case p == Changed && row == nil:
		if _, err = f.seals.Seal(ctx); err == nil {
			err = f.forge(ctx)
		}
	case p == Sealed && row != nil:
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

// Restore puts back the row that is changed, if one is.
func (f *Forger) Restore(ctx context.Context) error {
	if f.position() == Sealed {
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
