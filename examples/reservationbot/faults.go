// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/audit"
	"github.com/holdfast-go/holdfast/examples/reservationbot/internal/hotel"
)

// faults are the switches with which a visitor breaks things:
//
//	GET  /api/faults             how they stand
//	PUT  /api/faults             {"pms":"failing"}: turns those that are named
//	POST /api/sessions/corrupt   damages the records of all conversations
type faults struct {
	redisDown, auditDown atomic.Bool

	mu      sync.Mutex // one turn at a time
	pms     hotel.Mode // as last turned here
	stopped bool       // the cleanup
}

// switches is how the faults stand, or, with empty fields, which to turn.
type switches struct {
	PMS     hotel.Mode `json:"pms,omitempty"`     // healthy, slow, failing, hanging
	Redis   string     `json:"redis,omitempty"`   // up, down
	Audit   string     `json:"audit,omitempty"`   // up, down
	Cleanup string     `json:"cleanup,omitempty"` // running, stopped
}

func (s switches) check() error {
	switch {
	case s.PMS != "" && !s.PMS.Valid():
		return fmt.Errorf("pms is healthy, slow, failing or hanging, not %q", s.PMS)
	case s.Redis != "" && s.Redis != "up" && s.Redis != "down":
		return fmt.Errorf("redis is up or down, not %q", s.Redis)
	case s.Audit != "" && s.Audit != "up" && s.Audit != "down":
		return fmt.Errorf("audit is up or down, not %q", s.Audit)
	case s.Cleanup != "" && s.Cleanup != "running" && s.Cleanup != "stopped":
		return fmt.Errorf("cleanup is running or stopped, not %q", s.Cleanup)
	}
	return nil
}

// turn turns the switches that s names, and returns how all stand then.
func (b *bot) turn(ctx context.Context, s switches) (switches, error) {
	f := &b.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if s.PMS != "" {
		if err := b.pms.SetMode(ctx, s.PMS); err != nil {
			errs = append(errs, err)
		} else {
			f.pms = s.PMS
		}
	}
	if s.Redis != "" {
		f.redisDown.Store(s.Redis == "down")
	}
	if s.Audit != "" {
		f.auditDown.Store(s.Audit == "down")
	}
	switch s.Cleanup {
	case "running":
		errs = append(errs, b.chats.Start())
		f.stopped = false
	case "stopped":
		errs = append(errs, b.chats.Stop(ctx))
		f.stopped = true
	}
	now := switches{PMS: f.pms, Redis: "up", Audit: "up", Cleanup: "running"}
	if now.PMS == "" {
		now.PMS = hotel.Healthy
	}
	if f.redisDown.Load() {
		now.Redis = "down"
	}
	if f.auditDown.Load() {
		now.Audit = "down"
	}
	if f.stopped {
		now.Cleanup = "stopped"
	}
	return now, errors.Join(errs...)
}

func (b *bot) getFaults(w http.ResponseWriter, r *http.Request) {
	now, _ := b.turn(r.Context(), switches{})
	reply(w, http.StatusOK, now)
}

func (b *bot) putFaults(w http.ResponseWriter, r *http.Request) {
	var s switches
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	err := in.Decode(&s)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	now, err := b.turn(r.Context(), s)
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	reply(w, http.StatusOK, now)
}

// corruptSessions writes nonsense over the records of all conversations, on
// the node of a cluster that answers.
func (b *bot) corruptSessions(w http.ResponseWriter, r *http.Request) {
	n := 0
	keys := b.redis.Scan(r.Context(), 0, "holdfast:chats:session:{*}:d*", 1000).Iterator()
	for keys.Next(r.Context()) {
		if err := b.redis.SetXX(r.Context(), keys.Val(), "nonsense", redis.KeepTTL).Err(); err != nil {
			problem(w, http.StatusServiceUnavailable, err)
			return
		}
		n++
	}
	if err := keys.Err(); err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	reply(w, http.StatusOK, map[string]int{"corrupted": n})
}

var errSwitchedOff = errors.New("switched off")

// DialHook, ProcessHook and ProcessPipelineHook make faults a redis.Hook: a
// Redis that is down takes no command.
func (f *faults) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if f.redisDown.Load() {
			return nil, errSwitchedOff
		}
		return next(ctx, network, addr)
	}
}

func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.redisDown.Load() {
			cmd.SetErr(errSwitchedOff)
			return errSwitchedOff
		}
		return next(ctx, cmd)
	}
}

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f.redisDown.Load() {
			for _, cmd := range cmds {
				cmd.SetErr(errSwitchedOff)
			}
			return errSwitchedOff
		}
		return next(ctx, cmds)
	}
}

// switchedSink is the database of the trail, while it is up.
type switchedSink struct {
	audit.Sink
	down *atomic.Bool
}

func (s switchedSink) Write(ctx context.Context, batch []audit.Event) error {
	if s.down.Load() {
		return errSwitchedOff
	}
	return s.Sink.Write(ctx, batch)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the visitor has gone
}

// problem answers as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": err.Error()})
}
